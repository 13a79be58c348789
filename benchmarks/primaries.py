"""One server beside a cluster of three primaries, with the same append-only settings: engine CPU."""

import contextlib
import tempfile
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.draining import drain_all, fill
from benchmarks.measure import EngineMeter, Figure, ratio, repeated
from processor.store.client import connect
from processor.store.cluster import ClusterClient
from tests.support.engines import cluster_engines, engine

PRIMARIES = 3
KEPT = ("--appendonly", "yes")
TIMEOUT_S = 60.0


def measure(count: int, runs: int) -> list[Figure]:
    """Accept and drain ``count`` messages on each, in turn: CPU of the one, and of the busiest node."""
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as folder,
        engine(Path(folder) / "one", *KEPT) as one,
        cluster_engines(Path(folder) / "three", *KEPT, primaries=PRIMARIES) as three,
        contextlib.closing(connect(one.url, timeout_s=TIMEOUT_S)) as server,
        contextlib.closing(connect(three.url, timeout_s=TIMEOUT_S)) as cluster,
    ):
        values = repeated(runs, lambda: _one_run(server, "one", count) | _one_run(cluster, "three", count))
    alone = Figure("one server: engine CPU", "µs", values["one cpu"])
    busiest = Figure("three primaries: engine CPU of the busiest", "µs", values["three cpu"])
    return [
        alone,
        busiest,
        ratio("three primaries: the busiest, to one server", busiest, alone, target="≤ 0.4"),
        Figure("one server: commands in the engine", "a message", values["one commands"]),
        Figure("three primaries: commands in the busiest", "a message", values["three commands"]),
    ]


def _one_run(client: "Redis[Any]", name: str, count: int) -> dict[str, float]:
    fill(client, count // 10)  # scripts are loaded, connections open
    client.flushall()
    nodes = client.primaries() if isinstance(client, ClusterClient) else [client]
    meters = [EngineMeter(node) for node in nodes]
    fill(client, count)
    drain_all(client)
    used = [meter.used() for meter in meters]
    return {
        f"{name} cpu": max(row["cpu_s"] for row in used) / count * 1e6,
        f"{name} commands": max(row["commands"] for row in used) / count,
    }
