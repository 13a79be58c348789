"""Timelines: their entries as they are stored, and pages of them.

An entry is a MessagePack array, compressed with a dictionary of what entries repeat.
"""

import hashlib
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from redis import Redis

from processor.clock import to_iso
from processor.store import bodies, cursors, each_cell, keys, unreadable
from processor.store.cursors import ResultPage
from processor.store.records import TIMELINE

MOST_ENTRIES = 1_000
"""Largest number of entries of a timeline."""


class TimelineRow(msgspec.Struct, array_like=True, frozen=True):
    """An entry as stored. ``handled_at`` is given only where the message waited, or was handled again."""

    at: datetime
    known_at: datetime
    event_id: str
    event_type: str
    source: str
    before: str
    after: str
    outcome: str
    reason: str
    decisions: tuple[tuple[str, str, str, str], ...] = ()
    """The type, the verdict, the reason and the id of the notification of each."""
    handled_at: datetime | None = None


def dump(row: TimelineRow) -> bytes:
    """The stored form of an entry."""
    return bodies.pack(_encode(row), bodies.OF_TIMELINES)


def load(stored: bytes) -> dict[str, Any]:
    """An entry by its public names. A damaged one raises one of ``unreadable.FAULTS``."""
    row = _decode(bodies.unpack(stored))
    return {
        "id": entry_id(stored),
        "at": to_iso(row.at),
        "known_at": to_iso(row.known_at),
        "event_id": row.event_id,
        "event_type": row.event_type,
        "source": row.source,
        "from": row.before,
        "to": row.after,
        "outcome": row.outcome,
        "reason": row.reason,
        "decisions": [
            {"type": type_, "verdict": verdict, "reason": reason, "notification_id": id_ or None}
            for type_, verdict, reason, id_ in row.decisions
        ],
        "handled_at": to_iso(row.handled_at or row.known_at),
    }


def entry_id(stored: bytes) -> str:
    """The id of an entry: a digest of it."""
    return hashlib.blake2b(stored, digest_size=8).hexdigest()


def page(client: "Redis[Any]", connection_id: str, *, limit: int, cursor: str | None) -> ResultPage:
    """Entries of a connection's timeline, newest first."""
    end, last_id = (None, "") if cursor is None else cursors.marked_place(cursor)
    cell = each_cell.cell_with(client, lambda cell: keys.timeline(cell, connection_id))
    if cell is None:
        return ResultPage([], None)
    name = keys.timeline(cell, connection_id)
    if end is not None and last_id:
        end = _place_now(client, name, end, last_id)
    if end == 0:
        return ResultPage([], None)
    with client.pipeline(transaction=False) as pipe:
        pipe.llen(name)
        pipe.lrange(name, -limit if end is None else max(0, end - limit), -1 if end is None else end - 1)
        length, rows = pipe.execute(raise_on_error=False)
    if unreadable.is_damaged(client, TIMELINE, connection_id, rows):
        return ResultPage([], None)
    first = max(0, (length if end is None else end) - limit)
    read = (unreadable.read(client, TIMELINE, connection_id, partial(load, row)) for row in reversed(rows))
    next_cursor = f"{first}-{entry_id(rows[0])}" if first and rows else None
    return ResultPage([entry for entry in read if entry], next_cursor)


def _place_now(client: "Redis[Any]", name: str, place: int, id_: str) -> int:
    """Where the entry is that was at ``place``: dropping the oldest moves all others; 0 if it is gone."""
    row = client.lindex(name, place)
    if row is not None and entry_id(row) == id_:
        return place
    rows = client.lrange(name, 0, place)
    return next((at for at in reversed(range(len(rows))) if entry_id(rows[at]) == id_), 0)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(TimelineRow).decode
