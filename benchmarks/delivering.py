"""Delivering notifications: CPU per webhook, rate, connections, and slow or dead neighbours."""

import contextlib
import time
from typing import Any

from redis import Redis

from benchmarks.draining import drain_all, fill
from benchmarks.measure import EngineMeter, Figure, repeated, store
from benchmarks.receivers import ReceiverProcess, receiver
from processor.container import for_worker
from processor.delivery.subscribers import Subscribers
from processor.settings.loading import load
from processor.store import each_cell, keys
from tests.support.ports import own_port
from tests.support.service import until
from tests.support.serving import ENVIRON
from workers.delivery.wiring import dispatcher_of

SLOW_S = 15.0


def measure(count: int, runs: int, *, fanouts: tuple[int, ...] = (1, 10, 100)) -> list[Figure]:
    """About ``count`` webhooks to 1, 10 and 100 subscribers; then to one beside a slow and a dead one."""
    with store() as (client, engine):
        figures = []
        for fanout in fanouts:
            values = repeated(runs, lambda fanout=fanout: _one_run(client, engine.url, count, fanout))  # type: ignore[misc]
            figures += _figures(f"{fanout} subscriber{'s' * (fanout > 1)}", values, fanout)
        values = repeated(1, lambda: _one_run(client, engine.url, count, 1, hindered=True))
        figures += _figures("1 beside a slow and a dead one", values, 1)
    return figures


def _figures(name: str, values: dict[str, tuple[float, ...]], fanout: int) -> list[Figure]:
    alone = fanout == 1
    return [
        Figure(f"delivery to {name}: CPU", "µs", values["cpu"], "≤ 800"),
        Figure(f"delivery to {name}: rate", "/s", values["rate"], "≥ 1000" if alone else ""),
        Figure(f"delivery to {name}: round trips", "a webhook", values["reads"], "≤ 0.3"),
        Figure(f"delivery to {name}: TCP connections", "", values["connections"], "≤ 64" if alone else ""),
    ]


def _one_run(
    client: "Redis[Any]", url: str, count: int, fanout: int, *, hindered: bool = False
) -> dict[str, float]:
    settings = load({**ENVIRON, "REDIS_URL": url, "ALLOW_PRIVATE_SUBSCRIBERS": "true"})
    fill(client, max(4, count // fanout))
    with contextlib.ExitStack() as stack:
        stack.callback((container := for_worker(settings)).redis.close)
        receivers = [stack.enter_context(receiver()) for _ in range(min(fanout, 4))]
        subscribers = Subscribers(client, allow_private=True)
        for number in range(fanout):
            subscribers.add(url=f"{receivers[number % len(receivers)].url}/{number}")
        if hindered:
            subscribers.add(url=stack.enter_context(receiver(SLOW_S)).url)
            subscribers.add(url=f"http://127.0.0.1:{own_port()}/dead")
        drain_all(client)
        notifications = sum(each_cell.replies(client, lambda pipe, cell: pipe.zcard(keys.outbox(cell))))
        dispatcher = dispatcher_of(container)
        engine, cpu, began = EngineMeter(client), time.process_time(), time.perf_counter()
        dispatcher.start()
        dispatcher.wake()
        until(lambda: _arrived(receivers) >= notifications * fanout, poll_s=0.2)
        took, used, cpu_s = time.perf_counter() - began, engine.used(), time.process_time() - cpu
        connections = sum(process.arrivals().connections for process in receivers)
        dispatcher.stop()
    webhooks = notifications * fanout
    return {
        "cpu": cpu_s / webhooks * 1e6,
        "rate": webhooks / took,
        "reads": used["reads"] / webhooks,
        "connections": connections,
    }


def _arrived(receivers: list[ReceiverProcess]) -> int:
    """How many different notifications the receivers saw, by subscriber."""
    return sum(len(process.arrivals().times) for process in receivers)
