"""Draining the inbox: CPU per message, beside RQ's no-op job and one job per event in other libraries."""

import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker

from benchmarks.jobs import DONE, do_nothing
from benchmarks.measure import CpuMeter, EngineMeter, Figure, ratio, repeated, store
from handlers.registry import Policy
from processor.store import keys
from tests.support.counting import RoundTrips
from tests.support.service import ROOT, messages_of, until
from tests.support.workbench import Workbench
from workers.inbox.drain import Drain

LIBRARIES = ("rq", "celery", "dramatiq", "huey", "arq", "taskiq")


def measure(count: int, runs: int) -> list[Figure]:
    """Drain ``count`` messages; an eighth of it for a job each."""
    with store() as (client, engine):
        values = repeated(runs, lambda: _one_run(client, engine.url, count))
    ours = Figure("drain: CPU", "µs", values["cpu"], "≤ 150")
    noop = Figure("drain: CPU of an RQ no-op job", "µs", values["noop"])
    others = [Figure(f"drain: CPU of one {name} job per event", "µs", values[name]) for name in LIBRARIES]
    best = min(others, key=lambda figure: figure.median)
    return [
        ours,
        Figure("drain: rate of one process", "/s", values["rate"]),
        Figure("drain: engine CPU", "µs", values["engine cpu"]),
        Figure("drain: commands in the engine", "a message", values["commands"]),
        Figure("drain: round trips", "a message", values["trips"], "≤ 0.1"),
        noop,
        ratio("drain: RQ no-op job to ours", noop, ours, target="≥ 20"),
        *others,
        ratio("drain: the best library to ours", best, ours, target="≥ 5"),
    ]


def fill(client: "Redis[Any]", count: int) -> None:
    """Put ``count`` messages of a quarter as many connections into an empty store."""
    client.flushall()
    Workbench(client).fill(messages_of(count, companies=count // 4, connections=count // 4).values())


def drain_all(client: "Redis[Any]") -> None:
    """Handle all that waits in the inboxes, cell by cell."""
    drain = Drain(client, policy=Policy(), linger_s=0.0)
    for cell in keys.cells():
        while client.xlen(keys.inbox(cell)):
            drain.run(cell, run_s=3600)


def _one_run(client: "Redis[Any]", url: str, count: int) -> dict[str, float]:
    row = drained(url, count)
    row["noop"] = _noop(client, count // 8)
    for name in LIBRARIES:
        fill(client, count // 8)
        row[name] = _library(client, url, name)
    return row


def drained(url: str, count: int) -> dict[str, float]:
    """Costs of ``count`` messages, drained in this process as by a worker, from an emptied store."""
    trips = RoundTrips()
    with trips.client(url) as client:
        fill(client, count)
        drain, handled = Drain(client, policy=Policy(), linger_s=0.0), 0
        engine, cpu, began = EngineMeter(client), time.process_time(), time.perf_counter()
        trips.reset()
        while handled < count:
            handled += drain.run(run_s=3600).handled
        took, sent, used = time.perf_counter() - began, trips.count, engine.used()
    return {
        "cpu": (time.process_time() - cpu) / count * 1e6,
        "rate": count / took,
        "engine cpu": used["cpu_s"] / count * 1e6,
        "commands": used["commands"] / count,
        "trips": sent / count,
    }


def _noop(client: "Redis[Any]", count: int) -> float:
    client.flushall()
    queue = Queue("bench", connection=client)
    for _ in range(count):
        queue.enqueue(do_nothing, result_ttl=0)
    worker = SimpleWorker([queue], connection=client)
    began = time.process_time()
    worker.work(burst=True, logging_level="ERROR")
    return (time.process_time() - began) / count * 1e6


def _library(client: "Redis[Any]", url: str, name: str) -> float:
    """CPU µs per job of the library's own worker process, without its start."""
    os.environ["REDIS_URL"] = url
    module: Any = import_module(f"benchmarks.job_libraries.{name}_app")
    command = [str(Path(sys.executable).parent / module.COMMAND[0]), *module.COMMAND[1:]]
    cells = [cell for cell in keys.cells() for _ in range(client.xlen(keys.inbox(cell)))]
    warm = len(cells) // 10
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _run(client, module, cells[:warm])
        cpu = CpuMeter([process.pid])
        _run(client, module, cells[warm:], already=warm)
        return cpu.used_s() / (len(cells) - warm) * 1e6
    finally:
        process.terminate()
        process.wait(60)


def _run(client: "Redis[Any]", module: Any, cells: list[int], *, already: int = 0) -> None:
    for cell in cells:
        module.enqueue(cell)
    until(lambda: int(client.get(DONE) or 0) >= already + len(cells))
