"""The envelope of an event, shared by both dialects, and the error for an unrecognised message."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from handlers.events import Company, Source

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
MAX_CLOCK_SKEW = timedelta(minutes=5)


class Unrecognised(Exception):
    """An authentic body that is a message of neither dialect.

    ``reason`` is a constant sentence; ``fields`` names missing or unusable fields by their path. Neither
    contains data of the body.
    """

    def __init__(self, reason: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{reason}: {', '.join(fields)}" if fields else reason)
        self.reason = reason
        self.fields: Mapping[str, str] = dict(fields or {})


class Envelope(TypedDict):
    """The fields of every event, as keyword arguments of its class."""

    event_id: str
    event_type: str
    source: Source
    received_at: datetime
    at: datetime
    timed: bool
    company: Company | None


def build_envelope(
    *,
    event_id: str,
    event_type: str,
    source: Source,
    received_at: datetime,
    stated_at: datetime | None,
    company: Company | None,
) -> Envelope:
    """The envelope of an event with the time ``stated_at`` (``None``: absent or unreadable).

    A time before 2000, or more than five minutes after the arrival, counts as unreadable: ``at`` is then the
    time of arrival, and ``timed`` is false.
    """
    at, timed = received_at, False
    if stated_at is not None and stated_at >= EARLIEST and stated_at - received_at <= MAX_CLOCK_SKEW:
        at, timed = stated_at, True
    return Envelope(
        event_id=event_id,
        event_type=event_type,
        source=source,
        received_at=received_at,
        at=at,
        timed=timed,
        company=company,
    )


def missing_ids(required: Mapping[str, object | None]) -> Unrecognised:
    """The error for the absent ones of the ``required`` ids (path in the body → value)."""
    return Unrecognised(
        "an id that this kind of message needs is missing or unusable",
        {path: "missing or not a usable id" for path, value in required.items() if value is None},
    )
