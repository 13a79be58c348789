"""The whole service at a fixed rate: lag from receipt to commit, and to the first delivery."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks import load
from benchmarks.accepting import signed_requests
from benchmarks.measure import Figure, percentile
from benchmarks.receivers import ReceiverProcess, receiver
from processor.clock import from_iso
from processor.delivery.subscribers import Subscribers
from processor.store import keys
from tests.support.service import Service, is_done, until

SHARES = (0.25, 0.5, 0.75)


def measure(count: int) -> list[Figure]:
    """The top rate at which ``count`` messages are accepted, then three shares of it."""
    with tempfile.TemporaryDirectory(prefix="codat-") as folder, receiver() as subscriber:
        environ = {"LOG_LEVEL": "WARNING", "ALLOW_PRIVATE_SUBSCRIBERS": "true"}
        with Service(Path(folder), **environ) as service:
            client = service.redis()
            Subscribers(client, allow_private=True).add(url=subscriber.url)
            top = load.send(service.port, signed_requests(count, prefix="top")).rate
            until(lambda: is_done(service, []))
            figures = [Figure("together: top rate of accepting", "/s", (top,))]
            for share in SHARES:
                prefix = f"at{share * 100:.0f}"
                load.send(service.port, signed_requests(count, prefix=prefix), rate=top * share)
                until(lambda: is_done(service, []))
                with client.pipeline(transaction=False) as pipe:
                    for number in range(count):
                        pipe.hmget(keys.event(f"{prefix}_{number:05}"), "received_at", "processed_at")
                    rows = [[from_iso(value.decode()) for value in row] for row in pipe.execute()]
                commits = [(done - received).total_seconds() * 1000 for received, done in rows]
                received_at = {f"{prefix}_{number:05}": row[0] for number, row in enumerate(rows)}
                notified = {
                    f"/hook {row['id']}": received_at[row["data"]["event_id"]].timestamp()
                    for row in _notifications(client)
                    if row["data"]["event_id"] in received_at
                }
                times = _arrivals(subscriber, set(notified))
                deliveries = [(times[key] - since) * 1000 for key, since in notified.items()]
                figures += _lags(f"at {share:.0%} of the top rate: lag to commit", commits, share)
                figures += _lags(f"at {share:.0%} of the top rate: lag to first delivery", deliveries)
    return figures


def _lags(name: str, lags_ms: Sequence[float], share: float = 0.0) -> list[Figure]:
    target = "< 100" if share == 0.5 else ""
    return [
        Figure(f"{name}, p50", "ms", (percentile(lags_ms, 0.5),)),
        Figure(f"{name}, p99", "ms", (percentile(lags_ms, 0.99),), target),
    ]


def _arrivals(subscriber: ReceiverProcess, wanted: set[str]) -> dict[str, float]:
    """The times of arrival, once all that is ``wanted`` has arrived."""
    until(lambda: wanted <= subscriber.arrivals().times.keys())
    return subscriber.arrivals().times


def _notifications(client: "Redis[Any]") -> list[dict[str, Any]]:
    return [json.loads(fields[b"notification"]) for _, fields in client.xrange(keys.stream())]
