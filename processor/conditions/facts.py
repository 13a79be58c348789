"""The facts from which conditions follow, read from Redis in a few round trips."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from redis import BusyLoadingError, Redis, RedisError, ResponseError
from redis.exceptions import MovedError

from processor.clock import from_ms, to_ms
from processor.conditions import memory as memory_module
from processor.conditions import mutes
from processor.delivery.channels.registry import BUILT_IN
from processor.delivery.lane import LaneState
from processor.delivery.lane_admin import LaneAdmin
from processor.delivery.subscribers import Subscribers, names_of
from processor.settings.definitions import Settings
from processor.store import (
    clock_skew,
    codat_calls,
    codat_status,
    heartbeats,
    inbox_lanes,
    keys,
    outages,
    receipts,
)
from processor.store.acknowledgement import Acknowledgement
from processor.store.clock_skew import Skew
from processor.store.codat_calls import CodatCalls
from processor.store.connection_errors import connection_error_reason
from processor.store.decoding import text
from processor.store.inbox_lanes import LaneDepth
from processor.store.outages import Outage
from processor.store.probe import prove_accepting
from processor.store.receipts import Receipts

OPEN_STATUSES = ("failed", "dead", "quarantined")
"""Statuses of messages whose processing failed, or that were not understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """The state of Redis. ``None`` and 0 mean unknown: a server may refuse the command.

    ``error`` is set where it did not answer, ``write_error`` where it refused a write.
    """

    error: str | None = None
    loading: bool = False
    write_error: str | None = None
    role: str = "master"
    used_bytes: int = 0
    most_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts at ``now`` by our clock, ``redis_now`` by that of Redis.

    ``answers``: Redis answered. ``seen``: last heartbeat of each role, or ``None``. ``stand_in``: the
    process that stands in for the clock. ``workers``: last progress of each worker process. ``inbox``:
    waiting messages by lane. ``open_messages``: number of messages with each of ``OPEN_STATUSES``, and
    arrival of the first. ``names``: of subscribers, by id. ``since``: start of remembered conditions, by
    key. ``overdue_questions``: number of due questions to Codat, and due time of the first.
    ``unreadable``: start of each unreadable record, by ``kind id``. ``mutes``: end of each mute.
    ``connections``: used and most connections of Redis.
    """

    now: datetime
    store: StoreFacts
    redis_now: datetime
    answers: bool = False
    since: Mapping[str, datetime] = field(default_factory=dict)
    seen: Mapping[str, datetime | None] = field(default_factory=dict)
    stand_in: str | None = None
    workers: Mapping[str, datetime] = field(default_factory=dict)
    inbox: Mapping[str, LaneDepth] = field(default_factory=dict)
    open_messages: Mapping[str, tuple[int, datetime | None]] = field(default_factory=dict)
    dead_deliveries: int = 0
    uncertain_deliveries: int = 0
    lanes: Sequence[LaneState] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    codat: Mapping[str, Any] = field(default_factory=dict)
    calls: CodatCalls = field(default_factory=CodatCalls)
    skews: Sequence[Skew] = ()
    receipts: Receipts = field(default_factory=Receipts)
    overdue_questions: tuple[int, datetime | None] = (0, None)
    unreadable: Mapping[str, datetime] = field(default_factory=dict)
    mutes: Mapping[str, datetime] = field(default_factory=dict)
    connections: tuple[int, int] | None = None
    mails_without_links: bool = False
    outages: Sequence[Outage] = ()


def gather(
    client: "Redis[Any]", settings: Settings, *, now: datetime, wall: Callable[[], float] = time.time
) -> Facts:
    """The current facts. Never raises ``redis.RedisError``: an outage is one of the facts."""
    write_error: str | None = None
    try:
        write_error = _write_error(client, settings)
        return _gather(client, settings, now, wall, write_error)
    except BusyLoadingError:  # a subclass of ConnectionError
        return Facts(now=now, redis_now=now, store=StoreFacts(loading=True))
    except ResponseError as error:  # a cluster or an ACL: the first refusal says most
        return Facts(now=now, redis_now=now, store=StoreFacts(write_error=write_error or _refusal(error)))
    except RedisError as error:
        reason = connection_error_reason(error) or type(error).__name__
        return Facts(now=now, redis_now=now, store=StoreFacts(error=reason))


def _write_error(client: "Redis[Any]", settings: Settings) -> str | None:
    """Why Redis refuses writes; ``None`` where it accepts them."""
    try:
        prove_accepting(client, Acknowledgement.of(settings))
    except ResponseError as error:
        return _refusal(error)
    return None


def _refusal(error: ResponseError) -> str:
    if isinstance(error, MovedError):  # which names a slot and an address
        return (
            "it is a node of a cluster. REDIS_URL must begin with redis+cluster:// (rediss+cluster://: TLS)"
        )
    return str(error)


def _gather(
    client: "Redis[Any]",
    settings: Settings,
    now: datetime,
    wall: Callable[[], float],
    write_error: str | None,
) -> Facts:
    with client.pipeline(transaction=False) as pipe:
        pipe.info("memory")
        pipe.info("replication")
        pipe.time()
        pipe.hgetall(keys.conditions())
        pipe.hgetall(keys.codat_calls())
        pipe.hgetall(keys.receipts())
        pipe.hgetall(keys.clocks())
        pipe.hgetall(keys.unreadable())
        pipe.hgetall(keys.mutes())
        pipe.info("clients")
        pipe.get(keys.stand_in())
        for role in heartbeats.ROLES:
            pipe.zrange(keys.alive(role), 0, -1, withscores=True)
        for status in OPEN_STATUSES:
            for cell in keys.cells():
                pipe.zcard(keys.events_of(cell, status))
                pipe.zrange(keys.events_of(cell, status), 0, 0, withscores=True)
        for cell in keys.cells():
            pipe.zcount(keys.questions(cell), "-inf", to_ms(now))
            pipe.zrange(keys.questions(cell), 0, 0, withscores=True)
        for cell in keys.cells():
            pipe.zcard(keys.dead_deliveries(cell))
            pipe.zcard(keys.outbox_with(cell, "uncertain"))
        inbox_lanes.stage(pipe)
        began = wall()
        rows = iter(pipe.execute(raise_on_error=False))
        ended = wall()
    memory, replication, redis_time = (next(rows) for _ in range(3))
    remembered, calls, receipts_, skews, unreadable, muted = (_hash(next(rows)) for _ in range(6))
    clients, stand_in = next(rows), next(rows)
    redis_now = _redis_now(redis_time, now)
    processes = {role: _times(next(rows)) for role in heartbeats.ROLES}
    open_messages = {status: _count_and_first(rows) for status in OPEN_STATUSES}
    overdue_questions = _count_and_first(rows)
    dead_deliveries = uncertain_deliveries = 0
    for _ in keys.cells():
        dead_deliveries += _number(next(rows))
        uncertain_deliveries += _number(next(rows))
    lanes_in = inbox_lanes.read(rows, redis_now)
    subscribers = Subscribers(client, allow_private=True).all()
    lane_ids = [*(subscriber.id for subscriber in subscribers), *BUILT_IN]
    lanes = LaneAdmin(client, clock=lambda: now).states(lane_ids)
    return Facts(
        now=now,
        redis_now=redis_now,
        store=_store(write_error, _hash(memory), _hash(replication)),
        answers=True,
        seen={role: max(times.values(), default=None) for role, times in processes.items()},
        stand_in=text(stand_in) if isinstance(stand_in, bytes) else None,
        workers=processes["worker"],
        since=memory_module.since(remembered),
        inbox=lanes_in,
        open_messages=open_messages,
        dead_deliveries=dead_deliveries,
        uncertain_deliveries=uncertain_deliveries,
        lanes=tuple(lanes.values()),
        names=names_of(subscribers),
        calls=codat_calls.parse(calls),
        receipts=receipts.parse(receipts_),
        overdue_questions=overdue_questions,
        skews=_skews(clock_skew.parse(skews), began, ended, redis_time),
        unreadable={name.decode(): from_ms(int(at_ms)) for name, at_ms in unreadable.items()},
        mutes=mutes.parse(muted, now),
        connections=_connections(clients),
        mails_without_links=settings.smtp_url is not None and settings.public_url is None,
        codat=codat_status.read(client, redis_now),
        outages=outages.recent(client, now),
    )


def _store(write_error: str | None, memory: Mapping[str, Any], replication: Mapping[str, Any]) -> StoreFacts:
    return StoreFacts(
        write_error=write_error,
        role=str(replication.get("role", "master")),
        used_bytes=int(memory.get("used_memory", 0)),
        most_bytes=int(memory.get("maxmemory", 0)),
    )


def _redis_now(answer: Any, now: datetime) -> datetime:
    """The time by the clock of Redis, or by ours where it does not say."""
    if not isinstance(answer, tuple):
        return now
    seconds, micros = answer
    return from_ms(seconds * 1000) + timedelta(microseconds=micros)


def _hash(answer: Any) -> dict[Any, Any]:
    return answer if isinstance(answer, dict) else {}


def _skews(stored: Sequence[Skew], began: float, ended: float, redis_time: Any) -> tuple[Skew, ...]:
    """The clocks that are off; this machine's is compared with that of Redis now."""
    skews = [skew for skew in stored if (skew.host, skew.reference) != (clock_skew.HOST, clock_skew.REDIS)]
    if not isinstance(redis_time, tuple):
        return tuple(skews)
    off_s = clock_skew.off_s(began, ended, redis_time[0] + redis_time[1] / 1e6)
    if abs(off_s) >= clock_skew.WARNING_S:
        skews.append(Skew(clock_skew.HOST, clock_skew.REDIS, round(off_s)))
    return tuple(skews)


def _connections(clients: Any) -> tuple[int, int] | None:
    """Used and most connections of Redis; ``None`` where it does not say."""
    if not isinstance(clients, dict) or not {"connected_clients", "maxclients"} <= set(clients):
        return None
    return int(clients["connected_clients"]), int(clients["maxclients"])


def _number(answer: Any) -> int:
    return answer if isinstance(answer, int) else 0


def _times(answer: Any) -> dict[str, datetime]:
    """The members of a sorted set, and their scores as times."""
    members = answer if isinstance(answer, list) else []
    return {name.decode("utf-8", "replace"): from_ms(at_ms) for name, at_ms in members}


def _first_time(answer: Any) -> datetime | None:
    """The score of the first member of a sorted set as a time; ``None`` without one."""
    return from_ms(answer[0][1]) if isinstance(answer, list) and answer else None


def _count_and_first(rows: Iterator[Any]) -> tuple[int, datetime | None]:
    """The sum of the counts of all cells, and the earliest of their first times."""
    pairs = [(_number(next(rows)), _first_time(next(rows))) for _ in keys.cells()]
    return sum(count for count, _ in pairs), min((at for _, at in pairs if at is not None), default=None)
