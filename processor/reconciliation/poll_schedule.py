"""When which company is looked at: one list for the watching of first syncs and for the daily sweep."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis import Redis
from redis.client import Pipeline

from handlers.connection import Connection
from handlers.state import State, situation
from handlers.trigger import Trigger
from processor.clock import from_ms, to_ms
from processor.store import keys
from processor.store.poll_schedule import FIRST_PAUSE_S, STUCK_PENDING, WATCHED, jittered
from processor.store.scripts import register

LONGEST_PAUSE_S = 300.0
GROWTH = 1.6

LEASE_MS = 90_000
"""How long a company that was taken is nobody else's, in milliseconds."""

STUCK_AUTHORIZED = timedelta(minutes=15)
"""An authorisation without a sync for so long looks stuck."""

STUCK_EVERY = timedelta(hours=1)
PASSWORD_LASTS = timedelta(hours=25)
"""Link's password lasts a day: after that a pending connection is looked at like all others."""

WATCHED_AT_MOST = timedelta(days=1)
"""A first sync that does not end within a day is looked at as often as what is stuck."""

SOON = timedelta(minutes=15)

MONITOR = Trigger("asked because its first sync is watched")
STUCK = Trigger("asked because it looked stuck: the message was missed", repairs=True)
SWEEP = Trigger("found by the sweep: the message was missed", repairs=True)


@dataclass(frozen=True, slots=True)
class DuePoll:
    """A company whose look is due, taken until ``until``.

    ``wanted`` is why it is looked at in any case, ``None``: as its state says.
    """

    company_id: str
    until: datetime
    pause_s: float | None
    looked_at: datetime | None
    wanted: Trigger | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Whether to ask now and why, when to look again, and the pause that then counts as made."""

    asked: Trigger | None
    again_at: datetime
    pause_s: float | None


class PollQueue:
    """The list in Redis; times in UTC by our clock."""

    def __init__(self, client: "Redis[Any]") -> None:
        self._client = client
        self._lease = register(client, "look_lease")
        self._settle = register(client, "look_settle")

    def take(self, now: datetime, most: int) -> list[DuePoll]:
        """Companies that are due; nobody else gets them for ``LEASE_MS``."""
        rows = self._lease(
            keys=[
                keys.looks(),
                keys.look_pauses(),
                keys.looked(),
                keys.look_reasons(),
            ],
            args=[to_ms(now), most, LEASE_MS],
        )
        taken = []
        for company_id, pause_s, looked_ms, reason in zip(
            rows[::4], rows[1::4], rows[2::4], rows[3::4], strict=True
        ):
            taken.append(
                DuePoll(
                    company_id.decode(),
                    from_ms(to_ms(now) + LEASE_MS),
                    float(pause_s) if pause_s else None,
                    from_ms(int(looked_ms)) if looked_ms else None,
                    Trigger(*json.loads(reason)) if reason else None,
                )
            )
        return taken

    def settle(self, pipe: "Pipeline[Any]", due: DuePoll, plan: Plan, *, looked_at: datetime | None) -> None:
        """Add to a transaction: when the company is looked at next; ``looked_at`` where it was now."""
        company_id = due.company_id
        self.postpone(due, plan.again_at, pipe)
        if plan.pause_s is None:
            pipe.hdel(keys.look_pauses(), company_id)
        else:
            pipe.hset(keys.look_pauses(), company_id, plan.pause_s)
        if looked_at is not None:
            pipe.hset(keys.looked(), company_id, to_ms(looked_at))
            pipe.hdel(keys.look_reasons(), company_id)

    def postpone(
        self, due: DuePoll, until: datetime, client: "Redis[Any] | Pipeline[Any] | None" = None
    ) -> None:
        """Look at the company then, or earlier where that was asked for meanwhile."""
        self._settle(
            keys=[keys.looks()],
            args=[due.company_id, to_ms(until), to_ms(due.until)],
            client=client,
        )

    def want(self, wanted: Mapping[str, Trigger], due: datetime) -> None:
        """Look at these companies then or earlier, whatever their state says.

        The first reason stands until the look is made: what was to be known quietly is not told because
        a later walk came first.
        """
        if not wanted:
            return
        with self._client.pipeline(transaction=True) as pipe:
            for company_id, asked in wanted.items():
                reason = json.dumps([asked.because, asked.quiet, asked.repairs])
                pipe.hsetnx(keys.look_reasons(), company_id, reason)
                pipe.zadd(keys.looks(), {company_id: to_ms(due)}, lt=True)
            pipe.execute()

    def wanted(self) -> dict[str, Trigger]:
        """Companies that wait for a look whatever their state says, and why."""
        rows = self._client.hscan_iter(keys.look_reasons(), count=1_000)
        return {name.decode(): Trigger(*json.loads(reason)) for name, reason in rows}

    def looked(self, pipe: "Pipeline[Any]", company_id: str) -> None:
        """Add to a transaction: the look that was wanted is made."""
        pipe.hdel(keys.look_reasons(), company_id)

    def spread(self, company_ids: Iterable[str], now: datetime, every: timedelta) -> None:
        """Have each company looked at some time within ``every``, unless it has its time already."""
        with self._client.pipeline(transaction=True) as pipe:
            for company_id in company_ids:
                due = now + every * random.random()  # noqa: S311 - nothing secret is made from it
                pipe.zadd(keys.looks(), {company_id: to_ms(due)}, nx=True)
                pipe.hsetnx(keys.looked(), company_id, to_ms(due - every))
            pipe.execute()

    def forget(self, pipe: "Pipeline[Any]", company_id: str) -> None:
        """Add to a transaction: nothing is left of the company."""
        pipe.zrem(keys.looks(), company_id)
        for name in keys.of_companies():
            pipe.hdel(name, company_id)

    def are_due(self, now: datetime) -> bool:
        """Whether any company is due."""
        return bool(self._client.zcount(keys.looks(), "-inf", to_ms(now)))


def plan(
    due: DuePoll, connections: Sequence[tuple[Connection, int]], now: datetime, every: timedelta
) -> Plan:
    """What a due company needs. Pure but for the jitter.

    ``connections`` are what we know of it, with when we first heard of each (ms). A look that was
    planned while a first sync was awaited is not made when the message came meanwhile.
    """
    stands = [(situation(connection), from_ms(heard)) for connection, heard in connections]
    watched = [
        (now_.state, now_.authorized_at or heard) for now_, heard in stands if now_.state.value in WATCHED
    ]
    pending = [heard for now_, heard in stands if now_.state is State.PENDING]
    # What came here by a message alone was told by it how it stands.
    daily = due.looked_at is not None and now >= due.looked_at + every * 0.9
    wants: list[datetime] = []
    asked = due.wanted
    pause_s: float | None = None
    if watched:
        since = max(when for _, when in watched)
        if now - since < WATCHED_AT_MOST:
            pause_s = FIRST_PAUSE_S if due.pause_s is None else min(LONGEST_PAUSE_S, due.pause_s * GROWTH)
            wants.append(now + timedelta(seconds=jittered(pause_s)))
        else:
            wants.append(now + STUCK_EVERY)
        unread = [
            now_.authorized_at or heard
            for (now_, heard), (connection, _) in zip(stands, connections, strict=True)
            if now_.state is State.AUTHORIZED
            and not connection.is_on_premise  # read when that computer is on
            and not now_.first_sync_missing
        ]
        asked = asked or (STUCK if unread and now - min(unread) >= STUCK_AUTHORIZED else MONITOR)
    if pending:
        ages = [now - heard for heard in pending]
        young = [age for age in ages if age < STUCK_PENDING]
        stuck = [age for age in ages if STUCK_PENDING <= age < PASSWORD_LASTS]
        wants += [now + (STUCK_PENDING - age) for age in young]
        if stuck:
            wants.append(now + STUCK_EVERY)
            asked = asked or STUCK
    if asked is None and daily:
        asked = SWEEP
    looked_at = now if asked is not None or due.looked_at is None else due.looked_at
    wants.append(looked_at + every * random.uniform(0.95, 1.05))  # noqa: S311 - nothing secret
    return Plan(asked, min(wants), pause_s)
