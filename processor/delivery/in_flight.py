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
    """The limit of one lane in one process, which moves as the congestion window of TCP (RFC 5681).

    It doubles with each round of quick successes, until an attempt fails or is slow: then it is halved, and
    grows by one with each round.
    """

    def __init__(self) -> None:
        self._value = float(AT_ONCE)
        self._slowed = False

    @property
    def value(self) -> int:
        """The number of attempts that may be under way."""
        return int(self._value)

    def note(self, *, succeeded: bool, duration_ms: int, full: bool) -> None:
        """Learn from an attempt; ``full``: as many were under way as allowed, so that more may help."""
        if not succeeded or duration_ms > SLOW_MS:
            self._value, self._slowed = max(AT_ONCE, self._value / 2), True
        elif full and duration_ms <= QUICK_MS:
            self._value = min(MOST_AT_ONCE, self._value + (1 / self.value if self._slowed else 1))


def note(
    limits: Mapping[str, InFlightLimit], completed: Iterable[CompletedAttempt], under_way: Mapping[str, int]
) -> None:
    """Learn from attempts at subscribers; ``under_way`` was the number in each lane, these included."""
    full = {lane_id for lane_id, count in under_way.items() if count >= limits[lane_id].value}
    for attempt in completed:
        lane = attempt.lease.lane
        if lane.subscriber is not None and attempt.counts:
            limits[lane.id].note(
                succeeded=attempt.verdict is AttemptVerdict.DELIVERED,
                duration_ms=attempt.record["duration_ms"],
                full=lane.id in full,
            )
