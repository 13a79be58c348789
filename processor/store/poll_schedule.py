"""Polls that follow from a commit."""

import random
from datetime import datetime, timedelta

from handlers.state import AWAITING_FIRST_SYNC, State
from processor.clock import to_ms
from processor.store import keys
from processor.store.unit_of_work import Batch
from processor.store.writes import Staging, scores_and_members

FIRST_PAUSE_S = 15.0
"""Delay between an authorisation and the first poll of its first sync."""

JITTER = 0.15

STUCK_PENDING = timedelta(hours=1)
"""A connection that stays unauthorised for this long is polled; a Link password lasts a day."""


def jittered(pause_s: float) -> float:
    """``pause_s`` varied by up to 15 %, so that simultaneous polls drift apart."""
    return pause_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - not used for a secret


def write(pipe: Staging, cell: int, batch: Batch, now: datetime) -> None:
    """Stage polls that follow from new states, and changes that polls have found."""
    due: dict[str, datetime] = {}
    started: set[str] = set()
    for connection, state, stored in batch.connections.values():
        company_id = connection.company_id
        if company_id is None or (stored is not None and stored.state == state):
            continue
        if state in AWAITING_FIRST_SYNC:
            if stored is None or stored.state not in AWAITING_FIRST_SYNC:
                started.add(company_id)
                first_poll = now + timedelta(seconds=jittered(FIRST_PAUSE_S))
                due[company_id] = min(first_poll, due.get(company_id, first_poll))
        elif state == State.PENDING:
            due.setdefault(company_id, now + STUCK_PENDING)
    due |= dict.fromkeys(batch.looks, now)
    if due:
        scores = {company_id: to_ms(at) for company_id, at in due.items()}
        pipe.execute_command("ZADD", keys.looks(cell), "LT", *scores_and_members(scores))
    if started:
        pipe.execute_command("HDEL", keys.look_pauses(cell), *started)
    if batch.confirmed:
        pipe.execute_command("ZREM", keys.repairs(cell), *batch.confirmed)
    if batch.repairs:
        scores = dict.fromkeys(batch.repairs, to_ms(now))
        pipe.execute_command("ZADD", keys.repairs(cell), *scores_and_members(scores))
