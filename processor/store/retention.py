"""Removal of kept messages: expired ones by the clock, handled ones where an operator needs room."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from redis import Redis

from processor.clock import to_ms
from processor.store import keys, message_records
from processor.store.message_records import INDEXED_STATUSES
from processor.store.scripts import register

MAX_TRIMMED = 1_000
"""Messages of one step."""

WAITING = ("pending", "failed")
"""Statuses of messages that still wait to be handled."""

OPEN = (*WAITING, "dead", "quarantined")
"""Statuses of messages that still wait to be handled, or for an operator."""


def trim(client: "Redis[Any]", before: datetime) -> None:
    """Remove the messages that arrived before this time, except those that still wait to be handled."""
    for cell in keys.cells():
        _trim_cell(client, cell, before, WAITING, None)


def forget_handled(client: "Redis[Any]", before: datetime, *, most: int) -> int:
    """Remove up to ``most`` messages that arrived before this time and are not open; their number.

    It only deletes, which a full Redis allows. A message that Codat repeats afterwards is handled again,
    which changes nothing.
    """
    count = 0
    for cell in keys.cells():
        count += _trim_cell(client, cell, before, OPEN, most - count)
        if count >= most:
            break
    return count


def _trim_cell(
    client: "Redis[Any]", cell: int, before: datetime, stay_with: Sequence[str], most: int | None
) -> int:
    """Remove ``MAX_TRIMMED`` messages at a time, and go on behind those that stay; the number removed."""
    script, limit = register(client, "trim"), f"({to_ms(before)}"
    kept = b"".join(message_records.beginning(status) for status in stay_with)
    first: float | str = "-inf"
    passed = count = 0
    """``passed``: messages that arrived at the time ``first`` and stay."""
    while most is None or count < most:
        number = MAX_TRIMMED if most is None else min(MAX_TRIMMED, most - count)
        rows = client.zrangebyscore(
            keys.events(cell), first, limit, start=passed, num=number, withscores=True
        )
        if not rows:
            break
        removed = _remove(client, script, cell, kept, [event_id for event_id, _ in rows])
        count += sum(removed)
        last = rows[-1][1]
        stay = sum(score == last and not gone for (_, score), gone in zip(rows, removed, strict=True))
        first, passed = last, stay + (passed if last == first else 0)
    return count


def _remove(client: "Redis[Any]", script: Any, cell: int, kept: bytes, ids: Sequence[bytes]) -> Sequence[int]:
    """Remove these messages of a cell but those with a ``kept`` code; for each whether it was (1 or 0)."""
    indexes = [keys.events(cell), *(keys.events_of(cell, status) for status in INDEXED_STATUSES)]
    names = [keys.cursor(cell), keys.messages(cell), keys.repeats(cell), *indexes]
    for row in client.hmget(keys.messages(cell), ids):
        record = message_records.load_anything(row or b"")
        company_id = message_records.unpack_content(record.content)[0].company_id
        names.append(keys.company_events(company_id) if company_id else keys.nothing(cell))
    removed: Sequence[int] = script(keys=names, args=[len(indexes), kept, *ids])
    return removed
