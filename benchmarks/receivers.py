"""Starts receivers (:mod:`benchmarks.receiver`) and reads what they saw."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.service import ROOT


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What a receiver saw: TCP connections, and Unix times of first arrivals by ``path webhook-id``."""

    connections: int
    times: dict[str, float]


class ReceiverProcess:
    """A receiver that runs."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self.port = int(self._output.readline())

    @property
    def url(self) -> str:
        """Where it takes notifications."""
        return f"http://127.0.0.1:{self.port}/hook"

    def arrivals(self) -> Arrivals:
        """What it saw so far."""
        self._input.write("\n")
        self._input.flush()
        answer = json.loads(self._output.readline())
        return Arrivals(answer["connections"], answer["arrivals"])


@contextmanager
def receiver(pause_s: float = 0.0) -> Iterator[ReceiverProcess]:
    """A receiver that answers after ``pause_s`` seconds; ends it afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.receiver", str(pause_s)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield ReceiverProcess(process)
    finally:
        process.communicate()
