"""Heartbeats of the background processes."""

from datetime import datetime
from typing import Any

from redis import Redis

from processor.clock import from_ms
from processor.store import essential_writes, keys
from processor.store.decoding import text
from processor.store.metrics import Metrics

ROLES = ("worker", "clock")
MISSED_AFTER_MS = 20_000
"""A process without a heartbeat for this long counts as dead (ms)."""

FORGOTTEN_AFTER_MS = 5 * MISSED_AFTER_MS
STAND_IN_MS = 10_000
"""Lifetime of the lease of the process that stands in for the clock, without a renewal (ms)."""


def record(
    client: "Redis[Any]", role: str, name: str, *, silent_ms: int = 0, metrics: Metrics | None = None
) -> None:
    """Record progress of the process ``name`` of this role, ``silent_ms`` ago by the clock of Redis.

    The ``metrics`` of the process are handed over with it.
    """
    seconds, micros = client.time()
    seen_ms = seconds * 1000 + micros // 1000 - silent_ms
    now = from_ms(seen_ms + silent_ms)
    with client.pipeline(transaction=False) as pipe, (metrics or Metrics()).staged(pipe, now):
        pipe.zadd(keys.alive(role), {name: seen_ms})
        pipe.zremrangebyscore(keys.alive(role), "-inf", seen_ms + silent_ms - FORGOTTEN_AFTER_MS)
        pipe.execute()


def remove(client: "Redis[Any]", role: str, name: str) -> None:
    """Remove a process that ends."""
    client.zrem(keys.alive(role), name)


def live_processes(client: "Redis[Any]") -> dict[str, list[tuple[str, datetime]]]:
    """Live processes of each role and their last heartbeats, newest first. Raises ``redis.RedisError``."""
    seconds, micros = client.time()
    since_ms = seconds * 1000 + micros // 1000 - MISSED_AFTER_MS
    with client.pipeline(transaction=False) as pipe:
        for role in ROLES:
            pipe.zrevrangebyscore(keys.alive(role), "+inf", since_ms, withscores=True)
        rows = pipe.execute()
    return {
        role: [(text(name), from_ms(at_ms)) for name, at_ms in row]
        for role, row in zip(ROLES, rows, strict=True)
    }


def hold_stand_in(client: "Redis[Any]", name: str) -> bool:
    """Take or renew the lease to stand in for the clock, also while Redis is full; false: another has it."""
    essential_writes.run(client, [("SET", keys.stand_in(), name, "NX", "PX", STAND_IN_MS)])
    return text(client.get(keys.stand_in()) or b"") == name and bool(
        client.pexpire(keys.stand_in(), STAND_IN_MS)
    )


def release_stand_in(client: "Redis[Any]") -> None:
    """Give up the lease, which this process has."""
    client.delete(keys.stand_in())
