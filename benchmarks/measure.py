"""Figures and the meters behind them: CPU time of processes, and what the engine counted."""

import contextlib
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from redis import Redis

from processor.runtime.embedded_engine import Engine


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: the values of all runs, and the bound it has to meet."""

    name: str
    unit: str
    values: tuple[float, ...]
    target: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.values), max(self.values)


def ratio(name: str, above: Figure, below: Figure, *, target: str = "") -> Figure:
    """``above / below``, run by run; both were measured in turn within one run."""
    values = tuple(a / b for a, b in zip(above.values, below.values, strict=True))
    return Figure(name, "times", values, target)


def repeated(runs: int, measure: Callable[[], dict[str, float]]) -> dict[str, tuple[float, ...]]:
    """The values of each key of ``measure`` over so many runs."""
    rows = [measure() for _ in range(runs)]
    return {name: tuple(row[name] for row in rows) for name in rows[0]}


@contextlib.contextmanager
def store() -> Iterator[tuple["Redis[Any]", Engine]]:
    """An empty store in an engine of its own, and a client of it."""
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as folder,
        Engine(Path(folder)) as engine,
        Redis.from_url(engine.url) as client,
    ):
        yield client, engine


class CpuMeter:
    """CPU seconds (user and system) that processes and their descendants used since the meter was made."""

    def __init__(self, pids: Iterable[int]) -> None:
        parents = [psutil.Process(pid) for pid in pids]
        self._processes = [
            *parents,
            *(child for parent in parents for child in parent.children(recursive=True)),
        ]
        self._began = self._total()

    def used_s(self) -> float:
        return self._total() - self._began

    def _total(self) -> float:
        times = [process.cpu_times() for process in self._processes]
        return float(sum(row.user + row.system for row in times))


class EngineMeter:
    """What a Redis server did since the meter was made."""

    def __init__(self, client: "Redis[Any]") -> None:
        self._client = client
        self._began = self._sample()

    def used(self) -> dict[str, float]:
        """``cpu_s``, ``commands`` (those inside scripts included) and ``reads`` (round trips, about)."""
        return {name: value - self._began[name] for name, value in self._sample().items()}

    def _sample(self) -> dict[str, float]:
        info = self._client.info("all")
        return {
            "cpu_s": float(info["used_cpu_user"]) + float(info["used_cpu_sys"]),
            "commands": float(sum(row["calls"] for name, row in info.items() if name.startswith("cmdstat_"))),
            "reads": float(info["total_reads_processed"]),
        }
