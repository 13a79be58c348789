"""Named points of the route of a message at which a process can be killed."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.service import ROOT

HOOK = Path(__file__).parent / "hook"

POINTS: Mapping[str, str] = {
    "web: checked, not kept": "processor.store.inbox:Inbox.accept_many:before",
    "web: kept, not answered": "processor.store.inbox:Inbox.accept_many:after",
    "web: answered, nobody woken": "processor.store.waker:Waker.wake_drain:before",
    "drain: cells leased, nothing read": "workers.inbox.drain:Drain.batch:before",
    "drain: decided, not committed": "processor.store.cells:Cells.commit:before",
    "drain: committed, nobody woken": "processor.store.cells:Cells.commit:after",
    "drain: idle, cells not released": "processor.store.leases:CellLeases.release:before",
    "deliver: published, in no lane": "processor.delivery.fan_out:FanOut._publish:after",
    "deliver: divided among the lanes": "processor.delivery.fan_out:FanOut.run:after",
    "deliver: claimed, not sent": "workers.delivery.attempt:AttemptRunner.run:before",
    "deliver: sent, not recorded": "workers.delivery.attempt:AttemptRunner.run:after",
    "deliver: recorded": "processor.delivery.lanes:Lanes.look:after",
    "clock: before it looks": "workers.clock:Clock.tick:before",
    "clock: after it looked": "workers.clock:Clock.tick:after",
}
"""What a point means, and ``module:Class.method:before`` or ``after``. The first word is the process type."""

QUIET = ("drain: idle, cells not released", "web: answered, nobody woken")
"""Points that are reached when no message comes: a drain goes, and the next message finds none at work."""


def clock_environ(file: Path) -> dict[str, str]:
    """The settings of a service whose clock is ahead by the seconds in ``file``."""
    return {"PYTHONPATH": f"{HOOK}:{ROOT}", "FAULT_CLOCK": str(file)}


def environ(folder: Path) -> dict[str, str]:
    """The settings of a service whose points are armed in ``folder``."""
    return {
        "PYTHONPATH": f"{HOOK}:{ROOT}",
        "FAULT_POINTS": "\n".join(POINTS.values()),
        "FAULT_POINTS_DIR": str(folder),
    }


class Trigger:
    """A point that is armed: the next process that comes to it is killed."""

    def __init__(self, folder: Path, name: str) -> None:
        self._file = folder / POINTS[name]
        self._file.touch()

    @property
    def is_pulled(self) -> bool:
        """Whether a process came there, and was killed."""
        return not self._file.exists()
