"""The comparison of one company: which events the machine would act on, and what they change."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from handlers.connection import Connection, link_status
from handlers.events import Company, ConnectionDetails, Event, HistorySeen, LinkStatus, Trigger
from handlers.machine import Transition, advance
from handlers.registry import Context, Policy
from handlers.state import State, situation
from handlers.timeline import TimelineOutcome
from processor.codat import observations
from processor.codat.models import ConnectionResponse, HistoryResponse
from processor.errors import CodatError
from processor.reconciliation import observed
from processor.reconciliation.baseline import (
    BEFORE_START,
    SINCE_START,
    has_messages_since,
    may_predate_start,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What one event changes. ``connection_id`` is ``None`` for a change of the company itself."""

    company_id: str
    connection_id: str | None
    before: str
    after: str
    reason: str
    event_type: str


@dataclass(slots=True)
class CompanyDiff:
    """The result of comparing a company.

    ``events`` go into the inbox in this order. ``is_shown``: Codat shows the company to our key.
    ``is_outranked``: Codat shows a status that our facts outrank for now, so compare again soon.
    ``connections`` are ours as the events leave them, ``unreadable_ids`` those whose record is damaged.
    ``history_error``: why the read history could not be compared.
    """

    company_id: str
    events: list[Event] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    is_shown: bool = True
    is_outranked: bool = False
    history_error: CodatError | None = None
    connections: dict[str, Connection] = field(default_factory=dict)
    unreadable_ids: list[str] = field(default_factory=list)

    def add_step(self, connection_id: str, event: Event, step: Transition) -> None:
        """Keep what a step leaves of the connection, and what it changes."""
        entry = step.entry
        self.connections[connection_id] = step.connection
        if entry.outcome in (TimelineOutcome.APPLIED, TimelineOutcome.DOUBT):
            self.add_difference(connection_id, entry.before, entry.after, entry.reason, event)

    def add_difference(
        self, connection_id: str | None, before: str, after: str, reason: str, event: Event
    ) -> None:
        """Add a difference that ``event`` makes."""
        self.differences.append(
            Difference(self.company_id, connection_id, before, after, reason, event.event_type)
        )


class Comparison:
    """Compares Codat's answers about one company with our connections and fills ``diff``.

    ``start`` is the start of the store where this is the first comparison of the company, else ``None``;
    changes that may be older are recorded without notifications. A change counts as recent when a message
    reported the connection since, and with ``by_age`` also when the connection was created since.
    ``record_unchanged``: answers that change nothing become events too, for the timeline.
    """

    def __init__(
        self,
        diff: CompanyDiff,
        company: Company,
        trigger: Trigger,
        now: datetime,
        policy: Policy,
        *,
        start: datetime | None,
        by_age: bool,
        record_unchanged: bool,
    ) -> None:
        self.diff, self.trigger = diff, trigger
        self._record_unchanged = record_unchanged
        self._company, self._now = company, now
        self._context = Context(now, policy, company_known=True)
        self._start, self._by_age = start, by_age
        self._recent_ids: set[str] = set()
        if start is not None:
            self._recent_ids = {
                connection.id
                for connection in diff.connections.values()
                if has_messages_since(start, connection)
            }

    def compare_connection(self, response: ConnectionResponse) -> None:
        """Compare a connection that Codat lists."""
        stored = self.diff.connections.get(response.id)
        if stored is not None and situation(stored).state is State.DELETED:
            return
        if self._start is not None and self._by_age and response.created and response.created >= self._start:
            self._recent_ids.add(response.id)
        connection = stored or Connection(
            response.id, company_id=self._company.id, merchant_id=self._company.merchant_id
        )
        event = observations.connection_seen(
            response, received_at=self._now, company=self._company, trigger=self.trigger
        )
        connection = self.apply(connection, event, is_new=stored is None)
        status = link_status(connection.history)
        if response.status not in (status, LinkStatus.PENDING):
            self.diff.is_outranked = True
            reason = (
                f"Codat shows {response.status}, against a change of the minute before, or one whose time is"
                " still to come: Codat is asked again"
            )
            state = situation(connection).state.value
            self.diff.add_difference(response.id, state, response.status.value.lower(), reason, event)
        failed_attempt = observed.failed_attempt(
            response, received_at=self._now, company=self._company, trigger=self.trigger
        )
        if failed_attempt is not None and status in (None, LinkStatus.PENDING):
            self.apply(connection, failed_attempt)

    def compare_history(
        self, connections: Iterable[Connection], history: HistoryResponse, now: datetime
    ) -> None:
        """Compare the company's read history, for the connections that learn something new from it."""
        steps_by_trigger: dict[Trigger | None, list[tuple[str, Transition]]] = {}
        for connection in connections:
            event = self._with_trigger(connection, self._history_event(history, (connection.id,), now))
            step = advance(connection, event, self._context)
            if (
                self._record_unchanged
                or _is_change(connection, step)
                or _progress(connection) != _progress(step.connection)
            ):
                steps_by_trigger.setdefault(event.trigger, []).append((connection.id, step))
        for trigger, steps in steps_by_trigger.items():
            event = self._history_event(history, tuple(connection_id for connection_id, _ in steps), now)
            self.diff.events.append(replace(event, trigger=trigger))
            for connection_id, step in steps:
                self.diff.add_step(connection_id, event, step)

    def apply(self, connection: Connection, event: Event, *, is_new: bool = False) -> Connection:
        """The connection after ``event``; the event is kept if it changes anything."""
        event = self._with_trigger(connection, event)
        step = advance(connection, event, self._context)
        if not (is_new or self._record_unchanged or _is_change(connection, step)):
            return connection
        self.diff.events.append(event)
        self.diff.add_step(connection.id, event, step)
        return step.connection

    def _with_trigger(self, connection: Connection, event: Event) -> Event:
        """``event`` with a quiet trigger if what it reports may predate the store."""
        if self._start is None:
            return event
        quiet = replace(event, trigger=self.trigger if self.trigger.quiet else BEFORE_START)
        step = advance(connection, quiet, self._context)
        if may_predate_start(self._start, connection, step, is_recent=connection.id in self._recent_ids):
            return quiet
        return replace(event, trigger=SINCE_START if self.trigger.quiet else self.trigger)

    def _history_event(
        self, history: HistoryResponse, connection_ids: tuple[str, ...], now: datetime
    ) -> HistorySeen:
        return observations.history_seen(
            history,
            received_at=now,
            company=self._company,
            asked_for=connection_ids,
            trigger=self.trigger,
        )


def _is_change(connection: Connection, step: Transition) -> bool:
    """Whether a step changes the state, sends or records a milestone, or changes what is stored."""
    return bool(
        step.entry.outcome in (TimelineOutcome.APPLIED, TimelineOutcome.DOUBT)
        or step.effects
        or step.entry.decisions
        or len(connection.claims) != len(step.connection.claims)
        or _details(connection) != _details(step.connection)
    )


def _details(connection: Connection) -> ConnectionDetails:
    return ConnectionDetails(
        connection.id,
        connection.platform_key,
        connection.platform_name,
        connection.source_type,
        connection.integration_id,
        account_name=connection.account_name,
    )


def _progress(connection: Connection) -> list[tuple[str, str, int]]:
    return sorted(
        (data_type.name, data_type.status, data_type.progress) for data_type in connection.data_types.values()
    )
