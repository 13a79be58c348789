"""Companies that Codat shows to this API key."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.clock import from_ms, to_ms
from processor.store import each_cell, keys
from processor.store.decoding import text


def mark_shown(pipe: "Pipeline[Any] | Redis[Any]", company_ids: Iterable[str]) -> None:
    """Record that Codat showed these companies to this key."""
    for cell, ids in each_cell.by_cell(company_ids).items():
        pipe.sadd(keys.shown(cell), *map(keys.shown_as, ids))
        pipe.zrem(keys.not_shown(cell), *ids)


def mark_not_shown(pipe: "Pipeline[Any] | Redis[Any]", company_id: str, now: datetime) -> None:
    """Record that Codat answered with this key that it does not know the company."""
    pipe.zadd(keys.not_shown(keys.cell_of(company_id)), {company_id: to_ms(now)})


def foreign_marks(company_ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Commands that record that the companies belong to other Codat clients, which this key cannot read."""
    for cell, ids in each_cell.by_cell(company_ids).items():
        yield ("SADD", keys.foreign(cell), *map(keys.shown_as, ids))


def is_foreign(client: "Redis[Any]", company_id: str) -> bool:
    """Whether a message said that the company belongs to another Codat client."""
    return bool(client.sismember(keys.foreign(keys.cell_of(company_id)), keys.shown_as(company_id)))


def was_shown(client: "Redis[Any]", company_id: str) -> bool:
    """Whether Codat ever showed the company to this key."""
    return bool(client.sismember(keys.shown(keys.cell_of(company_id)), keys.shown_as(company_id)))


MOST_NOT_SHOWN = 200


def not_shown(client: "Redis[Any]") -> list[tuple[str, datetime]]:
    """Companies in messages that Codat neither knows nor ever showed, with the time of its last answer.

    Newest first, up to ``MOST_NOT_SHOWN``.
    """
    pages = each_cell.replies(
        client,
        lambda pipe, cell: pipe.zrevrange(keys.not_shown(cell), 0, MOST_NOT_SHOWN - 1, withscores=True),
    )
    rows = sorted(chain(*pages), key=lambda row: row[1], reverse=True)[:MOST_NOT_SHOWN]
    companies = [(text(company_id), from_ms(at_ms)) for company_id, at_ms in rows]
    return [(company_id, at) for company_id, at in companies if not was_shown(client, company_id)]
