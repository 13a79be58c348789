"""What the clock looks at: shards that sleep over messages, retries and questions that are due."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from redis import Redis

from processor.clock import to_ms
from processor.store import keys
from processor.store.inbox import WAKE_MS
from processor.store.records import EVENT_STATUSES

MOST_RETRIES = 1_000
LOOKING_MS = 30_000
"""How long companies count as being looked at after somebody was woken for it, in milliseconds."""


def claim_sleeping_shards(client: "Redis[Any]", shards: int) -> list[int]:
    """Shards with waiting messages and no drain; each counts as woken from now on, so wake it.

    ``shards`` is INBOX_SHARDS now; shards that were in use before it was lowered are among them.
    """
    ever = client.get(keys.shards_ever())
    if int(ever or 0) < shards:
        client.set(keys.shards_ever(), shards)
    shards = keys.shards_in_use(ever, shards)
    with client.pipeline(transaction=False) as pipe:
        for shard in range(shards):
            pipe.xlen(keys.inbox(shard))
            pipe.exists(keys.wake(shard))
        rows = pipe.execute()
    asleep = [shard for shard in range(shards) if rows[2 * shard] and not rows[2 * shard + 1]]
    return [shard for shard in asleep if client.set(keys.wake(shard), "asked", nx=True, px=WAKE_MS)]


def due_retries(client: "Redis[Any]", now: datetime) -> Iterator[tuple[str, int]]:
    """Events whose next attempt is due, with their shards."""
    for event_id in client.zrangebyscore(keys.retries(), "-inf", to_ms(now), start=0, num=MOST_RETRIES):
        name = event_id.decode()
        yield name, int(client.hget(keys.event(name), "shard") or 0)


def claim_question_run(client: "Redis[Any]", now: datetime) -> bool:
    """Whether questions are due and nobody asks; counts as asked for from now on."""
    if not client.zcount(keys.questions(), "-inf", to_ms(now)):
        return False
    return bool(client.set(keys.asking(), "asked", nx=True, px=WAKE_MS))


def hold_question_run(client: "Redis[Any]") -> None:
    """Renew the claim of a run that puts questions to Codat."""
    client.set(keys.asking(), "asks", px=WAKE_MS)


def release_question_run(client: "Redis[Any]") -> None:
    """Give the claim back when the run has ended."""
    client.delete(keys.asking())


def claim_delivery_run(client: "Redis[Any]") -> bool:
    """Whether somebody has to be woken to look at the lanes; counts as woken from now on."""
    return bool(client.set(keys.delivering(), "asked", nx=True, px=WAKE_MS))


def claim_due_delivery_run(client: "Redis[Any]") -> bool:
    """Whether notifications wait to be divided and nobody was woken for them; counts as woken from now on."""
    return bool(client.llen(keys.fan_out())) and claim_delivery_run(client)


def release_delivery_run(client: "Redis[Any]") -> None:
    """Say that the lanes are looked at now: what comes from here on needs another look."""
    client.delete(keys.delivering())


def claim_poll_run(client: "Redis[Any]", now: datetime) -> bool:
    """Whether companies are to be looked at and nobody does; counts as woken from now on."""
    if not client.zcount(keys.looks(), "-inf", to_ms(now)):
        return False
    return bool(client.set(keys.polling("looks"), "asked", nx=True, px=LOOKING_MS))


def release_poll_run(client: "Redis[Any]") -> None:
    """Say that nobody looks at companies any more."""
    client.delete(keys.polling("looks"))


def claim_maintenance_run(client: "Redis[Any]") -> bool:
    """Whether it is time to see what errands of the sweep are due; counts as seen to from now on."""
    return bool(client.set(keys.polling("sweep"), "asked", nx=True, px=LOOKING_MS))


def trim(client: "Redis[Any]", before: datetime) -> None:
    """Forget in the indexes the messages that arrived before then; they expired themselves."""
    limit = f"({to_ms(before)}"
    with client.pipeline(transaction=False) as pipe:
        pipe.zremrangebyscore(keys.events(), "-inf", limit)
        for status in EVENT_STATUSES:
            pipe.zremrangebyscore(keys.events_of(status), "-inf", limit)
        pipe.execute()
