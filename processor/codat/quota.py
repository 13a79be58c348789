"""Codat's quota in the headers of a response. No function raises for an invalid header.

https://docs.codat.io/using-the-api/rate-limits
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from processor.codat.http_headers import LONGEST_WAIT_S, as_http_date
from processor.codat.json_values import as_instant

_EPOCH_FROM = 10**9
_MILLISECONDS_FROM = 10**11
_DIGITS = re.compile(r"[0-9]{1,15}")


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
