"""Draining a shard: messages in, decisions by the pure machine, one commit per batch."""

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from redis import Redis
from redis.client import Pipeline

from handlers.connection import Connection
from handlers.effects import Ask, Effect, Tell
from handlers.events import Event, OtherHappened, QuestionUnanswered, Source
from handlers.explain import Entry
from handlers.facts import Fact, Kind
from handlers.machine import advance, advise
from handlers.registry import Context, Policy
from processor import times
from processor.alerts.dialects import recognise
from processor.codat import findings
from processor.queues import HANDLING_RETRIES
from processor.store import comparing
from processor.store.batch import Batch, CompanyNews, Known, Unreadable, Waiting, company_news
from processor.store.keys import shard_of
from processor.store.shards import Disturbed, Overtaken, Shard

_log = logging.getLogger(__name__)

BATCH = 500
LINGER_MS = 100
RUN_S = 5.0
"""A drain hands over after so long in any case, in seconds."""

SHARE_S = 0.25
"""A drain hands over after so long when other shards wait for a worker, in seconds."""

MOST_TRACE = 4_000


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain did: how many messages it handled, and whether more still wait."""

    handled: int
    more: bool


class Drain:
    """Empties shards.

    ``stop`` says when to finish early (a signal came), ``yield_to`` whether other
    shards wait for a worker; ``on_questions`` is called when Codat should be asked now,
    ``on_notifications`` when something was decided that is to be told.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        policy: Policy,
        shards: int,
        clock: Callable[[], datetime] = times.now,
        stop: Callable[[], bool] = lambda: False,
        yield_to: Callable[[], bool] = lambda: False,
        on_questions: Callable[[], None] = lambda: None,
        on_notifications: Callable[[], None] = lambda: None,
        stream_length: int = 100_000,
    ) -> None:
        self._client = client
        self._policy = policy
        self._shards = shards
        self._clock = clock
        self._stop = stop
        self._yield_to = yield_to
        self._on_questions = on_questions
        self._on_notifications = on_notifications
        self._stream_length = stream_length

    def run(self, number: int, *, run_s: float = RUN_S) -> Drained:
        """Drain shard ``number`` until nothing waits any more, or it is time to hand over."""
        shard = Shard(self._client, number, stream_length=self._stream_length)
        started = time.monotonic()
        handled = 0
        shard.stay_awake()
        while True:
            try:
                count, ask_now = self.batch(shard)
            except Overtaken:
                _log.info("another drain works on this shard", extra={"shard": number})
                return Drained(handled, more=False)
            except Disturbed:
                continue
            handled += count
            if ask_now:
                self._on_questions()
            ran_s = time.monotonic() - started
            if self._stop() or ran_s >= run_s or (ran_s >= SHARE_S and self._yield_to()):
                return Drained(handled, more=not shard.rest())
            if count == 0:
                lingers = not self._yield_to() and shard.wait(LINGER_MS)
                if not lingers and shard.rest():
                    return Drained(handled, more=False)

    def batch(self, shard: Shard) -> tuple[int, bool]:
        """Handle and commit one batch; how many messages it had, and whether to ask Codat right now."""
        now = self._clock()
        pipe = shard.begin()
        with pipe:
            waiting, gone = shard.read(BATCH)
            if not waiting and not gone:
                return 0, False
            batch = Batch(gone=gone)
            events = self._understand(shard, waiting, batch, now)
            work = _Work(shard, pipe, [event for _, event in events], self._policy, now, batch)
            for message, event in events:
                if event.company is not None and work.is_erased(event.company.id):
                    batch.dropped.append((message, event.company.id))
                    continue
                try:
                    work.learn(event)
                except Exception:
                    _fail(batch, message, now)
                else:
                    batch.done.append(message)
            work.finish()
            batch.count("processed", len(batch.done))
            shard.commit(pipe, batch, now)
        if batch.notifications:
            self._on_notifications()
        soon = any(ask.not_before <= now for ask in batch.asks)
        return len(waiting) + len(gone), soon

    def _understand(
        self, shard: Shard, waiting: list[Waiting], batch: Batch, now: datetime
    ) -> list[tuple[Waiting, Event]]:
        """The events of this shard; messages of others are moved, so that a company is in one hand."""
        events = []
        for message in waiting:
            try:
                event = understand(message)
            except Exception:
                _fail(batch, message, now)
                continue
            right = shard_of(event.company.id if event.company else None, self._shards)
            if right == shard.number:
                events.append((message, event))
            else:
                batch.moved.append((message, right))
        return events


def understand(message: Waiting) -> Event:
    """The event in a stored message; raises what the reader of its dialect raises."""
    received_at = times.from_iso(message.received_at)
    if message.source in (Source.CODAT_API, Source.JOURNEY):
        return findings.decode(message.body, event_id=message.event_id, received_at=received_at)
    return recognise(message.body, event_id=message.event_id, received_at=received_at)


def _fail(batch: Batch, message: Waiting, now: datetime) -> None:
    """Record what handling ``message`` raised, and when it is tried again."""
    trace = traceback.format_exc()[-MOST_TRACE:]
    schedule = HANDLING_RETRIES
    again = now + schedule[message.attempts] if message.attempts < len(schedule) else None
    batch.failed.append((message, trace, again))
    batch.count("dead_letters" if again is None else "handling_failures")
    _log.error(
        "handling a message raised",
        exc_info=True,
        extra={"event_id": message.event_id, "attempt": message.attempts + 1, "dead": again is None},
    )


class _Work:
    """The connections and companies of one batch, while its events are applied in turn."""

    def __init__(
        self,
        shard: Shard,
        pipe: "Pipeline[Any]",
        events: list[Event],
        policy: Policy,
        now: datetime,
        batch: Batch,
    ) -> None:
        self._policy, self._now, self._batch = policy, now, batch
        named = [connection_id for event in events for connection_id in event.connection_ids]
        companies = list(dict.fromkeys(event.company.id for event in events if event.company))
        whole = [event.company.id for event in events if event.company and event.concerns_whole_company]
        self._known, self._companies, self._members = shard.load(pipe, named, companies, whole)
        self._erased = {one for one, row in self._companies.items() if "erased_at" in row}
        self._current: dict[str, Connection] = {}
        self._states: dict[str, str] = {}

    def is_erased(self, company_id: str) -> bool:
        """Whether nothing may be known of the company any more."""
        return company_id in self._erased

    def learn(self, event: Event) -> None:
        """Apply one event to everything that it concerns; all of it, or nothing when it raises."""
        batch = self._batch
        changed: dict[str, Connection] = {}
        states: dict[str, str] = {}
        entries: list[tuple[str, Event, Entry]] = []
        effects: list[Effect] = []
        context = self._context(event)
        for connection_id in self._concerned(event):
            connection = self._connection(connection_id, event)
            if connection is None:
                continue
            step = advance(connection, event, context)
            changed[connection_id] = step.connection
            states[connection_id] = step.after.state.value
            entries.append((connection_id, event, step.entry))
            effects += step.effects
        advice = advise(event, context)
        news = self._news(event)

        self._current.update(changed)
        self._states.update(states)
        batch.entries += entries
        for connection_id in changed:
            batch.first_heard.setdefault(connection_id, event.received_at)
        for connection_id, _, entry in entries:
            batch.count(f"outcome:{entry.outcome}")
            comparing.note(batch, connection_id, event, entry)
        batch.heard = batch.heard or event.source in comparing.MESSAGES
        for effect in (*effects, *advice):
            if isinstance(effect, Tell):
                batch.notifications.append(effect.notification)
                batch.count(f"told:{effect.notification.type}")
            elif isinstance(effect, Ask):
                batch.asks.append(effect)
            else:
                batch.polling.append(effect)
        if news is not None and event.company is not None:
            self._merge(event.company.id, news)

    def finish(self) -> None:
        """Hand the changed connections to the batch."""
        for connection_id, connection in self._current.items():
            known = self._known.get(connection_id)
            stored = known if isinstance(known, Known) else None
            self._batch.connections[connection_id] = (connection, self._states[connection_id], stored)

    def _context(self, event: Event) -> Context:
        known = event.company is None or event.company.id in self._companies
        return Context(self._now, self._policy, company_known=known)

    def _concerned(self, event: Event) -> list[str]:
        ids = list(event.connection_ids)
        if event.concerns_whole_company and event.company is not None:
            ids += self._members.get(event.company.id, [])
            ids += [
                connection_id
                for connection_id, connection in self._current.items()
                if connection.company_id == event.company.id
            ]
        return list(dict.fromkeys(ids))

    def _connection(self, connection_id: str, event: Event) -> Connection | None:
        """The connection as it stands; ``None`` where the event is no reason to begin knowing it."""
        if connection_id in self._current:
            return self._current[connection_id]
        known = self._known.get(connection_id)
        if isinstance(known, Unreadable):
            raise known.error
        if known is not None:
            return known.connection
        if not _introduces(event):
            return None
        connection = Connection(connection_id, company_id=event.company.id if event.company else None)
        company = self._companies.get(event.company.id) if event.company else None
        if company is None:
            return connection
        if company.get("merchant_id"):
            connection = replace(connection, merchant_id=company["merchant_id"])
        if company.get("deleted_at"):
            at = times.from_iso(company["deleted_at"])
            fact = Fact(Kind.DELETED, at, event.received_at, company.get("deleted_by", ""))
            connection = connection.with_facts([fact])
        return connection

    def _news(self, event: Event) -> CompanyNews | None:
        if event.company is None:
            return None
        known = self._companies.get(event.company.id)
        return company_news(event, event.company, known)

    def _merge(self, company_id: str, news: CompanyNews) -> None:
        self._batch.companies.setdefault(company_id, CompanyNews()).merge(news)
        self._companies[company_id] = self._companies.get(company_id, {}) | news.as_fields(company_id)


def _introduces(event: Event) -> bool:
    """Whether an unknown connection becomes known by ``event``."""
    return not isinstance(event, (OtherHappened, QuestionUnanswered))
