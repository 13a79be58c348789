"""Times in HTTP headers. No function raises for an invalid header."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT_S = 86_400
"""Longer pauses are cut: Codat's quota resets daily at 00:00 UTC."""

_SECONDS = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")


def retry_after_s(headers: Mapping[str, str], now: datetime) -> int | None:
    """``Retry-After`` in whole seconds from ``now``; the names of ``headers`` are case-insensitive."""
    return pause_s(headers.get("Retry-After"), now)


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
