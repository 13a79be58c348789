"""``kill -9`` at every named point of the route, of every process, and of everything, under load."""

import itertools
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from processor.store import each_cell, keys
from tests.reliability import fault_points
from tests.reliability.outside import RATE, Client, Faults, judge, traffic
from tests.reliability.report import Bound, Chapter, times
from tests.support import messages
from tests.support.percentile import percentile
from tests.support.service import Service, until

PROCESSES = {
    "web": "processor web",
    "drain": "drain-",
    "deliver": "deliver",
    "ask": "ask",
    "poll": "poll",
    "clock": "workers clock",
    "worker": "workers worker",
}
"""Process types that are killed at any moment: their names in ``ps``, or the end of their arguments.

A worker is the process that starts its drains and the others, with all of them.
"""

LIMITS = {"drain": ("a process that drains", 2.0), "worker": ("a worker with all its roles", 5.0)}
"""Process types whose recovery is judged: what they are called, and the longest recovery in seconds.

A drain is forked by its worker; a worker is a new interpreter, which imports all modules first.
"""


@dataclass(slots=True)
class KillReport:
    """What the kills led to."""

    recoveries: dict[str, list[float]]
    """Seconds from each kill to the end of a message that was sent right after it, by kind of kill."""

    faults: Faults
    accepted: int
    repeated: int


class _Killer:
    """Kills one process after the other; ``name`` tells its messages from those of another one."""

    def __init__(self, service: Service, folder: Path, name: str) -> None:
        self._service, self._folder, self._name = service, folder, name
        self._client = Client(service)
        self._probes = itertools.count()
        self.recoveries: dict[str, list[float]] = defaultdict(list)
        """Seconds from each kill to the recovery, by kind of kill."""

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()

    def kill_each(self, *types: str) -> None:
        """Kill processes of these types: one at each of its points under load, and all at any moment."""
        for point in fault_points.POINTS:
            if point.startswith(types) and point not in fault_points.QUIET:
                trigger = fault_points.Trigger(self._folder, point)
                until(lambda: trigger.is_pulled, poll_s=0.002)  # noqa: B023 - called at once
                self._recover(point)
        for name in types:
            until(lambda: self._kill_running(name))  # noqa: B023 - the same
            self._recover(f"{name}: any moment")

    def _kill_running(self, name: str) -> list[int]:
        """Kill the processes of this type that run; none does while it is started again."""
        running = self._service.pids_of(PROCESSES[name])
        self._service.kill(*running)
        return running

    def kill_in_quiet(self) -> None:
        """Kill a drain that has nothing to do, and a web process that finds no drain at work."""
        last, first = fault_points.QUIET
        trigger = fault_points.Trigger(self._folder, last)
        until(lambda: trigger.is_pulled, poll_s=0.002)
        self._recover(last)
        trigger = fault_points.Trigger(self._folder, first)
        with self._service.redis() as redis:
            while True:
                until(
                    lambda: not any(each_cell.replies(redis, lambda pipe, cell: pipe.exists(keys.wake(cell))))
                )
                self._recover(first)
                if trigger.is_pulled:
                    return
                self.recoveries[first].pop()  # the clock had woken a drain in between: nobody was killed

    def kill_engine(self) -> None:
        """Kill the engine."""
        self._service.kill(self._service.engine())
        self._recover("engine: any moment")

    def kill_everything(self) -> None:
        """A power cut; it counts from the start afterwards."""
        self._service.kill_everything()
        self._service.start()
        self._recover("everything: a power cut")

    def _recover(self, kind: str) -> None:
        """Wait until a message that is sent now is handled."""
        began, number = time.monotonic(), next(self._probes)
        event_id = f"probe-{self._name}-{number}"
        body = messages.connected("company-probe", event_id, at=datetime.now(UTC))
        self._client.post(event_id, body)
        until(lambda: self._client.is_handled(event_id), poll_s=0.05)
        self.recoveries[kind].append(time.monotonic() - began)


def run(rounds: int, *, everything: int, rate: float = RATE) -> KillReport:
    """Every point and process type ``rounds`` times, the engine half as often, ``everything`` power cuts.

    Processes that no message needs to be handled are killed while those of the web are. The death of a
    drain, whose recovery has a limit, has nothing beside it.
    """
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as armed,
        traffic(rate, **fault_points.environ(Path(armed))) as (service, sent, subscriber),
        ThreadPoolExecutor() as beside,
    ):
        killers = [_Killer(service, Path(armed), name) for name in ("needed", "delivering", "others")]
        killer, delivering, others = killers
        for turn in range(rounds):
            done = [
                beside.submit(delivering.kill_each, "deliver"),
                beside.submit(others.kill_each, "ask", "clock", "poll"),
            ]
            killer.kill_each("web")
            for future in done:
                future.result()
            killer.kill_each("drain", "worker")
            with sent.paused():
                killer.kill_in_quiet()
            if turn % 2 == 0:
                killer.kill_engine()
            if turn < everything:
                killer.kill_everything()
        recoveries: dict[str, list[float]] = {}
        for one in killers:
            recoveries |= one.recoveries
            one.close()
        sent.stop()
        faults = judge(service, sent, subscriber)
        ordered = {kind: recoveries[kind] for kind in (*fault_points.POINTS, *recoveries)}
        return KillReport(ordered, faults, len(sent.accepted), sent.repeated)


def chapter(rounds: int) -> Chapter:
    """The campaign, for the page."""
    killed = run(rounds, everything=(rounds + 1) // 2)
    kinds = sum(map(len, killed.recoveries.values()))
    body = [
        f"{kinds} kills while {killed.accepted:,} messages were accepted, {killed.repeated:,} of them sent "
        "again after a refusal or a broken connection. Seconds from the death to the moment at which a "
        "message that was sent right after it is handled:",
        "",
        *times("killed", list(killed.recoveries.items())),
    ]
    bounds = [
        Bound(
            f"a message is handled again after the death of {what}, p99",
            percentile(
                [s for name, row in killed.recoveries.items() if name.startswith(kind) for s in row], 0.99
            ),
            limit_s,
        )
        for kind, (what, limit_s) in LIMITS.items()
    ]
    return Chapter("kills", killed.faults, body, bounds)
