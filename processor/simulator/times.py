"""Codat's clock and how Codat writes times."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], float]


class Ticker:
    """A clock whose answers rise strictly, by a microsecond at least, so that no two changes share a time.

    ``clock`` gives seconds since 1970. Not safe for threads: whoever asks holds the world's lock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = datetime.fromtimestamp(0, tz=UTC)

    def now(self) -> datetime:
        """The present moment, later than every moment given before."""
        read = datetime.fromtimestamp(self._clock(), tz=UTC)
        self._last = max(read, self._last + timedelta(microseconds=1))
        return self._last


def written(moment: datetime) -> str:
    """A time as Codat writes it: UTC with seven fractional digits.

    The seventh digit is made from the sixth, so that one moment is always written alike.
    """
    tenths = moment.microsecond * 7 % 10
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}{tenths}Z"
