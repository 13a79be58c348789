"""What both dialects share: the heading of an event, its time, and the refusal of what cannot be read."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from handlers.events import Company, Source

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
MOST_AHEAD = timedelta(minutes=5)
"""Clocks differ by so much at most."""


class Unrecognised(Exception):
    """An authentic body that is not an object of either generation.

    ``reason`` is a constant sentence; ``fields`` names what is missing or unusable,
    by its place in the body. Neither holds anything of the body's contents. As text it is both.
    """

    def __init__(self, reason: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{reason}: {', '.join(fields)}" if fields else reason)
        self.reason = reason
        self.fields: Mapping[str, str] = dict(fields or {})


class Envelope(TypedDict):
    """What every event carries, as keywords for its class."""

    event_id: str
    event_type: str
    source: Source
    received_at: datetime
    at: datetime
    timed: bool
    company: Company | None


def envelope(
    *,
    event_id: str,
    event_type: str,
    source: Source,
    received_at: datetime,
    stated_at: datetime | None,
    company: Company | None,
) -> Envelope:
    """The heading of an event that states its time as ``stated_at`` (``None``: unsaid or unreadable).

    A time before 2000, or more than five minutes after its arrival, is a mistake and counts
    as unreadable: the time of arrival stands in and ``timed`` is false.
    """
    at, timed = received_at, False
    if stated_at is not None and stated_at >= EARLIEST and stated_at - received_at <= MOST_AHEAD:
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


def lacking(needed: Mapping[str, object | None]) -> Unrecognised:
    """The refusal of a message for those of ``needed`` (place in the body → value) that are ``None``."""
    return Unrecognised(
        "an id that this kind of message needs is missing or unusable",
        {place: "missing or not a usable id" for place, value in needed.items() if value is None},
    )
