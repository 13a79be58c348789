"""Times and Codat's quota in HTTP headers. No function raises for an invalid header.

The names of headers are case-insensitive. https://docs.codat.io/using-the-api/rate-limits
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from processor.codat.json_values import as_instant

LONGEST_WAIT_S = 86_400
"""Longer pauses are cut: Codat's quota resets daily at 00:00 UTC."""

_EPOCH_FROM = 10**9
_MILLISECONDS_FROM = 10**11
_DIGITS = re.compile(r"[0-9]{1,15}")
_SECONDS = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")


def pause_s(retry_after: str | None, now: datetime) -> int | None:
    """A value of ``Retry-After`` in whole seconds, rounded up, 0 to a day; ``None`` if it is invalid.

    It is a number of seconds or a date (RFC 9110, 10.2.3).
    """
    text = (retry_after or "").strip()
    if _SECONDS.fullmatch(text):
        return min(math.ceil(float(text)), LONGEST_WAIT_S)
    moment = as_http_date(text)
    return None if moment is None else wait_s(moment, now)


def wait_s(until: datetime, now: datetime) -> int:
    """Whole seconds from ``now`` to ``until``, rounded up, 0 to a day."""
    return max(0, min(math.ceil((until - now).total_seconds()), LONGEST_WAIT_S))


def as_http_date(text: str | None) -> datetime | None:
    """An HTTP date in UTC; ``None`` if it is invalid."""
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Quota:
    """The quota of the Codat account as of ``seen_at``; ``None`` means "not said"."""

    seen_at: datetime
    limit: int | None = None
    remaining: int | None = None
    resets_at: datetime | None = None


def quota_of(headers: Mapping[str, str], seen_at: datetime) -> Quota | None:
    """The quota in the headers of a response; ``None`` if there is none."""
    quota = Quota(
        seen_at=seen_at,
        limit=_count(headers.get("X-Rate-Limit-Limit")),
        remaining=_count(headers.get("X-Rate-Limit-Remaining")),
        resets_at=_moment(headers.get("X-Rate-Limit-Reset"), seen_at),
    )
    return None if quota == Quota(seen_at) else quota


def _count(text: str | None) -> int | None:
    digits = (text or "").strip()
    return int(digits) if _DIGITS.fullmatch(digits) else None


def _moment(text: str | None, seen_at: datetime) -> datetime | None:
    """A time as seconds or milliseconds since 1970, seconds from now, or a date in either form."""
    number = _count(text)
    if number is None:
        return as_instant(text) or as_http_date(text)
    if number < _EPOCH_FROM:
        return seen_at + timedelta(seconds=min(number, LONGEST_WAIT_S))
    seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
