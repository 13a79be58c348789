"""One batch of messages: apply each event and gather what one commit writes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain

from handlers.company import (
    NO_CHANGE,
    NO_RECORD,
    CompanyChange,
    CompanyRecord,
    company_change,
    names_other_merchant,
    new_connection,
    with_merchant,
)
from handlers.connection import Connection
from handlers.effects import Ask, CompareCompany, Effect, Notify
from handlers.events import Company, Event
from handlers.machine import advance, company_effects
from handlers.registry import Context, Policy
from processor.store.cells import AffectedIds, LoadedRecords
from processor.store.inbox import is_passed_on
from processor.store.records import StoredConnection, UnreadableConnection, company_record
from processor.store.unit_of_work import MESSAGES, Batch


def affected_ids(events: Sequence[Event]) -> AffectedIds:
    """What ``events`` affect."""
    companies = [event.company for event in events if event.company is not None]
    whole_ids = [event.company.id for event in events if event.company and event.concerns_whole_company]
    return AffectedIds(
        list(dict.fromkeys(connection_id for event in events for connection_id in event.connection_ids)),
        list(dict.fromkeys(company.id for company in companies)),
        list(dict.fromkeys(whole_ids)),
    )


def reassigned_ids(events: Sequence[Event], records: LoadedRecords) -> list[str]:
    """Ids of the known companies to which an event gives another merchant than the stored one."""
    ids: dict[str, None] = {}
    for event in events:
        row = records.companies.get(event.company.id) if event.company else None
        if event.company is None or row is None or "erased_at" in row:
            continue
        if names_other_merchant(event.company, row.get("merchant_id")):
            ids[event.company.id] = None
    return list(ids)


class BatchHandler:
    """Applies the events of one batch in turn to the connections and companies that they affect."""

    def __init__(
        self,
        cell: int,
        records: LoadedRecords,
        policy: Policy,
        now: datetime,
        batch: Batch,
        *,
        on_premise: Mapping[str, bool],
    ) -> None:
        """``records``: what the batch affects. ``on_premise``: by platform key, as in ``Context``."""
        self._on_premise, self._cell = on_premise, cell
        self._policy, self._now, self._batch = policy, now, batch
        self._stored, self._rows, self._member_ids, self._shown, self._foreign, self._homes = records
        self._records: dict[str, CompanyRecord] = {}
        self._current: dict[str, Connection] = {}
        self._states: dict[str, str] = {}

    def is_erased(self, company_id: str) -> bool:
        """Whether the company was erased, so that its messages are dropped."""
        return "erased_at" in self._rows.get(company_id, {})

    def other_cells(self, event: Event) -> set[int]:
        """The cells of connections that ``event`` names and that belong to another cell.

        None for a message that was passed on itself: its first cell has passed it on to all of them.
        """
        if not self._homes or is_passed_on(event.event_id, self._cell):
            return set()
        return {self._homes[id_] for id_ in event.connection_ids if id_ in self._homes}

    def learn(self, event: Event) -> None:
        """Apply one event to all that it affects. When it raises, nothing of it is applied."""
        batch, company = self._batch, event.company
        known = self._record(company.id) if company else None
        context = self._context(company, known)
        change = company_change(event, company, known) if company else NO_CHANGE
        record = known or NO_RECORD
        if change is not NO_CHANGE:
            record = record.with_change(change)
        event = with_merchant(event, record)
        steps = [
            (connection_id, advance(connection, event, context))
            for connection_id in self._affected_ids(event)
            if (connection := self._connection(connection_id, event, known)) is not None
        ]
        effects = [*chain.from_iterable(step.effects for _, step in steps), *company_effects(event, context)]

        for connection_id, step in steps:
            self._current[connection_id] = step.connection
            self._states[connection_id] = step.after.state
            batch.entries.append((connection_id, event, step.entry))
            batch.first_heard.setdefault(connection_id, event.received_at)
            batch.count(f"outcome:{step.entry.outcome}")
            batch.note_missed(connection_id, event, step.entry)
        batch.heard = batch.heard or event.source in MESSAGES
        self._collect(effects)
        if company is not None and change is not NO_CHANGE:
            self._change_company(company.id, change, record)

    def finish(self) -> None:
        """Hand the changed connections to the batch."""
        for connection_id, connection in self._current.items():
            stored = self._stored.get(connection_id)
            before = stored if isinstance(stored, StoredConnection) else None
            self._batch.connections[connection_id] = (connection, self._states[connection_id], before)

    def _collect(self, effects: Sequence[Effect]) -> None:
        batch = self._batch
        for effect in effects:
            if isinstance(effect, Notify):
                batch.notifications.append(effect.notification)
                batch.count(f"told:{effect.notification.type}")
            elif isinstance(effect, Ask):
                batch.asks.append(effect)
            elif isinstance(effect, CompareCompany):
                batch.looks.add(effect.company_id)
            else:
                batch.polling.append(effect)

    def _context(self, company: Company | None, known: CompanyRecord | None) -> Context:
        policy = self._policy
        if company is not None and company.id in self._foreign:
            policy = replace(policy, can_ask=False)
        return Context(
            self._now,
            policy,
            company_known=company is None or known is not None,
            company_shown=company is None or company.id in self._shown,
            on_premise=self._on_premise,
        )

    def _affected_ids(self, event: Event) -> list[str]:
        ids = [id_ for id_ in event.connection_ids if id_ not in self._homes]
        if event.concerns_whole_company and event.company is not None:
            ids += self._connection_ids_of(event.company.id)
        return list(dict.fromkeys(ids))

    def _connection_ids_of(self, company_id: str) -> list[str]:
        """The connections of the company: the stored ones, if they were loaded, and those of this batch."""
        return self._member_ids.get(company_id, []) + [
            connection_id
            for connection_id, connection in self._current.items()
            if connection.company_id == company_id
        ]

    def _connection(
        self, connection_id: str, event: Event, company: CompanyRecord | None
    ) -> Connection | None:
        """The connection before ``event``; ``None`` if it is unknown and ``event`` does not introduce it.

        ``company`` is its company before ``event``. Raises the error of a stored connection that cannot be
        read.
        """
        if connection_id in self._current:
            return self._current[connection_id]
        stored = self._stored.get(connection_id)
        if isinstance(stored, UnreadableConnection):
            raise stored.error
        if stored is not None:
            return stored.connection
        if is_passed_on(event.event_id, self._cell):  # only stored connections are of this cell
            return None
        return new_connection(connection_id, event, company)

    def _record(self, company_id: str) -> CompanyRecord | None:
        """The company as it stands in this batch; ``None`` if it is unknown."""
        if company_id not in self._records and company_id in self._rows:
            self._records[company_id] = company_record(self._rows[company_id])
        return self._records.get(company_id)

    def _change_company(self, company_id: str, change: CompanyChange, record: CompanyRecord) -> None:
        earlier = self._batch.companies.get(company_id)
        self._batch.companies[company_id] = earlier.merged(change) if earlier else change
        self._records[company_id] = record
        if change.merchant_id is not None:
            self._assign_merchant(company_id, change.merchant_id)

    def _assign_merchant(self, company_id: str, merchant_id: str) -> None:
        """Give the new merchant to the company's connections, also to those that no event names."""
        for connection_id in self._connection_ids_of(company_id):
            stored = self._stored.get(connection_id)
            connection = self._current.get(connection_id)
            if connection is None and isinstance(stored, StoredConnection):
                connection = stored.connection
                self._states[connection_id] = stored.state
            if connection is not None and connection.company_id == company_id:
                self._current[connection_id] = replace(connection, merchant_id=merchant_id)
