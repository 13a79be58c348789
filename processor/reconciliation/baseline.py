"""When the store began, and whether it has scanned all of Codat's companies since.

A store begins empty, when it is new or Redis was lost. What Codat had before that was already notified
or predates this service: the first comparison of a company records it without sending notifications.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from handlers.connection import Connection
from handlers.events import Trigger
from handlers.facts import FactKind
from handlers.machine import Transition
from processor.clock import from_iso, from_ms, to_iso, utc_now
from processor.store import keys

BEFORE_START = Trigger("it was there before this service: known from the first look at Codat", quiet=True)
SINCE_START = Trigger("it happened since this service began: found by the first look at Codat")

_CLOCK_TOLERANCE = timedelta(seconds=5)
_MESSAGE_DELAY = timedelta(minutes=1)


class Baseline:
    """Reads and writes the start of the store and the completion of its first scan."""

    def __init__(self, client: "Redis[Any]", *, clock: Callable[[], datetime] = utc_now) -> None:
        self._client, self._clock = client, clock

    def mark_started(self) -> None:
        """Record that the store starts now, unless it started before."""
        self._client.hsetnx(keys.sweep(), "began", to_iso(self._clock()))

    def started_at(self) -> datetime:
        """Start of this store: its first message or the first start of the service. Writes nothing."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hget(keys.sweep(), "began")
            for cell in keys.cells():
                pipe.zrange(keys.events(cell), 0, 0, withscores=True)
            start, *first_events = pipe.execute()
        moments = [from_ms(int(score)) for first_event in first_events for _, score in first_event]
        if start:
            moments.append(from_iso(start.decode()))
        return min(moments, default=self._clock())

    def is_scanned(self) -> bool:
        """Whether all of Codat's companies were scanned once."""
        return bool(self._client.hexists(keys.sweep(), "walked"))

    def mark_scanned(self) -> None:
        """Record that all of Codat's companies have been scanned now."""
        self.mark_started()
        self._client.hset(keys.sweep(), "walked", to_iso(self._clock()))

    def start_if_uncompared(self, company_id: str, *, is_known: bool) -> datetime | None:
        """Start of this store if the company has not had its first comparison, else ``None``.

        ``is_known``: a company with a row counts as compared unless its first comparison is planned.
        """
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hexists(keys.sweep(), "walked")
            pipe.hget(keys.look_reasons(keys.cell_of(company_id)), company_id)
            scanned, reason = pipe.execute()
        is_planned = reason is not None and Trigger(*json.loads(reason)).quiet
        return self.started_at() if is_planned or not (scanned or is_known) else None


def to_codat_time(moment: datetime, *, asked_at: datetime, now: datetime) -> datetime:
    """Convert ``moment`` of our clock to Codat's, which showed ``asked_at`` when ours showed ``now``.

    A difference of a few seconds is latency and the whole seconds of the ``Date`` header: it is ignored.
    """
    offset = now - asked_at
    return moment if abs(offset) <= _CLOCK_TOLERANCE else moment - offset


def has_messages_since(start: datetime, connection: Connection) -> bool:
    """Whether a message reported something of the connection that happened after ``start``.

    Facts read from Codat's API prove nothing: they may be years old. A message whose arrival was the
    start of the store reports what happened a moment before.
    """
    reported = (
        fact
        for fact in connection.facts
        if fact.kind is not FactKind.SEEN and not fact.requested and not fact.claimed
    )
    return any(fact.at >= start - _MESSAGE_DELAY for fact in reported)


def may_predate_start(start: datetime, connection: Connection, step: Transition, *, is_recent: bool) -> bool:
    """Whether the milestones of a ``step`` may be from before the store started.

    ``is_recent``: the connection was created, or a message reported it, after the start.
    """
    new_entries = (entry for entry in step.connection.ledger if entry not in connection.ledger)
    return not is_recent or any(entry.at < start for entry in new_entries)
