"""Whether a message could be kept now, and whether anybody would handle it."""

import json
from datetime import datetime
from typing import Any

from redis import BusyLoadingError, Redis, ResponseError

from processor.store import keys, truth_keys
from processor.store.probe import prove_accepting
from processor.times import from_ms

ROLES = ("worker", "clock")
LOADING = "Redis is loading its data"
MISSED_AFTER_MS = 20_000
"""A process that was not seen for so long is missed, in milliseconds; all say more often that they live."""


def alive(client: "Redis[Any]", role: str, name: str, now_ms: int) -> None:
    """Say that the process ``name`` of this role lives."""
    with client.pipeline(transaction=False) as pipe:
        pipe.zadd(keys.alive(role), {name: now_ms})
        pipe.zremrangebyscore(keys.alive(role), "-inf", now_ms - 10 * MISSED_AFTER_MS)
        pipe.execute()


def gone(client: "Redis[Any]", role: str, name: str) -> None:
    """Say that the process ends."""
    client.zrem(keys.alive(role), name)


def seen(client: "Redis[Any]") -> dict[str, list[tuple[str, datetime]]]:
    """The processes of each role and when each was last seen, the newest first.

    One that ended in order is forgotten at once, any other minutes later. Raises ``redis.RedisError``.
    """
    with client.pipeline(transaction=False) as pipe:
        for role in ROLES:
            pipe.zrevrange(keys.alive(role), 0, -1, withscores=True)
        rows = pipe.execute()
    return {
        role: [(name.decode("utf-8", "replace"), from_ms(at_ms)) for name, at_ms in row]
        for role, row in zip(ROLES, rows, strict=True)
    }


def look(client: "Redis[Any]", *, now_ms: int) -> tuple[list[str], list[str]]:
    """Reasons why a message could not be kept, and warnings about what would handle it.

    Raises ``redis.RedisError`` when Redis does not answer.
    """
    refusal: ResponseError | None = None
    try:
        prove_accepting(client)
    except BusyLoadingError:
        return [LOADING], []
    except ResponseError as error:
        refusal = error
    with client.pipeline(transaction=False) as pipe:
        for section in ("memory", "replication"):
            pipe.info(section)
        for role in ROLES:
            pipe.zcount(keys.alive(role), now_ms - MISSED_AFTER_MS, "+inf")
        pipe.hvals(truth_keys.warnings())
        *answers, troubles = pipe.execute(raise_on_error=False)
    reasons = [] if refusal is None else [_reason(refusal, answers[:2])]
    warnings = [
        f"no {role} was seen in the last {MISSED_AFTER_MS // 1000} s: messages are kept and wait"
        for role, count in zip(ROLES, answers[2:], strict=True)
        if not count
    ]
    if isinstance(troubles, list):
        warnings += [json.loads(trouble)["sentence"] for trouble in troubles]
    return reasons, warnings


def _reason(refusal: ResponseError, sections: list[Any]) -> str:
    """Why Redis refuses a write: known causes by name, others in Redis's words."""
    memory, replication = (section if isinstance(section, dict) else {} for section in sections)
    if replication.get("role", "master") != "master":
        return "Redis is a replica and cannot be written to"
    most, used = int(memory.get("maxmemory", 0)), int(memory.get("used_memory", 0))
    if most and used >= most:
        return "Redis is full"
    return f"Redis refuses a write: {refusal}"
