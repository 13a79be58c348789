"""One batch of messages being handled: the machine's decisions, gathered for one commit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from redis.client import Pipeline

from handlers.connection import Connection
from handlers.effects import Ask, CompareCompany, Effect, Notify
from handlers.events import Event, QuestionUnanswered, UnhandledEvent
from handlers.facts import Fact, FactKind
from handlers.machine import advance, company_effects
from handlers.registry import Context, Policy
from handlers.timeline import TimelineEntry
from processor.clock import from_iso
from processor.codat.names import MERCHANT_TAG
from processor.store import missed_messages
from processor.store.records import StoredConnection, UnreadableConnection
from processor.store.shards import Shard
from processor.store.unit_of_work import Batch, CompanyNews, company_news


class BatchHandler:
    """The connections and companies of one batch, while its events are applied in turn."""

    def __init__(
        self,
        shard: Shard,
        pipe: "Pipeline[Any]",
        events: Sequence[Event],
        policy: Policy,
        now: datetime,
        batch: Batch,
        *,
        on_premise: Mapping[str, bool],
    ) -> None:
        self._on_premise = on_premise
        self._policy, self._now, self._batch = policy, now, batch
        named = [connection_id for event in events for connection_id in event.connection_ids]
        companies = list(dict.fromkeys(event.company.id for event in events if event.company))
        whole = [event.company.id for event in events if event.company and event.concerns_whole_company]
        loaded = shard.load(pipe, named, companies, whole)
        self._known, self._companies, self._members, self._shown, self._foreign = loaded
        self._erased = {one for one, row in self._companies.items() if "erased_at" in row}
        if renamed := self._renamed(events):
            known, _, members, *_ = shard.load(pipe, [], [], renamed)
            self._known |= known
            self._members |= members
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
        entries: list[tuple[str, Event, TimelineEntry]] = []
        effects: list[Effect] = []
        context = self._context(event)
        news = self._news(event)
        event = self._of_its_merchant(event, news)
        for connection_id in self._concerned(event):
            connection = self._connection(connection_id, event)
            if connection is None:
                continue
            step = advance(connection, event, context)
            changed[connection_id] = step.connection
            states[connection_id] = step.after.state.value
            entries.append((connection_id, event, step.entry))
            effects += step.effects
        advice = company_effects(event, context)

        self._current.update(changed)
        self._states.update(states)
        batch.entries += entries
        for connection_id in changed:
            batch.first_heard.setdefault(connection_id, event.received_at)
        for connection_id, _, entry in entries:
            batch.count(f"outcome:{entry.outcome}")
            missed_messages.note(batch, connection_id, event, entry)
        batch.heard = batch.heard or event.source in missed_messages.MESSAGES
        for effect in (*effects, *advice):
            if isinstance(effect, Notify):
                batch.notifications.append(effect.notification)
                batch.count(f"told:{effect.notification.type}")
            elif isinstance(effect, Ask):
                batch.asks.append(effect)
            elif isinstance(effect, CompareCompany):
                batch.looks.add(effect.company_id)
            else:
                batch.polling.append(effect)
        if news is not None and event.company is not None:
            self._merge(event.company.id, news)

    def finish(self) -> None:
        """Hand the changed connections to the batch."""
        for connection_id, connection in self._current.items():
            known = self._known.get(connection_id)
            stored = known if isinstance(known, StoredConnection) else None
            self._batch.connections[connection_id] = (connection, self._states[connection_id], stored)

    def _context(self, event: Event) -> Context:
        company = event.company
        policy = self._policy
        if company is not None and company.id in self._foreign:
            policy = replace(policy, can_ask=False)
        return Context(
            self._now,
            policy,
            company_known=company is None or company.id in self._companies,
            company_shown=company is None or company.id in self._shown,
            on_premise=self._on_premise,
        )

    def _concerned(self, event: Event) -> list[str]:
        ids = list(event.connection_ids)
        if event.concerns_whole_company and event.company is not None:
            ids += self._of_company(event.company.id)
        return list(dict.fromkeys(ids))

    def _of_company(self, company_id: str) -> list[str]:
        """Its connections, where they were loaded, and those of this batch."""
        return self._members.get(company_id, []) + [
            connection_id
            for connection_id, connection in self._current.items()
            if connection.company_id == company_id
        ]

    def _connection(self, connection_id: str, event: Event) -> Connection | None:
        """The connection as it stands; ``None`` where the event is no reason to begin knowing it."""
        if connection_id in self._current:
            return self._current[connection_id]
        known = self._known.get(connection_id)
        if isinstance(known, UnreadableConnection):
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
            at = from_iso(company["deleted_at"])
            fact = Fact(FactKind.DELETED, at, event.received_at, company.get("deleted_by", ""))
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
        if news.merchant_id is not None:
            self._pass_on(company_id, news.merchant_id)

    def _renamed(self, events: Sequence[Event]) -> list[str]:
        """Companies that we know and of which a message gives another merchant id than we have."""
        found: dict[str, None] = {}
        for event in events:
            row = self._companies.get(event.company.id) if event.company else None
            if event.company is None or row is None or "erased_at" in row:
                continue
            if event.company.merchant_id not in (None, row.get("merchant_id")):
                found[event.company.id] = None
        return list(found)

    def _of_its_merchant(self, event: Event, news: CompanyNews | None) -> Event:
        """The event as if it named the merchant that its company has: its own tag may be missing or old."""
        if event.company is None:
            return event
        known = self._companies.get(event.company.id, {}).get("merchant_id")
        merchant_id = (news.merchant_id if news else None) or known
        if merchant_id is None or merchant_id == event.company.merchant_id:
            return event
        tags = {**event.company.tags, MERCHANT_TAG: merchant_id}
        return replace(event, company=replace(event.company, tags=tags))

    def _pass_on(self, company_id: str, merchant_id: str) -> None:
        """Let the company's connections that the message does not name have the new merchant id too."""
        for connection_id in self._of_company(company_id):
            known = self._known.get(connection_id)
            connection = self._current.get(connection_id)
            if connection is None and isinstance(known, StoredConnection):
                connection = known.connection
                self._states[connection_id] = known.state
            if connection is not None and connection.company_id == company_id:
                self._current[connection_id] = replace(connection, merchant_id=merchant_id)


def _introduces(event: Event) -> bool:
    """Whether an unknown connection becomes known by ``event``."""
    return not isinstance(event, (UnhandledEvent, QuestionUnanswered))
