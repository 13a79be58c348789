"""Claims of due work by the clock process: each claim lets one caller enqueue a wake-up call."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from redis import Redis

from processor.clock import to_ms
from processor.store import each_cell, inbox_lanes, keys, unreadable
from processor.store.decoding import text
from processor.store.inbox import ASKED, WAKE_MS

MAX_RETRIES = 1_000
POLL_CLAIM_MS = 30_000
"""Lifetime of a claim of a poll run or a maintenance run."""


def claim_sleeping_cells(client: "Redis[Any]") -> list[int]:
    """Claim the cells with waiting messages and no drain; the caller has to wake each of them."""
    depths = inbox_lanes.depths(client)
    awake = each_cell.replies(client, lambda pipe, cell: pipe.exists(keys.wake(cell)))
    asleep = [cell for cell in keys.cells() if depths[cell] and not awake[cell]]
    return [cell for cell in asleep if _claim(client, keys.wake(cell))]


def due_retries(client: "Redis[Any]", now: datetime) -> Iterator[tuple[str, int]]:
    """Events with a due next attempt, and their cells."""
    for cell in each_cell.due(client, keys.retries, now):
        for event_id in client.zrangebyscore(
            keys.retries(cell), "-inf", to_ms(now), start=0, num=MAX_RETRIES
        ):
            yield text(event_id), cell


def claim_question_run(client: "Redis[Any]", now: datetime) -> bool:
    """Claim a run of due questions; false if none is due or a run is claimed."""
    return bool(each_cell.due(client, keys.questions, now)) and _claim(client, keys.asking())


def hold_question_run(client: "Redis[Any]") -> None:
    """Renew the claim of a run that puts questions to Codat."""
    client.set(keys.asking(), "asks", px=WAKE_MS)


def release_question_run(client: "Redis[Any]") -> None:
    """Release the claim when the run has ended."""
    client.delete(keys.asking())


def claim_delivery_run(client: "Redis[Any]") -> bool:
    """Claim a run over the lanes; false if one is claimed."""
    return _claim(client, keys.delivering())


def claim_due_delivery_run(client: "Redis[Any]") -> bool:
    """Claim a run over the lanes if notifications are not yet distributed to them."""
    with client.pipeline(transaction=False) as pipe:
        for cell in keys.cells():
            pipe.xlen(keys.fan_out(cell))
        lengths = pipe.execute(raise_on_error=False)
    is_due = any(not unreadable.is_wrong_type(length) and length for length in lengths)
    return is_due and claim_delivery_run(client)


def release_delivery_run(client: "Redis[Any]") -> None:
    """Release the claim when the run starts: later notifications need another run."""
    client.delete(keys.delivering())


def may_listen(client: "Redis[Any]", token: str) -> bool:
    """Hold the claim of all runs over the lanes for a listener; false if there is another one."""
    with client.pipeline(transaction=False) as pipe:
        pipe.set(keys.delivering(), token, nx=True, px=WAKE_MS)
        pipe.get(keys.delivering())
        *_, holder = pipe.execute()
    return holder == token.encode() and bool(client.pexpire(keys.delivering(), WAKE_MS))


def stop_listening(client: "Redis[Any]", token: str) -> None:
    """Release the claim of a listener."""
    if client.get(keys.delivering()) == token.encode():
        client.delete(keys.delivering())


def claim_poll_run(client: "Redis[Any]", now: datetime) -> bool:
    """Claim a poll run; false if no company is due or a run is claimed."""
    is_due = bool(each_cell.due(client, keys.looks, now))
    return is_due and _claim(client, keys.polling("looks"), POLL_CLAIM_MS)


def release_poll_run(client: "Redis[Any]") -> None:
    """Release the claim when the poll run has ended."""
    client.delete(keys.polling("looks"))


def claim_maintenance_run(client: "Redis[Any]") -> bool:
    """Claim a maintenance run; false if one is claimed."""
    return _claim(client, keys.polling("sweep"), POLL_CLAIM_MS)


def _claim(client: "Redis[Any]", name: str, lifetime_ms: int = WAKE_MS) -> bool:
    return bool(client.set(name, ASKED, nx=True, px=lifetime_ms))
