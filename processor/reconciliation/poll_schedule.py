"""The schedule of polls: one queue for watched first syncs and for the daily sweep over all companies."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis import Redis
from redis.client import Pipeline

from handlers.connection import Connection
from handlers.events import Trigger
from handlers.state import AWAITING_FIRST_SYNC, State, situation
from processor.clock import from_ms, to_ms
from processor.store import each_cell, keys
from processor.store.poll_schedule import FIRST_PAUSE_S, STUCK_PENDING, jittered
from processor.store.scripts import register

MAX_BACKOFF_S = 300.0
BACKOFF_FACTOR = 1.6

LEASE_MS = 90_000
"""How long a leased company is left to its lease holder, in milliseconds."""

STUCK_AUTHORIZED = timedelta(minutes=15)
"""A connection that is authorised for this long without a first sync counts as stuck."""

STUCK_INTERVAL = timedelta(hours=1)
PASSWORD_LIFETIME = timedelta(hours=25)
"""Link's password lasts a day; after that a pending connection is polled like all others."""

MAX_WATCH = timedelta(days=1)
"""A first sync that does not end within this time is polled as often as a stuck connection."""

SOON = timedelta(minutes=15)

MONITOR = Trigger("asked because its first sync is watched")
STUCK = Trigger("asked because it looked stuck: the message was missed", repairs=True)
SWEEP = Trigger("found by the sweep: the message was missed", repairs=True)


@dataclass(frozen=True, slots=True)
class DuePoll:
    """A due company, leased until ``leased_until``.

    ``backoff_s`` and ``polled_at`` are ``None`` before the first such poll. ``requested`` is the trigger of a
    requested poll; ``None``: the states of the connections decide.
    """

    company_id: str
    leased_until: datetime
    backoff_s: float | None
    polled_at: datetime | None
    requested: Trigger | None


@dataclass(frozen=True, slots=True)
class PollPlan:
    """Whether and why to poll now (``trigger``), when to poll next, and the backoff to store."""

    trigger: Trigger | None
    next_at: datetime
    backoff_s: float | None


class PollQueue:
    """The queue in Redis: when each company is due, and which polls were requested, with their triggers."""

    def __init__(self, client: "Redis[Any]") -> None:
        self._client = client
        self._lease = register(client, "lease")
        self._settle = register(client, "poll_settle")

    def lease(self, now: datetime, limit: int) -> list[DuePoll]:
        """Up to ``limit`` due companies; no other caller gets them for ``LEASE_MS``."""
        reply: list[bytes] = []
        for cell in each_cell.due(self._client, keys.looks, now):
            free = limit - len(reply) // 4
            if free > 0:
                names = [
                    keys.looks(cell),
                    keys.look_pauses(cell),
                    keys.looked(cell),
                    keys.look_reasons(cell),
                ]
                reply += self._lease(keys=names, args=[to_ms(now), free, LEASE_MS, 3])
        return [
            DuePoll(
                company_id.decode(),
                from_ms(to_ms(now) + LEASE_MS),
                float(backoff_s) if backoff_s else None,
                from_ms(int(polled_ms)) if polled_ms else None,
                Trigger(*json.loads(trigger)) if trigger else None,
            )
            for company_id, backoff_s, polled_ms, trigger in zip(
                reply[::4], reply[1::4], reply[2::4], reply[3::4], strict=True
            )
        ]

    def reschedule(
        self, pipe: "Pipeline[Any]", due: DuePoll, plan: PollPlan, *, polled_at: datetime | None
    ) -> None:
        """Add to a transaction: the next poll of the company; ``polled_at`` if it was polled now."""
        company_id, cell = due.company_id, keys.cell_of(due.company_id)
        self.postpone(due, plan.next_at, pipe)
        if plan.backoff_s is None:
            pipe.hdel(keys.look_pauses(cell), company_id)
        else:
            pipe.hset(keys.look_pauses(cell), company_id, plan.backoff_s)
        if polled_at is not None:
            pipe.hset(keys.looked(cell), company_id, to_ms(polled_at))
            self.clear_request(pipe, company_id)

    def postpone(
        self, due: DuePoll, until: datetime, client: "Redis[Any] | Pipeline[Any] | None" = None
    ) -> None:
        """Poll the company at ``until``, or earlier if that was requested since the lease."""
        self._settle(
            keys=[keys.looks(keys.cell_of(due.company_id))],
            args=[due.company_id, to_ms(until), to_ms(due.leased_until)],
            client=client,
        )

    def request(self, triggers: Mapping[str, Trigger], due: datetime) -> None:
        """Request polls of these companies at ``due`` or earlier, whatever their states say.

        The first trigger stands until the poll is made: a later scan cannot turn a quiet poll into one
        that notifies.
        """
        if not triggers:
            return
        with self._client.pipeline(transaction=False) as pipe:
            for company_id, trigger in triggers.items():
                cell = keys.cell_of(company_id)
                fields = json.dumps([trigger.reason, trigger.quiet, trigger.repairs])
                pipe.hsetnx(keys.look_reasons(cell), company_id, fields)
                pipe.zadd(keys.looks(cell), {company_id: to_ms(due)}, lt=True)
            pipe.execute()

    def requests(self) -> dict[str, Trigger]:
        """The requested polls that were not made yet: triggers by company id."""
        return {
            company_id.decode(): Trigger(*json.loads(trigger))
            for cell in keys.cells()
            for company_id, trigger in self._client.hscan_iter(keys.look_reasons(cell), count=1_000)
        }

    def clear_request(self, pipe: "Pipeline[Any]", company_id: str) -> None:
        """Add to a transaction: the requested poll was made."""
        pipe.hdel(keys.look_reasons(keys.cell_of(company_id)), company_id)

    def schedule(self, company_ids: Iterable[str], now: datetime, interval: timedelta) -> None:
        """Schedule each company that is not scheduled at a random time within ``interval``."""
        with self._client.pipeline(transaction=False) as pipe:
            for company_id in company_ids:
                cell = keys.cell_of(company_id)
                due = now + interval * random.random()  # noqa: S311 - nothing secret is made from it
                pipe.zadd(keys.looks(cell), {company_id: to_ms(due)}, nx=True)
                pipe.hsetnx(keys.looked(cell), company_id, to_ms(due - interval))
            pipe.execute()

    def remove(self, company_id: str) -> None:
        """Remove everything that is stored of the company."""
        cell = keys.cell_of(company_id)
        with self._client.pipeline(transaction=True) as pipe:
            pipe.zrem(keys.looks(cell), company_id)
            for table in keys.of_companies(cell):
                pipe.hdel(table, company_id)
            pipe.execute()


def plan_poll(
    due: DuePoll, connections: Sequence[tuple[Connection, int]], now: datetime, interval: timedelta
) -> PollPlan:
    """The poll that a due company needs. Pure but for the jitter.

    ``connections`` are the company's, each with the time of its first event (ms). A poll that was planned
    for a first sync is not made if a message has reported the end of that sync meanwhile.
    """
    states = [(situation(connection), from_ms(heard_ms)) for connection, heard_ms in connections]
    authorized_at = [
        state.authorized_at or heard_at for state, heard_at in states if state.state in AWAITING_FIRST_SYNC
    ]
    unread_since = [
        state.authorized_at or heard_at
        for (state, heard_at), (connection, _) in zip(states, connections, strict=True)
        if state.state is State.AUTHORIZED
        and not connection.is_on_premise  # read when that computer is on
        and not state.first_sync_missing
    ]
    pending = [now - heard_at for state, heard_at in states if state.state is State.PENDING]
    has_stuck_pending = any(STUCK_PENDING <= age < PASSWORD_LIFETIME for age in pending)
    moments = [now + (STUCK_PENDING - age) for age in pending if age < STUCK_PENDING]
    trigger = due.requested
    backoff_s: float | None = None
    if authorized_at:
        if now - max(authorized_at) < MAX_WATCH:
            backoff_s = _next_backoff_s(due.backoff_s)
            moments.append(now + timedelta(seconds=jittered(backoff_s)))
        else:
            moments.append(now + STUCK_INTERVAL)
        is_stuck = bool(unread_since) and now - min(unread_since) >= STUCK_AUTHORIZED
        trigger = trigger or (STUCK if is_stuck else MONITOR)
    if has_stuck_pending:
        moments.append(now + STUCK_INTERVAL)
        trigger = trigger or STUCK
    # A company that only messages reported (``polled_at`` is ``None``) waits for one interval first.
    if trigger is None and due.polled_at is not None and now >= due.polled_at + interval * 0.9:
        trigger = SWEEP
    polled_at = now if trigger is not None or due.polled_at is None else due.polled_at
    moments.append(polled_at + interval * random.uniform(0.95, 1.05))  # noqa: S311 - nothing secret
    return PollPlan(trigger, min(moments), backoff_s)


def _next_backoff_s(backoff_s: float | None) -> float:
    return FIRST_PAUSE_S if backoff_s is None else min(MAX_BACKOFF_S, backoff_s * BACKOFF_FACTOR)
