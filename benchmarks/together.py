"""The whole service at a fixed rate: lag from receipt to commit, and to the first delivery."""

import json
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks import load
from benchmarks.accepting import signed_requests
from benchmarks.measure import Figure
from benchmarks.receivers import ReceiverProcess, receiver
from processor.delivery.subscribers import Subscribers
from processor.store import each_cell, keys, message_records, records
from tests.support.percentile import percentile
from tests.support.service import Service, is_done, until

SHARES = (0.25, 0.5, 0.75)
DELIVERY_RATE = 300
"""Messages a second at which the first delivery has a target."""


def measure(count: int) -> list[Figure]:
    """The top rate at which ``count`` messages are accepted, then three shares of it and one fixed rate."""
    with tempfile.TemporaryDirectory(prefix="codat-") as folder, receiver() as subscriber:
        environ = {"LOG_LEVEL": "WARNING", "ALLOW_PRIVATE_SUBSCRIBERS": "true"}
        with Service(Path(folder), **environ) as service:
            client = service.redis()
            Subscribers(client, allow_private=True).add(url=subscriber.url)
            top = load.send(service.port, signed_requests(count, prefix="top")).rate
            until(lambda: is_done(service, []))
            figures = [Figure("together: top rate of accepting", "/s", (top,))]
            for rate in sorted([*(round(top * share) for share in SHARES), DELIVERY_RATE]):
                commit, delivery = _lags_ms(service, subscriber, count, rate)
                limit = "< 100" if rate == round(top / 2) else ""
                figures += _figures(f"at {rate} a second: lag to commit", commit, limit)
                limit = "< 300" if rate == DELIVERY_RATE else ""
                figures += _figures(f"at {rate} a second: lag to first delivery", delivery, limit)
    return figures


def _lags_ms(
    service: Service, subscriber: ReceiverProcess, count: int, rate: float
) -> tuple[list[float], list[float]]:
    """Milliseconds from receipt to the commit and to the first delivery of ``count`` messages."""
    client, prefix = service.redis(), f"at{rate:.0f}"
    load.send(service.port, signed_requests(count, prefix=prefix), rate=rate)
    until(lambda: is_done(service, []))
    with client.pipeline(transaction=False) as pipe:
        for number, cell in product(range(count), keys.cells()):
            pipe.hget(keys.messages(cell), f"{prefix}_{number:05}")
        replies = zip(product(range(count), keys.cells()), pipe.execute(), strict=True)
    rows = {f"{prefix}_{number:05}": message_records.load(row) for (number, _), row in replies if row}
    received_at = {event_id: record.received_at for event_id, record in rows.items()}
    notified = {
        f"/hook {row['id']}": received_at[row["data"]["event_id"]].timestamp()
        for row in _notifications(client)
        if row["data"]["event_id"] in received_at
    }
    times = _arrivals(subscriber, set(notified))
    commits = [
        (record.processed_at - record.received_at).total_seconds() * 1000
        for record in rows.values()
        if record.processed_at
    ]
    return commits, [(times[key] - since) * 1000 for key, since in notified.items()]


def _figures(name: str, lags_ms: Sequence[float], target: str) -> list[Figure]:
    return [
        Figure(f"{name}, p50", "ms", (percentile(lags_ms, 0.5),)),
        Figure(f"{name}, p99", "ms", (percentile(lags_ms, 0.99),), target),
    ]


def _arrivals(subscriber: ReceiverProcess, wanted: set[str]) -> dict[str, float]:
    """The times of arrival, once all that is ``wanted`` has arrived."""
    until(lambda: wanted <= subscriber.arrivals().times.keys())
    return subscriber.arrivals().times


def _notifications(client: "Redis[Any]") -> list[dict[str, Any]]:
    return [
        json.loads(records.notification_parts(id_, client.get(keys.notification(cell, id_)) or b"")[0])
        for cell, id_ in each_cell.by_score(client, keys.outbox)
    ]
