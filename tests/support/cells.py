"""Looks into the cells of a store."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from redis import Redis

from processor.clock import from_ms
from processor.store import each_cell, inbox_lanes, keys, message_queries, message_records, records


def where(client: "Redis[Any]", name: Callable[..., str], *args: str) -> str:
    """The key in the cell in which it exists; in the first cell where it exists in none."""
    return name(each_cell.cell_with(client, lambda cell: name(cell, *args)) or 0, *args)


def deliveries(client: "Redis[Any]", notification_id: str) -> str:
    """The key of the deliveries of a notification, in its cell."""
    cell = each_cell.cell_with(client, lambda cell: keys.notification(cell, notification_id))
    return keys.deliveries(cell or 0, notification_id)


def unlisted(client: "Redis[Any]", notification_id: bytes) -> Any:
    """The body of an alert or a test message; empty where there is none."""
    id_ = notification_id.decode()
    row = client.get(keys.notification(keys.UNLISTED, id_))
    return json.loads(records.notification_parts(id_, row)[0]) if row else {}


def count(client: "Redis[Any]", name: Callable[..., str], *args: str) -> int:
    """How many members a sorted set has in all cells."""
    return sum(each_cell.replies(client, lambda pipe, cell: pipe.zcard(name(cell, *args))))


def members(client: "Redis[Any]", name: Callable[..., str], *args: str) -> list[bytes]:
    """The members of a sorted set in all cells, lowest score first."""
    rows = each_cell.replies(
        client, lambda pipe, cell: pipe.zrange(name(cell, *args), 0, -1, withscores=True)
    )
    return [member for _, member in sorted((score, member) for row in rows for member, score in row)]


def score(client: "Redis[Any]", name: Callable[..., str], member: str | bytes, *args: str) -> Any:
    """The score of a member of a sorted set, in whichever cell it is; ``None`` where it is in none."""
    scores = each_cell.replies(client, lambda pipe, cell: pipe.zscore(name(cell, *args), member))
    return next((result for result in scores if result is not None), None)


def counter(client: "Redis[Any]", name: str) -> int:
    """The sum of a counter over all cells."""
    values = each_cell.replies(client, lambda pipe, cell: pipe.hget(keys.counters(cell), name))
    return sum(int(value or 0) for value in values)


def fields(client: "Redis[Any]", name: Callable[[int], str]) -> int:
    """How many fields a hash has in all cells."""
    return sum(each_cell.replies(client, lambda pipe, cell: pipe.hlen(name(cell))))


def remove(client: "Redis[Any]", name: Callable[[int], str], *removed: str) -> None:
    """Remove members of a sorted set, in whichever cell they are."""
    each_cell.replies(client, lambda pipe, cell: pipe.zrem(name(cell), *removed))


def delete(client: "Redis[Any]", *names: Callable[[int], str]) -> int:
    """Delete keys in all cells; how many there were."""
    with client.pipeline(transaction=False) as pipe:
        for cell in keys.cells():
            pipe.delete(*(name(cell) for name in names))
        return sum(pipe.execute())


def forget_messages(client: "Redis[Any]", company_id: str) -> None:
    """Remove all messages of a company's cell."""
    cell = keys.cell_of(company_id)
    client.delete(keys.messages(cell), keys.events(cell), keys.company_events(company_id))


def stored_message(client: "Redis[Any]", event_id: str) -> tuple[int, bytes | None]:
    """The cell and the record of a message; cell 0 where there is none."""
    rows = each_cell.replies(client, lambda pipe, cell: pipe.hget(keys.messages(cell), event_id))
    return next(((cell, row) for cell, row in enumerate(rows) if row is not None), (0, None))


def message(client: "Redis[Any]", event_id: str) -> dict[str, Any]:
    """A message as queries return it; empty where there is none."""
    return message_queries.message(client, event_id) or {}


def statuses(client: "Redis[Any]", event_ids: Sequence[str]) -> set[str]:
    """The statuses of these messages; an empty text stands for a message that is not there."""
    if not event_ids:
        return set()
    rows = each_cell.replies(client, lambda pipe, cell: pipe.hmget(keys.messages(cell), event_ids))
    records = [next((row for row in of_one if row is not None), None) for of_one in zip(*rows, strict=True)]
    return {message_records.load(record).status if record else "" for record in records}


def change_message(client: "Redis[Any]", event_id: str, body: bytes | None = None, **changes: Any) -> None:
    """Replace parts of a stored message: its body, parts of its head, or of its record."""
    cell, row = stored_message(client, event_id)
    assert row is not None
    record = message_records.load(row)
    head, old_body = message_records.unpack_content(record.content)
    of_head = {name: changes.pop(name) for name in list(changes) if name in head._fields}
    content = message_records.pack_content(head._replace(**of_head), old_body if body is None else body)
    record = record._replace(content=content, **changes)
    client.hset(keys.messages(cell), event_id, message_records.dump(record))


def forget_message(client: "Redis[Any]", event_id: str) -> None:
    """Remove the record of a message, and leave it in the indexes."""
    cell, _ = stored_message(client, event_id)
    client.hdel(keys.messages(cell), event_id)


def waiting(client: "Redis[Any]") -> list[int]:
    """The cells in which a message waits."""
    depths = inbox_lanes.depths(client)
    return [cell for cell in keys.cells() if depths[cell]]


def next_question(client: "Redis[Any]") -> datetime | None:
    """When the earliest question to Codat is due; ``None`` if there is none."""
    rows = each_cell.replies(
        client, lambda pipe, cell: pipe.zrange(keys.questions(cell), 0, 0, withscores=True)
    )
    return min((from_ms(at_ms) for row in rows for _, at_ms in row), default=None)


def pending(client: "Redis[Any]") -> list[bytes]:
    """The ids of the messages that wait, oldest first in each cell."""
    streams = [name for cell in keys.cells() for name in keys.inboxes(cell)]
    return [fields[b"id"] for name in streams for _, fields in client.xrange(name)]
