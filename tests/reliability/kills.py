"""``kill -9`` at every named point of the route, of every process, and of everything, under load."""

import itertools
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

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
}
"""Process types that are killed at any moment: their names in ``ps``, or the end of their arguments."""


@dataclass(slots=True)
class KillReport:
    """What the kills led to."""

    recoveries: dict[str, list[float]]
    """Seconds from each kill to the end of a message that was sent right after it, by kind of kill."""

    faults: Faults
    accepted: int
    repeated: int


class _Campaign:
    def __init__(self, service: Service, folder: Path) -> None:
        self._service, self._folder = service, folder
        self._client = Client(service)
        self._probes = itertools.count()

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()

    def kill_at(self, point: str) -> float:
        """Seconds from the death of the next process that comes to this point to the recovery."""
        trigger = fault_points.Trigger(self._folder, point)
        until(lambda: trigger.is_pulled, poll_s=0.002)
        return self._recovery_s()

    def kill_process(self, name: str) -> float:
        """Seconds from the death of all processes of this type to the recovery."""
        running = self._service.pids_of(PROCESSES[name])
        assert running, f"no process: {PROCESSES[name]}"
        self._service.kill(*running)
        return self._recovery_s()

    def kill_engine(self) -> float:
        """Seconds from the death of the engine to the recovery."""
        self._service.kill(self._service.engine())
        return self._recovery_s()

    def kill_everything(self) -> float:
        """Seconds from the start after a power cut to the recovery."""
        self._service.kill_everything()
        self._service.start()
        return self._recovery_s()

    def _recovery_s(self) -> float:
        """Seconds until a message that is sent now is handled."""
        began, number = time.monotonic(), next(self._probes)
        event_id = f"probe-{number}"
        body = messages.connected("company-probe", f"probe-{number}", at=datetime.now(UTC))
        self._client.post(event_id, body)
        until(lambda: self._client.is_handled(event_id), poll_s=0.05)
        return time.monotonic() - began


def run(rounds: int, *, everything: int, rate: float = RATE) -> KillReport:
    """Every point and process type ``rounds`` times, the engine half as often, ``everything`` power cuts."""
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as armed,
        traffic(rate, **fault_points.environ(Path(armed))) as (service, sent, subscriber),
    ):
        campaign = _Campaign(service, Path(armed))
        plan: list[tuple[str, Callable[[], float], int]] = [
            *((name, lambda name=name: campaign.kill_at(name), rounds) for name in fault_points.POINTS),
            *(
                (f"{name}: any moment", lambda name=name: campaign.kill_process(name), rounds)
                for name in PROCESSES
            ),
            ("engine: any moment", campaign.kill_engine, (rounds + 1) // 2),
            ("everything: a power cut", campaign.kill_everything, everything),
        ]
        recoveries: dict[str, list[float]] = {name: [] for name, _, _ in plan}
        for turn in range(max(times for _, _, times in plan)):
            for name, kill, times in plan:
                if turn < times:
                    recoveries[name].append(kill())
        campaign.close()
        sent.stop()
        faults = judge(service, sent, subscriber)
        return KillReport(recoveries, faults, len(sent.accepted), sent.repeated)


def chapter(rounds: int) -> Chapter:
    """The campaign, for the page."""
    killed = run(rounds, everything=(rounds + 1) // 2)
    kinds = sum(map(len, killed.recoveries.values()))
    workers = [s for name, row in killed.recoveries.items() if name.startswith("drain") for s in row]
    body = [
        f"{kinds} kills while {killed.accepted:,} messages were accepted, {killed.repeated:,} of them sent "
        "again after a refusal or a broken connection. Seconds from the death to the moment at which a "
        "message that was sent right after it is handled:",
        "",
        *times("killed", list(killed.recoveries.items())),
    ]
    bound = Bound(
        "a message is handled again after the death of a worker, p99", percentile(workers, 0.99), 2.0
    )
    return Chapter("kills", killed.faults, body, [bound])
