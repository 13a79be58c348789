"""Memory of the engine, and the time of reads, as the store grows."""

import base64
import time
from typing import Any

from redis import Redis

from benchmarks.draining import drain_all
from benchmarks.measure import Figure, store
from processor.clock import utc_now
from processor.store import keys, retention
from tests.support import messages
from tests.support.service import until
from tests.support.serving import give_back, serving
from tests.support.workbench import Workbench

API_KEY = "a-key-of-the-benchmark"
_STEP = 1_000
_FIRST = 100
"""Connections that are not counted: with them, each cell has what it needs once, some 50 KB."""
_OPERATOR = base64.b64encode(f"operator:{API_KEY}".encode()).decode()
_TARGETS = {"/v1/connections": "< 100"}


def measure(connections: int) -> list[Figure]:
    """One message for each of so many connections, kept and handled; then lists of them."""
    with store() as (client, engine):
        body = messages.connected("company-0000000", "connection-0000000")
        bench = Workbench(client)
        bench.fill(messages.connected(f"company-first-{n}", f"connection-first-{n}") for n in range(_FIRST))
        bench.drain_all()
        empty = _used(client)
        message_bytes = connection_bytes = 0
        took = 0.0
        for start in range(0, connections, _STEP):
            before = _used(client)
            numbers = range(start, min(connections, start + _STEP))
            bench.fill(messages.connected(f"company-{n:07}", f"connection-{n:07}") for n in numbers)
            message_bytes += _used(client) - before
            began = time.process_time()
            drain_all(client)
            took = time.process_time() - began
            connection_bytes = _used(client) - empty
        reads_ms = _reads_ms(engine.url)
        _let_be_idle(bench)
        until(lambda: not client.info("memory")["lazyfree_pending_objects"])
        idle_bytes = _used(client) - empty
    return [
        Figure(f"memory: a kept message of {len(body)} bytes", "B", (message_bytes / connections,), "≤ 700"),
        Figure(
            f"memory: a connection with its first message, of {connections:,}",
            "B",
            (connection_bytes / connections,),
            "≤ 2500",
        ),
        Figure(
            f"memory: a connection without messages, of {connections:,}",
            "B",
            (idle_bytes / connections,),
            "≤ 1500",
        ),
        Figure(f"drain: CPU with {connections:,} connections stored", "µs", (took / len(numbers) * 1e6,)),
        *(
            Figure(f"{name} with {connections:,} stored", "ms", (took_ms,), _TARGETS.get(name, ""))
            for name, took_ms in reads_ms.items()
        ),
    ]


def _let_be_idle(bench: Workbench) -> None:
    """What is left after a month: all is told, reminders are decided, and messages have expired.

    The stream and what it remembers, which have a length of their own, do not count.
    """
    bench.publish()
    for make in (keys.reminders, keys.published):
        bench.client.delete(keys.stream(), *map(make, keys.cells()))
    retention.trim(bench.client, utc_now())


def _used(client: "Redis[Any]") -> int:
    """Bytes of the engine without the buffers of its clients, which come and go."""
    info = client.info("memory")
    return int(info["used_memory"]) - int(info["mem_clients_normal"])


def _reads_ms(url: str) -> dict[str, float]:
    """Milliseconds of a start of the application, and of its first answer at some addresses."""
    began = time.perf_counter()
    caller = serving(url, API_KEYS=API_KEY, OPERATOR_PASSWORD=API_KEY)
    took_ms = {"start of the application": (time.perf_counter() - began) * 1000}
    for path, headers in (
        ("/readyz", {}),
        ("/v1/connections", {"Authorization": f"Bearer {API_KEY}"}),
        ("/ops", {"Authorization": f"Basic {_OPERATOR}"}),
    ):
        began = time.perf_counter()
        answer = caller.get(path, headers=headers)
        took_ms[path] = (time.perf_counter() - began) * 1000
        assert answer.status_code == 200, answer.text
    give_back()
    return took_ms
