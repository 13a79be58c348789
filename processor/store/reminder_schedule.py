"""When the reminders of a company are decided."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from redis import Redis
from redis.client import Pipeline

from processor.clock import from_ms, to_ms
from processor.store import each_cell, keys
from processor.store.decoding import text_fields, texts
from processor.store.unit_of_work import Batch
from processor.store.writes import Staging, scores_and_members

SETTLE = timedelta(hours=1)
"""How long after a change reminders are decided: no reminder is due earlier, and changes come in groups."""


def write(pipe: Staging, cell: int, batch: Batch, now: datetime) -> None:
    """Stage that the companies whose connections have new states are decided about."""
    at = to_ms(now + SETTLE)
    scores = {
        connection.company_id: at
        for connection, state, stored in batch.connections.values()
        if connection.company_id is not None and (stored is None or stored.state != state)
    }
    if scores:
        pipe.execute_command("ZADD", keys.reminders(cell), "LT", *scores_and_members(scores))


class CompanyReminders(NamedTuple):
    """The reminders of a company.

    ``decided``: type, connection, and time of what it is about. ``next_at``: when others are decided, if
    nothing changes before; ``None``: after its next change.
    """

    decided: Sequence[tuple[str, str, str]]
    next_at: datetime | None


def of_company(client: "Redis[Any]", company_id: str) -> CompanyReminders:
    """The reminders of a company, the newest first."""
    rows = text_fields(client.hgetall(keys.reminded(company_id)))
    decided = [(type_, id_, about) for name, about in rows.items() for type_, _, id_ in [name.partition(" ")]]
    at_ms = client.zscore(keys.reminders(keys.cell_of(company_id)), company_id)
    newest_first = sorted(decided, key=lambda row: row[2], reverse=True)
    return CompanyReminders(newest_first, None if at_ms is None else from_ms(at_ms))


def due(client: "Redis[Any]", now: datetime, most: int) -> Iterator[str]:
    """Up to ``most`` companies whose time has come."""
    for cell in each_cell.due(client, keys.reminders, now):
        ids = texts(client.zrangebyscore(keys.reminders(cell), "-inf", to_ms(now), start=0, num=most))
        most -= len(ids)
        yield from ids
        if not most:
            return


def put(pipe: "Pipeline[Any]", company_id: str, at: datetime | None) -> None:
    """Stage the company's next time; ``None``: after its next change."""
    name = keys.reminders(keys.cell_of(company_id))
    if at is None:
        pipe.zrem(name, company_id)
    else:
        pipe.zadd(name, {company_id: to_ms(at)})
