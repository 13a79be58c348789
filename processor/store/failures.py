"""Failures by the reference on the error page: the newest, for a limited time.

No personal data and no user input is kept; of a URL only its first path segment.
"""

import contextlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from processor.clock import to_ms
from processor.store import keys

RETENTION = timedelta(days=14)
MAX_FAILURES = 1_000
LONGEST_REFERENCE = 100


@dataclass(frozen=True, slots=True)
class Failure:
    """One error page. ``place`` is the first path segment, ``at`` is in UTC (ISO 8601).

    ``company_id`` is ``None`` if the failure concerns no known company.
    """

    reference: str
    at: str
    status: int
    title: str
    detail: str
    place: str
    company_id: str | None = None


def record(client: "Redis[Any]", failure: Failure, now: datetime) -> None:
    """Store a failure and remove surplus and expired ones. Raises ``redis.RedisError``."""
    times, details = keys.failure_times(), keys.failures()
    with client.pipeline(transaction=True) as pipe:
        pipe.zadd(times, {failure.reference: to_ms(now)})
        pipe.hset(details, failure.reference, json.dumps(asdict(failure)))
        pipe.zrange(times, 0, -MAX_FAILURES - 1)
        pipe.zrangebyscore(times, "-inf", to_ms(now - RETENTION))
        pipe.expire(times, RETENTION)
        pipe.expire(details, RETENTION)
        rows = pipe.execute()
    if expired := {*rows[2], *rows[3]}:
        with client.pipeline(transaction=True) as pipe:
            pipe.zrem(times, *expired)
            pipe.hdel(details, *expired)
            pipe.execute()


def find(client: "Redis[Any]", reference: str) -> Failure | None:
    """The failure with this reference; ``None`` if it is not stored. Raises ``redis.RedisError``."""
    if not reference or len(reference) > LONGEST_REFERENCE:
        return None
    row = client.hget(keys.failures(), reference)
    if row is not None:
        with contextlib.suppress(TypeError, ValueError):  # written by another version
            return Failure(**json.loads(row))
    return None
