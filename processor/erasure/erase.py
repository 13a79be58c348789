"""Erasing a company: everything that was kept of it goes, and a tombstone without personal data stays."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from redis import Redis, ResponseError, WatchError
from redis.client import Pipeline

from handlers.state import State
from processor.clock import to_iso, to_ms
from processor.delivery import serializers
from processor.delivery.lane import EMAIL, OPERATORS, TEST
from processor.erasure import company_ids
from processor.errors import NotFound, StoreUnavailable
from processor.store import keys, merchants, unreadable
from processor.store.decoding import text_fields, texts
from processor.store.records import EVENT_STATUSES

ATTEMPTS = 20
STREAM_PAGE = 1_000
CHUNK = 500
UNRECOGNISED = ("quarantined", "discarded")
"""Statuses of messages whose company may stand in their bodies alone."""


@dataclass(slots=True)
class ErasureLeftovers:
    """What is kept of a company: the ids of everything, and the words by which it would be recognised."""

    company_id: str
    row: dict[str, str] = field(default_factory=dict)
    connections: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    notifications: list[str] = field(default_factory=list)
    stream: list[bytes] = field(default_factory=list)
    questions: list[bytes] = field(default_factory=list)
    merchant_is_ours: bool = False

    @property
    def traces(self) -> tuple[str, ...]:
        """Whatever of it must not be found anywhere any more."""
        said = [self.company_id, *self.connections]
        if self.merchant_is_ours:
            said.append(self.row["merchant_id"])
        if self.row.get("contact_email"):
            said.append(self.row["contact_email"])
        return tuple(dict.fromkeys(said))

    @property
    def counts(self) -> dict[str, int]:
        """How much there is of what."""
        return {
            "companies": int(bool(self.row)),
            "connections": len(self.connections),
            "messages": len(self.events),
            "notifications": len(self.notifications),
            "stream entries": len(self.stream),
            "questions": len(self.questions),
        }


class Erasure:
    """Erases companies. Every method raises ``redis.RedisError`` when Redis does not answer.

    A company is named by its id; blanks around it, and the case of one that is a UUID, do not matter.
    """

    def __init__(self, client: "Redis[Any]", *, shards: int) -> None:
        self._client, self._shards = client, shards

    def find(self, named: str) -> str:
        """The id of a company as it is written here: one of which something is kept, or that was erased.

        Raises ``NotFound`` for any other: a tombstone of a mistyped id would certify what did not happen.
        """
        spellings = company_ids.spellings(named)
        for is_known in (self._has_records, self._was_erased):
            for one in spellings:
                if is_known(one):
                    return one
        usual = company_ids.as_codat_writes(named)
        if not usual or not any(self.kept(usual).counts.values()):
            raise NotFound("There is no company with this id here, and none was erased; nothing was changed.")
        return usual

    def erase(self, named: str, now: datetime) -> ErasureLeftovers:
        """Erase it now; what there was of it. Raises what ``find`` raises, and changes nothing then.

        All of it goes in one transaction, which no commit of a drain can cross: from then on what
        comes late is dropped.
        """
        company_id = self.find(named)
        for _ in range(ATTEMPTS):
            with self._client.pipeline(transaction=True) as pipe:
                cursor = keys.cursor(keys.shard_of(company_id, self._shards))
                pipe.watch(
                    cursor,
                    keys.company(company_id),
                    keys.company_connections(company_id),
                    keys.company_events(company_id),
                )
                kept = self.kept(company_id)
                pipe.multi()
                pipe.set(keys.erased(company_id), to_iso(now), nx=True)
                pipe.incr(cursor)
                self._remove(pipe, kept)
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return kept
        raise StoreUnavailable("The company is being changed all the time; try again.")

    def forget_on_disk(self) -> bool:
        """Have Redis write its file anew, in which old writes still stand; whether it does.

        Redis as a service may refuse that and does it in its own time.
        """
        try:
            self._client.bgrewriteaof()
        except ResponseError:
            return False
        return True

    def due(self, now: datetime, grace: timedelta) -> Iterator[str]:
        """Deleted companies whose grace is over and whose notices are all delivered or dead."""
        limit = to_ms(now - grace)
        for member in self._client.zrangebyscore(keys.erasures(), "-inf", limit):
            company_id = member.decode()
            if not self._waits(company_id):
                yield company_id

    def _waits(self, company_id: str) -> bool:
        """Whether something about the company is still to be handled or delivered."""
        statuses = self._hashes(
            [keys.event(one) for one in self._members(keys.company_events(company_id))], "status"
        )
        if any(status in (b"pending", b"failed") for status in statuses):
            return True
        notifications = self._notifications(self._members(keys.company_connections(company_id)))
        if set(notifications) & set(texts(self._client.lrange(keys.fan_out(), 0, -1))):
            return True
        with self._client.pipeline(transaction=False) as pipe:
            for one in notifications:
                pipe.hgetall(keys.deliveries(one))
            rows = pipe.execute() if notifications else []
        said = (text_fields(row) for row in rows)
        return any(serializers.status(row) == "pending" for row in said)

    def kept(self, company_id: str) -> ErasureLeftovers:
        """What is kept of the company now."""
        row = self._client.hgetall(keys.company(company_id))
        kept = ErasureLeftovers(company_id, text_fields(row))
        kept.connections = self._members(keys.company_connections(company_id))
        kept.events = self._members(keys.company_events(company_id))
        kept.events += [one for one in self._quarantined(company_id) if one not in kept.events]
        kept.notifications = self._notifications(kept.connections)
        kept.stream = list(self._on_stream(company_id))
        kept.questions = list(self._questions(company_id))
        merchant_id = kept.row.get("merchant_id")
        if merchant_id is not None:
            others = set(self._members(keys.merchant_companies(merchant_id))) - {company_id}
            kept.merchant_is_ours = not others
        return kept

    def _remove(self, pipe: "Pipeline[Any]", kept: ErasureLeftovers) -> None:
        company_id = kept.company_id
        names = [
            keys.company(company_id),
            keys.company_connections(company_id),
            keys.company_events(company_id),
            keys.connecting(company_id),
            keys.asked_again(company_id),
            keys.returns(company_id),
            keys.told_to_read(company_id),
            keys.link_mailed(company_id),
            keys.slots(company_id),
        ]
        for connection_id in kept.connections:
            names += [
                keys.connection(connection_id),
                keys.timeline(connection_id),
                keys.outbox_of(connection_id),
            ]
        names += [keys.event(one) for one in kept.events]
        for one in kept.notifications:
            names += [keys.notification(one), keys.deliveries(one)]
        for chunk in _chunks(names):
            pipe.delete(*chunk)
        if "merchant_id" in kept.row:
            merchants.remove(pipe, company_id, kept.row["merchant_id"])
        for index in (keys.companies(), keys.looks(), keys.erasures(), keys.not_shown()):
            pipe.zrem(index, company_id)
        for table in keys.of_companies():
            pipe.hdel(table, company_id)
        for marks in (keys.shown(), keys.foreign()):
            pipe.srem(marks, keys.shown_as(company_id))
        for kind, ids in (
            ("company", [company_id]),
            ("connection", kept.connections),
            ("timeline", kept.connections),
        ):
            for one in ids:
                unreadable.forget(pipe, kind, one)
        for chunk in _chunks(kept.connections):
            for index in (keys.connections(), keys.repairs(), *map(keys.connections_in, State)):
                pipe.zrem(index, *chunk)
        for chunk in _chunks(kept.events):
            for index in (keys.events(), keys.retries(), *map(keys.events_of, EVENT_STATUSES)):
                pipe.zrem(index, *chunk)
        self._remove_deliveries(pipe, kept.notifications)
        for chunk in _chunks(kept.stream):
            pipe.xdel(keys.stream(), *chunk)
        for chunk in _chunks(kept.questions):
            pipe.zrem(keys.questions(), *chunk)
            pipe.hdel(keys.question_details(), *chunk)
            pipe.hdel(keys.questions_again(), *chunk)

    def _remove_deliveries(self, pipe: "Pipeline[Any]", notifications: Sequence[str]) -> None:
        subscribers = self._members(keys.subscribers())
        lanes = [*subscribers, *(one + TEST for one in subscribers), EMAIL, OPERATORS]
        indexes = [
            keys.outbox(),
            *(keys.outbox_with(one) for one in serializers.STATUSES),
            *map(keys.lane, lanes),
        ]
        for chunk in _chunks(notifications):
            for index in indexes:
                pipe.zrem(index, *chunk)
            dead = [f"{one} {lane}" for one in chunk for lane in lanes]
            for part in _chunks(dead):
                pipe.zrem(keys.dead_deliveries(), *part)
            for one in chunk:
                pipe.lrem(keys.fan_out(), 0, one)
        mine = set(notifications)
        for lane in lanes:
            last = self._client.hget(keys.lane_state(lane), "last_attempt")
            if last is not None and json.loads(last).get("id") in mine:
                pipe.hdel(keys.lane_state(lane), "last_attempt")

    def _has_records(self, company_id: str) -> bool:
        """Whether anything here belongs to the company; messages that nobody understood do not count."""
        indexes = (keys.companies(), keys.looks(), keys.erasures(), keys.not_shown())
        with self._client.pipeline(transaction=False) as pipe:
            for index in indexes:
                pipe.zscore(index, company_id)
            pipe.exists(
                keys.company(company_id),
                keys.company_connections(company_id),
                keys.company_events(company_id),
            )
            for table in keys.of_companies():
                pipe.hexists(table, company_id)
            pipe.sismember(keys.shown(), keys.shown_as(company_id))
            answers = pipe.execute()
        scores, there = answers[: len(indexes)], answers[len(indexes) :]
        return any(score is not None for score in scores) or any(there)

    def _was_erased(self, company_id: str) -> bool:
        return bool(self._client.exists(keys.erased(company_id)))

    def _members(self, index: str) -> list[str]:
        return texts(self._client.zrange(index, 0, -1))

    def _hashes(self, names: Sequence[str], field_: str) -> list[bytes | None]:
        with self._client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hget(name, field_)
            return list(pipe.execute()) if names else []

    def _notifications(self, connections: Iterable[str]) -> list[str]:
        return [one for connection_id in connections for one in self._members(keys.outbox_of(connection_id))]

    def _quarantined(self, company_id: str) -> Iterator[str]:
        """Messages that nobody understood and that name the company.

        Looked for by what can be nothing but an id: a UUID, or what a company here is known by.
        """
        if not company_ids.is_uuid(company_id) and not self._has_records(company_id):
            return
        unrecognised = [one for status in UNRECOGNISED for one in self._members(keys.events_of(status))]
        for chunk in _chunks(unrecognised):
            bodies = self._hashes([keys.event(one) for one in chunk], "body")
            for event_id, body in zip(chunk, bodies, strict=True):
                if body is not None and company_ids.names(body, company_id):
                    yield event_id

    def _on_stream(self, company_id: str) -> Iterator[bytes]:
        wanted, place = json.dumps(company_id).encode(), "-"
        while rows := self._client.xrange(keys.stream(), min=place, count=STREAM_PAGE):
            for entry_id, fields in rows:
                body = fields.get(b"notification", b"")
                if wanted in body and json.loads(body)["data"]["company_id"] == company_id:
                    yield entry_id
            place = f"({rows[-1][0].decode()}"

    def _questions(self, company_id: str) -> Iterator[bytes]:
        names = {member for member, _ in self._client.zscan_iter(keys.questions(), count=1_000)}
        for table in (keys.question_details(), keys.questions_again()):
            names |= {name for name, _ in self._client.hscan_iter(table, count=1_000)}
        for name in names:
            if json.loads(name)[1] == company_id:
                yield name


def _chunks(rows: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), CHUNK):
        yield list(rows[start : start + CHUNK])
