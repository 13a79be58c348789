"""When Codat is asked how a company stands: what a commit says of it."""

import random
from datetime import datetime, timedelta
from typing import Any

from redis.client import Pipeline

from handlers.state import AWAITING_FIRST_SYNC, State
from processor.clock import to_ms
from processor.store import keys
from processor.store.unit_of_work import Batch

FIRST_PAUSE_S = 15.0
"""How long after an authorisation Codat is asked for the first time how the first sync goes."""

JITTER = 0.15

STUCK_PENDING = timedelta(hours=1)
"""A connection that is not authorised for so long looks stuck; Link's password lasts a day."""


def jittered(pause_s: float) -> float:
    """``pause_s``, a little more or less, so that what began together does not stay together."""
    return pause_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - nothing secret is made from it


def write(pipe: "Pipeline[Any]", batch: Batch, now: datetime) -> None:
    """Add to a commit: the looks that follow from new states, and what looks of ours found out."""
    due: dict[str, datetime] = {}
    begun: set[str] = set()
    for connection, state, known in batch.connections.values():
        company_id = connection.company_id
        if company_id is None or (known is not None and known.state == state):
            continue
        if state in AWAITING_FIRST_SYNC:
            if known is None or known.state not in AWAITING_FIRST_SYNC:
                begun.add(company_id)
                wanted = now + timedelta(seconds=jittered(FIRST_PAUSE_S))
                due[company_id] = min(wanted, due.get(company_id, wanted))
        elif state == State.PENDING:
            due.setdefault(company_id, now + STUCK_PENDING)
    due |= dict.fromkeys(batch.looks, now)
    if due:
        moments: dict[str | bytes, float] = {company_id: to_ms(at) for company_id, at in due.items()}
        pipe.zadd(keys.looks(), moments, lt=True)
    if begun:
        pipe.hdel(keys.look_pauses(), *begun)
    if batch.confirmed:
        pipe.zrem(keys.repairs(), *batch.confirmed)
    if batch.repairs:
        pipe.zadd(keys.repairs(), dict.fromkeys(batch.repairs, to_ms(now)))
    if batch.heard:
        pipe.hset(keys.counters(), "last_message_ms", to_ms(now))
