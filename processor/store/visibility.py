"""Which companies Codat shows to our API key."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.clock import from_ms, to_ms
from processor.store import keys


def mark_shown(pipe: "Pipeline[Any] | Redis[Any]", company_ids: Iterable[str]) -> None:
    """Note that Codat showed these companies to our key."""
    if ids := tuple(company_ids):
        pipe.sadd(keys.shown(), *map(keys.shown_as, ids))
        pipe.zrem(keys.not_shown(), *ids)


def mark_not_shown(pipe: "Pipeline[Any] | Redis[Any]", company_id: str, now: datetime) -> None:
    """Note that Codat, asked with our key, said that it does not know the company."""
    pipe.zadd(keys.not_shown(), {company_id: to_ms(now)})


def mark_foreign(client: "Redis[Any]", company_id: str) -> None:
    """Note that the company is another Codat client's, whose companies our key cannot see."""
    client.sadd(keys.foreign(), keys.shown_as(company_id))


def is_foreign(client: "Redis[Any]", company_id: str) -> bool:
    """Whether the company is another Codat client's, as a message said."""
    return bool(client.sismember(keys.foreign(), keys.shown_as(company_id)))


def was_shown(client: "Redis[Any]", company_id: str) -> bool:
    """Whether Codat ever showed the company to our key."""
    return bool(client.sismember(keys.shown(), keys.shown_as(company_id)))


def not_shown(client: "Redis[Any]", limit: int = 200) -> list[tuple[str, datetime]]:
    """Companies that messages name, and that Codat says it does not know and never showed us.

    Each with when Codat said so last, the newest first, ``limit`` of them.
    """
    rows = client.zrevrange(keys.not_shown(), 0, limit - 1, withscores=True)
    found = [(name.decode(), from_ms(score)) for name, score in rows]
    return [(company_id, at) for company_id, at in found if not was_shown(client, company_id)]
