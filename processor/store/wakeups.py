"""Claims of due work by the clock process: each claim lets one caller enqueue a wake-up call."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from redis import Redis

from processor.clock import to_ms
from processor.store import each_cell, inbox_lanes, keys, message_records
from processor.store.decoding import text
from processor.store.inbox import WAKE_MS
from processor.store.message_records import INDEXED_STATUSES
from processor.store.scripts import register

MAX_RETRIES = 1_000
MAX_TRIMMED = 1_000
POLL_CLAIM_MS = 30_000
"""Lifetime of a claim of a poll run or a maintenance run."""


def claim_sleeping_cells(client: "Redis[Any]") -> list[int]:
    """Claim the cells with waiting messages and no drain; the caller has to wake each of them."""
    depths = inbox_lanes.depths(client)
    awake = each_cell.replies(client, lambda pipe, cell: pipe.exists(keys.wake(cell)))
    asleep = [cell for cell in keys.cells() if depths[cell] and not awake[cell]]
    return [cell for cell in asleep if client.set(keys.wake(cell), "asked", nx=True, px=WAKE_MS)]


def due_retries(client: "Redis[Any]", now: datetime) -> Iterator[tuple[str, int]]:
    """Events with a due next attempt, and their cells."""
    for cell in each_cell.due(client, keys.retries, now):
        for event_id in client.zrangebyscore(
            keys.retries(cell), "-inf", to_ms(now), start=0, num=MAX_RETRIES
        ):
            yield text(event_id), cell


def claim_question_run(client: "Redis[Any]", now: datetime) -> bool:
    """Claim a run of due questions; false if none is due or a run is claimed."""
    if not each_cell.due(client, keys.questions, now):
        return False
    return bool(client.set(keys.asking(), "asked", nx=True, px=WAKE_MS))


def hold_question_run(client: "Redis[Any]") -> None:
    """Renew the claim of a run that puts questions to Codat."""
    client.set(keys.asking(), "asks", px=WAKE_MS)


def release_question_run(client: "Redis[Any]") -> None:
    """Release the claim when the run has ended."""
    client.delete(keys.asking())


def claim_delivery_run(client: "Redis[Any]") -> bool:
    """Claim a run over the lanes; false if one is claimed."""
    return bool(client.set(keys.delivering(), "asked", nx=True, px=WAKE_MS))


def claim_due_delivery_run(client: "Redis[Any]") -> bool:
    """Claim a run over the lanes if notifications are not yet distributed to them."""
    return any(each_cell.replies(client, lambda pipe, cell: pipe.xlen(keys.fan_out(cell)))) and (
        claim_delivery_run(client)
    )


def release_delivery_run(client: "Redis[Any]") -> None:
    """Release the claim when the run starts: later notifications need another run."""
    client.delete(keys.delivering())


def claim_poll_run(client: "Redis[Any]", now: datetime) -> bool:
    """Claim a poll run; false if no company is due or a run is claimed."""
    if not each_cell.due(client, keys.looks, now):
        return False
    return bool(client.set(keys.polling("looks"), "asked", nx=True, px=POLL_CLAIM_MS))


def release_poll_run(client: "Redis[Any]") -> None:
    """Release the claim when the poll run has ended."""
    client.delete(keys.polling("looks"))


def claim_maintenance_run(client: "Redis[Any]") -> bool:
    """Claim a maintenance run; false if one is claimed."""
    return bool(client.set(keys.polling("sweep"), "asked", nx=True, px=POLL_CLAIM_MS))


def trim(client: "Redis[Any]", before: datetime) -> None:
    """Remove the messages that arrived before this time, except those that still wait to be handled."""
    script = register(client, "trim")
    for cell in keys.cells():
        _trim_cell(client, script, cell, f"({to_ms(before)}")


def _trim_cell(client: "Redis[Any]", script: Any, cell: int, limit: str) -> None:
    """Remove up to ``MAX_TRIMMED`` messages at a time, and go on behind those that stay."""
    first: float | str = "-inf"
    passed = 0
    """Messages that arrived at the time ``first`` and stay."""
    while rows := client.zrangebyscore(
        keys.events(cell), first, limit, start=passed, num=MAX_TRIMMED, withscores=True
    ):
        removed = _remove_expired(client, script, cell, [event_id for event_id, _ in rows])
        last = rows[-1][1]
        stay = sum(score == last and not gone for (_, score), gone in zip(rows, removed, strict=True))
        first, passed = last, stay + (passed if last == first else 0)


def _remove_expired(client: "Redis[Any]", script: Any, cell: int, ids: Sequence[bytes]) -> Sequence[int]:
    """Remove these messages of a cell unless they wait; for each whether it was removed (1 or 0)."""
    indexes = [keys.events(cell), *(keys.events_of(cell, status) for status in INDEXED_STATUSES)]
    names = [keys.cursor(cell), keys.messages(cell), keys.repeats(cell), *indexes]
    for row in client.hmget(keys.messages(cell), ids):
        record = message_records.load_anything(row or b"")
        company_id = message_records.unpack_content(record.content)[0].company_id
        names.append(keys.company_events(company_id) if company_id else keys.nothing(cell))
    waiting = [message_records.beginning(status) for status in ("pending", "failed")]
    removed: Sequence[int] = script(keys=names, args=[len(indexes), *waiting, *ids])
    return removed
