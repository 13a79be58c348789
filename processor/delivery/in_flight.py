"""How many attempts may be under way at one receiver: more while it is quick, fewer when it slows. No I/O."""

from collections.abc import Iterable, Mapping

from processor.delivery.lane import AttemptVerdict, CompletedAttempt
from processor.delivery.retry_schedule import AT_ONCE

MOST_AT_ONCE = 64
QUICK_MS = 500
"""A receiver that answers within this time can be given more."""

SLOW_MS = 2_000
"""A receiver that takes longer, or fails, is given less."""


class InFlightLimit:
    """The limit of one lane in one process: up by one for a quick success, down to half for a slow one."""

    def __init__(self) -> None:
        self.value = AT_ONCE

    def note(self, *, succeeded: bool, duration_ms: int, full: bool) -> None:
        """Learn from an attempt; ``full``: as many were under way as allowed, so that more may help."""
        if not succeeded or duration_ms > SLOW_MS:
            self.value = max(AT_ONCE, self.value // 2)
        elif full and duration_ms <= QUICK_MS:
            self.value = min(MOST_AT_ONCE, self.value + 1)


def note(
    limits: Mapping[str, InFlightLimit], completed: Iterable[CompletedAttempt], under_way: Mapping[str, int]
) -> None:
    """Learn from attempts at subscribers; ``under_way`` was the number in each lane, these included."""
    for attempt in completed:
        lane = attempt.lease.lane
        if lane.subscriber is not None and attempt.counts:
            limit = limits[lane.id]
            limit.note(
                succeeded=attempt.verdict is AttemptVerdict.DELIVERED,
                duration_ms=attempt.record["duration_ms"],
                full=under_way[lane.id] >= limit.value,
            )
