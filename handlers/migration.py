"""The move from legacy alerts to current messages: what came through which generation, and when it is safe.

A client that gets both generations gets each change twice. A message is matched where the other generation
told of the same subject, about the same connection or company, within ``MATCH_WITHIN``. Pure.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from handlers.events import Source

MATCH_WITHIN = timedelta(hours=1)
"""Longest time between the two messages about one change: Codat repeats a current message that failed after
5 seconds, 5 minutes and 30 minutes. A later one counts as missing, which errs on the safe side."""

CLEAN_DAYS = 7
"""Legacy may be switched off when for this many days current messages told everything that alerts told."""


class ChangeSubject(StrEnum):
    """What both generations tell, each in its own words."""

    CREATED = "platform chosen"
    LINKED = "access given"
    ENDED = "access ended"
    DELETED = "connection deleted"
    FIRST_SYNC = "first sync complete"
    READ = "data read"
    QUOTA_REACHED = "quota reached"
    QUOTA_RESET = "quota reset"


CURRENT_TYPES: dict[ChangeSubject, tuple[str, ...]] = {
    ChangeSubject.CREATED: ("connection.created",),
    ChangeSubject.LINKED: ("connection.connected", "connection.reconnected"),
    ChangeSubject.ENDED: ("connection.disconnected",),
    ChangeSubject.DELETED: ("connection.deleted",),
    ChangeSubject.FIRST_SYNC: ("read.completed.initial",),
    ChangeSubject.READ: ("read.completed",),
    ChangeSubject.QUOTA_REACHED: ("client.rateLimit.reached",),
    ChangeSubject.QUOTA_RESET: ("client.rateLimit.reset",),
}
"""The event types to which a consumer has to be subscribed to be told of a subject."""


@dataclass(frozen=True, slots=True)
class ChangeMessage:
    """One message: when it came, by which generation, and what it tells about which connection or company."""

    at: datetime
    generation: Source
    subject: ChangeSubject
    about: str


@dataclass(slots=True)
class SubjectDay:
    """The messages of one day (UTC) about one subject.

    ``both`` counts the legacy alerts that a current message matches. ``open`` counts those without a match
    that may still get one.
    """

    day: date
    subject: ChangeSubject
    legacy: int = 0
    current: int = 0
    both: int = 0
    legacy_only: int = 0
    current_only: int = 0
    open: int = 0


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """Days and subjects, newest day first, and the verdict.

    ``clean_since`` is since when both generations come and no alert came without a current message.
    ``safe_from`` is when legacy may be switched off if nothing goes wrong until then; ``None`` if there is
    no legacy alert. ``obstacles`` are sentences.
    """

    rows: tuple[SubjectDay, ...]
    is_safe: bool = False
    clean_since: datetime | None = None
    safe_from: datetime | None = None
    obstacles: tuple[str, ...] = ()


def compare_generations(messages: Iterable[ChangeMessage], now: datetime) -> MigrationReport:
    """Match the messages of both generations and say whether legacy may be switched off ``now``."""
    ordered = sorted(messages, key=lambda message: message.at)
    times: dict[tuple[ChangeSubject, str, Source], list[datetime]] = {}
    for message in ordered:
        times.setdefault((message.subject, message.about, message.generation), []).append(message.at)
    rows: dict[tuple[date, ChangeSubject], SubjectDay] = {}
    last_alone: dict[ChangeSubject, datetime] = {}
    for message in ordered:
        key = (message.at.date(), message.subject)
        row = rows.setdefault(key, SubjectDay(*key))
        other = Source.LEGACY if message.generation is Source.CURRENT else Source.CURRENT
        is_matched = _has_near(times.get((message.subject, message.about, other), ()), message.at)
        if message.generation is Source.CURRENT:
            row.current += 1
            row.current_only += not is_matched
        else:
            row.legacy += 1
            if is_matched:
                row.both += 1
            elif now - message.at < MATCH_WITHIN:
                row.open += 1
            else:
                row.legacy_only += 1
                last_alone[message.subject] = message.at
    sorted_rows = sorted(rows.values(), key=lambda row: row.subject)
    sorted_rows.sort(key=lambda row: row.day, reverse=True)
    return _with_verdict(sorted_rows, ordered, last_alone, now)


def _has_near(times: Sequence[datetime], at: datetime) -> bool:
    place = bisect_left(times, at - MATCH_WITHIN)
    return place < len(times) and times[place] <= at + MATCH_WITHIN


def _with_verdict(
    rows: Sequence[SubjectDay],
    messages: Sequence[ChangeMessage],
    last_alone: dict[ChangeSubject, datetime],
    now: datetime,
) -> MigrationReport:
    alerts = [message for message in messages if message.generation is Source.LEGACY]
    if not alerts:
        return MigrationReport(tuple(rows))
    obstacles = [
        f"{subject}: an alert of {at:%Y-%m-%d %H:%M} UTC came by no current message. Is the consumer"
        f" subscribed to {' and '.join(CURRENT_TYPES[subject])}?"
        for subject, at in sorted(last_alone.items())
        if now - at < timedelta(days=CLEAN_DAYS)
    ]
    first_current = min(
        (message.at for message in messages if message.generation is Source.CURRENT), default=None
    )
    if first_current is None:
        none_came = "No current message has come: register a consumer first."
        return MigrationReport(tuple(rows), obstacles=(none_came, *obstacles))
    clean_since = max([first_current, alerts[0].at, *last_alone.values()])
    safe_from = clean_since + timedelta(days=CLEAN_DAYS)
    if not obstacles and now < safe_from:
        obstacles = [f"Both generations have come for less than {CLEAN_DAYS} days."]
    return MigrationReport(
        tuple(rows),
        is_safe=now >= safe_from,
        clean_since=clean_since,
        safe_from=safe_from,
        obstacles=tuple(obstacles),
    )
