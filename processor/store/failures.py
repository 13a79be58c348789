"""Failures that people were shown, by the reference on their page: the newest, for a bounded time.

No personal data and nothing that a stranger sent is kept: of an address only its first part.
"""

import contextlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from processor.clock import to_ms
from processor.store import keys

KEPT = timedelta(days=14)
MOST = 1_000
"""So many are kept, the newest."""

LONGEST_REFERENCE = 100


@dataclass(frozen=True, slots=True)
class Failure:
    """What somebody was shown. ``place`` is the first part of the address, ``at`` is in UTC (ISO 8601).

    ``company_id`` is ``None`` where the failure is about no known company.
    """

    reference: str
    at: str
    status: int
    title: str
    detail: str
    place: str
    company_id: str | None = None


def record(client: "Redis[Any]", failure: Failure, now: datetime) -> None:
    """Keep a failure, and forget what is too old or too much. Raises ``redis.RedisError``."""
    times, details = keys.failure_times(), keys.failures()
    with client.pipeline(transaction=True) as pipe:
        pipe.zadd(times, {failure.reference: to_ms(now)})
        pipe.hset(details, failure.reference, json.dumps(asdict(failure)))
        pipe.zrange(times, 0, -MOST - 1)
        pipe.zrangebyscore(times, "-inf", to_ms(now - KEPT))
        pipe.expire(times, KEPT)
        pipe.expire(details, KEPT)
        rows = pipe.execute()
    if over := {*rows[2], *rows[3]}:
        with client.pipeline(transaction=True) as pipe:
            pipe.zrem(times, *over)
            pipe.hdel(details, *over)
            pipe.execute()


def find(client: "Redis[Any]", reference: str) -> Failure | None:
    """The failure with this reference, if it is kept. Raises ``redis.RedisError``."""
    if not reference or len(reference) > LONGEST_REFERENCE:
        return None
    text = client.hget(keys.failures(), reference)
    if text is not None:
        with contextlib.suppress(TypeError, ValueError):  # written by another version
            return Failure(**json.loads(text))
    return None
