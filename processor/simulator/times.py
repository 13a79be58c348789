"""Codat's clock and its format of times."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], float]


class Ticker:
    """A strictly increasing clock, so that no two changes have the same time.

    ``clock`` returns seconds since 1970. Not thread-safe: the caller holds the lock of the world.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = datetime.fromtimestamp(0, tz=UTC)

    def now(self) -> datetime:
        """The current time, later than every earlier result."""
        moment = datetime.fromtimestamp(self._clock(), tz=UTC)
        self._last = max(moment, self._last + timedelta(microseconds=1))
        return self._last


def codat_time(moment: datetime) -> str:
    """Format a time as Codat does: UTC with seven fractional digits.

    The seventh digit depends on the microseconds, so that a time has one form.
    """
    tenths = moment.microsecond * 7 % 10
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}{tenths}Z"
