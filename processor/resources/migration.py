"""The report on the move from legacy alerts to current messages, from the kept messages."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from handlers.events import LinkStatus, LinkStatusClaimed, Source
from handlers.migration import CLEAN_DAYS, MATCH_WITHIN, ChangeMessage, ChangeSubject, compare_generations
from processor.alerts.dialects import Unrecognised, recognise
from processor.alerts.legacy import canonical
from processor.clock import from_iso, iso_or_none, to_iso
from processor.store.cursors import all_items
from processor.store.queries import Reader

PAGE_SIZE = 500
MAX_ON_PAGE = 20_000
"""Messages that a page looks at, newest first: a second or two. The command line looks at all."""

_STATUS_CHANGED = frozenset(
    map(canonical, ("DataConnectionStatusChanged", "Company data connection status changed"))
)
_LEGACY: Mapping[str, ChangeSubject] = {
    canonical(spelling): subject
    for subject, spellings in {
        ChangeSubject.FIRST_SYNC: ("New company synchronized",),
        ChangeSubject.READ: (
            "Data sync completed",
            "Dataset data changed",
            "Data Sync Status Changed To Error",
            "Dataset status has changed to an error state",
        ),
        ChangeSubject.DELETED: ("Sync Connection Deleted",),
        ChangeSubject.QUOTA_REACHED: ("Rate Limit Reached", "Client rate limit reached"),
        ChangeSubject.QUOTA_RESET: ("Rate Limit Reset", "Client rate limit reset"),
    }.items()
    for spelling in spellings
}
_CURRENT: Mapping[str, ChangeSubject] = {
    "connection.created": ChangeSubject.CREATED,
    "connection.connected": ChangeSubject.LINKED,
    "connection.reconnected": ChangeSubject.LINKED,
    "connection.disconnected": ChangeSubject.ENDED,
    "connection.deleted": ChangeSubject.DELETED,
    "client.ratelimit.reached": ChangeSubject.QUOTA_REACHED,
    "client.ratelimit.reset": ChangeSubject.QUOTA_RESET,
}
_READ = re.compile(r"(?:[^.]{1,200}\.)?read\.completed(?:\.successful|\.unsuccessful)?(\.initial)?")
_BY_STATUS: Mapping[LinkStatus, ChangeSubject] = {
    LinkStatus.PENDING: ChangeSubject.CREATED,
    LinkStatus.LINKED: ChangeSubject.LINKED,
    LinkStatus.UNLINKED: ChangeSubject.ENDED,
    LinkStatus.DEAUTHORIZED: ChangeSubject.ENDED,
}
_WITHOUT_CONNECTION = (ChangeSubject.FIRST_SYNC, ChangeSubject.READ, ChangeSubject.DELETED)
"""Subjects whose alerts may name a company alone, so they are matched by company."""


def report(reader: Reader, now: datetime, *, days: int, max_messages: int | None = None) -> dict[str, Any]:
    """What came through each generation in the last ``days``, and whether legacy may be switched off."""
    since = now - timedelta(days=days)
    messages: list[ChangeMessage] = []
    looked_at, is_whole, reached = 0, True, since
    rows = all_items(partial(reader.list_events, status=None, limit=PAGE_SIZE))
    for row in rows:
        if from_iso(row["received_at"]) < since:
            break
        if looked_at == max_messages:
            is_whole = False
            break
        looked_at, reached = looked_at + 1, from_iso(row["received_at"])
        messages += _messages_of(row)
    result = compare_generations(messages, now)
    rows_ = [{**dataclasses.asdict(row), "day": row.day.isoformat()} for row in result.rows]
    return {
        "since": to_iso(since if is_whole else reached),
        "days": rows_,
        "safe": result.is_safe and is_whole,
        "clean_since": iso_or_none(result.clean_since),
        "safe_from": iso_or_none(result.safe_from),
        "obstacles": list(result.obstacles),
        "messages": looked_at,
        "complete": is_whole,
        "clean_days": CLEAN_DAYS,
        "match_within_s": int(MATCH_WITHIN.total_seconds()),
    }


def _messages_of(row: Mapping[str, Any]) -> Iterator[ChangeMessage]:
    """What a message tells, for each connection that it names."""
    source = row.get("source")
    if source not in (Source.CURRENT, Source.LEGACY):
        return
    subject = _subject(row, Source(source))
    if subject is None:
        return
    ids = row["connection_ids"]
    company_id = row.get("company_id") or "the client"
    about = ids if ids and subject not in _WITHOUT_CONNECTION else [company_id]
    subjects = [subject]
    if subject is ChangeSubject.FIRST_SYNC and source == Source.CURRENT:
        subjects.append(ChangeSubject.READ)  # it tells of its data types too
    for subject_id in about:
        for each in subjects:
            yield ChangeMessage(from_iso(row["received_at"]), Source(source), each, subject_id)


def _subject(row: Mapping[str, Any], source: Source) -> ChangeSubject | None:
    type_ = row.get("type") or ""
    if source is Source.LEGACY:
        name = canonical(type_)
        return _status_change(row) if name in _STATUS_CHANGED else _LEGACY.get(name)
    if match := _READ.fullmatch(type_.lower()):
        return ChangeSubject.FIRST_SYNC if match[1] else ChangeSubject.READ
    return _CURRENT.get(type_.lower())


def _status_change(row: Mapping[str, Any]) -> ChangeSubject | None:
    """The subject of an alert whose type does not say it: that depends on the new status in its body."""
    try:
        event = recognise(row["body"], event_id=row["event_id"], received_at=from_iso(row["received_at"]))
    except Unrecognised:
        return None
    return _BY_STATUS.get(event.new) if isinstance(event, LinkStatusClaimed) else None
