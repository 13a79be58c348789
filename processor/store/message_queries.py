"""Reads stored messages: one, or a page of a list. A damaged one is noted and skipped."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from redis import Redis

from processor.store import cursors, each_cell, keys, message_records, unreadable
from processor.store.cursors import ALWAYS, Interval, ResultPage, between_ms
from processor.store.inbox import UNRECOGNISED
from processor.store.message_records import INDEXED_STATUSES
from processor.store.records import EVENT


def message(client: "Redis[Any]", event_id: str) -> dict[str, Any] | None:
    """One message with its body (bytes) and its cell; ``None`` if it is unknown or expired."""
    with client.pipeline(transaction=False) as pipe:
        for cell in keys.cells():
            pipe.hget(keys.messages(cell), event_id)
            pipe.hget(keys.repeats(cell), event_id)
        replies = pipe.execute()
    rows, repeats = replies[::2], replies[1::2]
    # A copy in the quarantine counts least: it goes once the message is accepted.
    cell = max(keys.cells(), key=lambda cell: (rows[cell] is not None, cell != UNRECOGNISED))
    fields = _fields(client, event_id, rows[cell], repeats[cell])
    return None if fields is None else {**fields, "cell": cell}


def page(
    client: "Redis[Any]",
    index: str,
    *,
    status: str | None,
    company_ids: Sequence[str] | None,
    limit: int,
    cursor: str | None,
    between: Interval = ALWAYS,
) -> ResultPage:
    """Messages of companies, else those that may have a status, else all; newest first.

    No index says which messages are processed: their page has others among them. ``index`` names the list.
    """
    cells: Sequence[int] = keys.cells()
    if company_ids is None and status == "pending":
        streams = [name for cell in cells for name in keys.inboxes(cell)]
        cells = [cell for cell in cells for _ in keys.inboxes(cell)]  # by number of the stream
        page = cursors.stream_page(client, index, streams, b"id", limit=limit, cursor=cursor)
    else:
        if company_ids is not None:
            cells = [keys.cell_of(company_id) for company_id in company_ids]
            parts = [keys.company_events(company_id) for company_id in company_ids]
        elif status in INDEXED_STATUSES:
            parts = [keys.events_of(cell, str(status)) for cell in cells]
        else:
            parts = [keys.events(cell) for cell in cells]
        page = cursors.merged_page(
            client, index, parts, limit=limit, cursor=cursor, between=between_ms(between)
        )
    ids = dict.fromkeys((cells[part], event_id) for event_id, part in page.items)  # one may wait twice
    rows = _rows(client, list(ids))
    events = [_fields(client, event_id, *rows[cell, event_id]) for cell, event_id in ids]
    return ResultPage([event for event in events if event], page.next_cursor)


def _rows(
    client: "Redis[Any]", ids: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], tuple[bytes | None, bytes | None]]:
    """The record of each message and the number of its repetitions, by cell and id."""
    of_cells = each_cell.grouped(ids)
    with client.pipeline(transaction=False) as pipe:
        for cell, event_ids in of_cells.items():
            pipe.hmget(keys.messages(cell), event_ids)
            pipe.hmget(keys.repeats(cell), event_ids)
        replies = iter(pipe.execute())
    return {
        (cell, event_id): row
        for cell, event_ids in of_cells.items()
        for event_id, row in zip(event_ids, zip(next(replies), next(replies), strict=True), strict=True)
    }


def _fields(
    client: "Redis[Any]", event_id: str, row: bytes | None, repeats: bytes | None
) -> dict[str, Any] | None:
    """The fields of a message; ``None`` if it is gone or cannot be read."""
    if row is None:
        return None
    return unreadable.read(client, EVENT, event_id, partial(message_records.fields, event_id, row, repeats))
