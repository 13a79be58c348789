"""Times: the current time, ISO 8601 in UTC with ``Z`` and six digits, and integers for Redis."""

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


@lru_cache(maxsize=1_024)  # a commit needs the times of its messages several times
def to_iso(moment: datetime) -> str:
    """Format a time as ``2026-11-22T15:00:00.123456Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def iso_or_none(moment: datetime | None) -> str | None:
    """``to_iso`` of a time that may be missing."""
    return None if moment is None else to_iso(moment)


def from_iso(text: str) -> datetime:
    """The inverse of ``to_iso``; raises ``ValueError`` for anything else."""
    return datetime.fromisoformat(text).astimezone(UTC)


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return int(moment.timestamp() * 1000)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970; exact, and below 2**53 until the year 2255."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_us(us: int) -> datetime:
    """The inverse of ``to_us``."""
    return _EPOCH + timedelta(microseconds=us)


def elapsed_ms(began: float) -> int:
    """Whole milliseconds since ``began``, a value of ``time.monotonic()``."""
    return int((time.monotonic() - began) * 1000)


def from_ms(ms: float) -> datetime:
    """The inverse of ``to_ms``."""
    return datetime.fromtimestamp(ms / 1000, UTC)
