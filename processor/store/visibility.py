"""Companies that Codat shows to this API key."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.clock import from_ms, to_ms
from processor.store import keys
from processor.store.decoding import text


def mark_shown(pipe: "Pipeline[Any] | Redis[Any]", company_ids: Iterable[str]) -> None:
    """Record that Codat showed these companies to this key."""
    if ids := tuple(company_ids):
        pipe.sadd(keys.shown(), *map(keys.shown_as, ids))
        pipe.zrem(keys.not_shown(), *ids)


def mark_not_shown(pipe: "Pipeline[Any] | Redis[Any]", company_id: str, now: datetime) -> None:
    """Record that Codat answered with this key that it does not know the company."""
    pipe.zadd(keys.not_shown(), {company_id: to_ms(now)})


def mark_foreign(pipe: "Pipeline[Any] | Redis[Any]", company_ids: Iterable[str]) -> None:
    """Record that the companies belong to other Codat clients, which this key cannot read."""
    pipe.sadd(keys.foreign(), *map(keys.shown_as, company_ids))


def is_foreign(client: "Redis[Any]", company_id: str) -> bool:
    """Whether a message said that the company belongs to another Codat client."""
    return bool(client.sismember(keys.foreign(), keys.shown_as(company_id)))


def was_shown(client: "Redis[Any]", company_id: str) -> bool:
    """Whether Codat ever showed the company to this key."""
    return bool(client.sismember(keys.shown(), keys.shown_as(company_id)))


def not_shown(client: "Redis[Any]", limit: int = 200) -> list[tuple[str, datetime]]:
    """Companies in messages that Codat neither knows nor ever showed, with the time of its last answer.

    Newest first, up to ``limit``.
    """
    rows = client.zrevrange(keys.not_shown(), 0, limit - 1, withscores=True)
    companies = [(text(company_id), from_ms(at_ms)) for company_id, at_ms in rows]
    return [(company_id, at) for company_id, at in companies if not was_shown(client, company_id)]
