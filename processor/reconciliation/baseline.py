"""Since when a store is in use, and whether it has ever gone through Codat's companies.

A store begins empty: new, or after Redis was lost. What was there before it was told by nobody, or by
the store that was lost: it becomes known from the first look at a company, and nobody is told again.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from handlers.connection import Connection
from handlers.facts import FactKind
from handlers.machine import Transition
from handlers.trigger import Trigger
from processor.clock import from_iso, from_ms, to_iso, utc_now
from processor.store import keys

BEFORE_US = Trigger("it was there before this service: known from the first look at Codat", quiet=True)
SINCE_US = Trigger("it happened since this service began: found by the first look at Codat")

_NO_DIFFERENCE = timedelta(seconds=5)
_ON_ITS_WAY = timedelta(minutes=1)


class Baseline:
    """Reads and writes how far a store's beginning is. ``clock`` is ours, in UTC."""

    def __init__(self, client: "Redis[Any]", *, clock: Callable[[], datetime] = utc_now) -> None:
        self._client, self._clock = client, clock

    def begins(self) -> None:
        """Note that the store is in use from now on, if it was not before."""
        self._client.hsetnx(keys.sweep(), "began", to_iso(self._clock()))

    def since(self) -> datetime:
        """Since when this store is in use: its first message, or the first start. Writes nothing."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hget(keys.sweep(), "began")
            pipe.zrange(keys.events(), 0, 0, withscores=True)
            began, first = pipe.execute()
        moments = [from_ms(int(score)) for _, score in first]
        if began:
            moments.append(from_iso(began.decode()))
        return min(moments, default=self._clock())

    def is_over(self) -> bool:
        """Whether the store has gone through all of Codat's companies once."""
        return bool(self._client.hexists(keys.sweep(), "walked"))

    def walked(self) -> None:
        """Note that the store has gone through all of Codat's companies now."""
        self.begins()
        self._client.hset(keys.sweep(), "walked", to_iso(self._clock()))

    def of(self, company_id: str, *, heard: bool = False) -> datetime | None:
        """Since when the store is in use where it has not looked at this company yet, else ``None``.

        ``heard``: where no first look at it is planned, a company that we heard of counts as looked at.
        """
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hexists(keys.sweep(), "walked")
            pipe.hget(keys.look_reasons(), company_id)
            walked, reason = pipe.execute()
        waits = reason is not None and Trigger(*json.loads(reason)).quiet
        return self.since() if waits or not (walked or heard) else None


def by_codats_clock(began: datetime, *, asked_at: datetime, now: datetime) -> datetime:
    """The moment ``began`` of our clock by Codat's, which showed ``asked_at`` when ours showed ``now``.

    A few seconds are the way of the answer, and whole seconds of its ``Date`` header.
    """
    ahead = now - asked_at
    return began if abs(ahead) <= _NO_DIFFERENCE else began - ahead


def is_since(began: datetime, connection: Connection) -> bool:
    """Whether a message told anything of the connection that happened since the store began.

    What we saw or read in Codat's history proves nothing: it may have been so for years. Where a message
    was the beginning, what it told happened a moment before.
    """
    told = (
        fact
        for fact in connection.facts
        if fact.kind is not FactKind.SEEN and not fact.requested and not fact.claimed
    )
    return any(fact.at >= began - _ON_ITS_WAY for fact in told)


def tells_old(began: datetime, connection: Connection, step: Transition, *, since: bool) -> bool:
    """Whether what a ``step`` makes known may be from before the store began.

    ``since``: the connection itself is from afterwards, or a message told of it since.
    """
    news = (told for told in step.connection.ledger if told not in connection.ledger)
    return not since or any(told.at < began for told in news)
