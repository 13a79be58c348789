"""The service with 1, 2 and 4 drain processes, and with a slow link to Redis."""

import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis

from benchmarks.draining import drained
from benchmarks.measure import CpuMeter, Figure, ratio, repeated
from processor.store import each_cell, keys
from tests.support.engines import own_engine
from tests.support.fault_proxy import fault_proxy
from tests.support.service import Service, is_done, messages_of, until

WORKERS = (1, 2, 4)
LINK_DELAY_S = 0.001
"""Added to what goes to Redis and to what comes back."""


def measure(count: int, runs: int) -> list[Figure]:
    """``count`` messages that wait: how quickly so many workers handle them, and what each message costs."""
    figures = []
    for workers in WORKERS:
        values = repeated(runs, lambda workers=workers: _by_workers(workers, count))  # type: ignore[misc]
        figures += [
            Figure(f"drain: rate of {workers} worker{'s' * (workers > 1)}", "/s", values["rate"]),
            Figure(f"drain: CPU of {workers} worker{'s' * (workers > 1)}", "µs", values["cpu"]),
        ]
    values = repeated(runs, lambda: _by_link(count))
    near = Figure("drain: rate beside a TCP engine", "/s", values["near"])
    far = Figure("drain: rate with 1 ms added each way to Redis", "/s", values["far"])
    return [*figures, near, far, ratio("drain: rate with the slow link, to that without", far, near)]


def _by_workers(workers: int, count: int) -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as folder,
        Service(Path(folder), WORKERS=str(workers), LOG_LEVEL="WARNING") as service,
    ):
        bodies = messages_of(count, companies=count // 4, connections=count // 4)
        cpu, client = CpuMeter(service.working()), service.redis()
        service.bench().fill(bodies.values())
        until(lambda: _waiting(client) < count * 0.9)  # the waking is not measured
        left, began = _waiting(client), time.perf_counter()
        until(lambda: is_done(service, []))
        return {"rate": left / (time.perf_counter() - began), "cpu": cpu.used_s() / count * 1e6}


def _waiting(client: "Redis[Any]") -> int:
    """Messages that are not handled yet."""
    return sum(each_cell.replies(client, lambda pipe, cell: pipe.xlen(keys.inbox(cell))))


def _by_link(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="codat-") as folder, own_engine(Path(folder)) as url:
        near = drained(url, count)["rate"]
        port = urlsplit(url).port
        assert port is not None
        with fault_proxy(port, delay_s=LINK_DELAY_S) as line:
            return {"near": near, "far": drained(line.url, count)["rate"]}
