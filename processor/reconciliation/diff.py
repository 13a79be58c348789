"""One company compared: what the machine would make of each of Codat's answers."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from handlers.connection import Connection, link_status
from handlers.events import Company, ConnectionDetails, Event, HistorySeen, LinkStatus
from handlers.machine import Transition, advance
from handlers.registry import Context, Policy
from handlers.state import State, situation
from handlers.timeline import TimelineOutcome
from handlers.trigger import Trigger
from processor.codat import observations
from processor.codat.models import ConnectionResponse, HistoryResponse
from processor.codat.observations import new_id
from processor.errors import CodatError
from processor.reconciliation import observed
from processor.reconciliation.baseline import BEFORE_US, SINCE_US, is_since, tells_old


@dataclass(frozen=True, slots=True)
class Difference:
    """What one finding changes: the state before and after, and why. ``None``: about the company itself."""

    company_id: str
    connection_id: str | None
    before: str
    after: str
    reason: str
    event_type: str


@dataclass(slots=True)
class CompanyDiff:
    """What a look at a company found out.

    ``events`` go into the inbox, in this order. ``shown``: Codat shows the company to our key.
    ``behind``: Codat shows something that our facts outrank for now, so look again soon.
    ``connections`` are ours as they will be; ``unreadable`` the ids of those that cannot be compared.
    ``unread``: why the reads could not be compared.
    """

    company_id: str
    events: list[Event] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    shown: bool = True
    behind: bool = False
    unread: CodatError | None = None
    connections: dict[str, Connection] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)


class Comparison:
    """One company being compared: what the machine would make of each answer.

    ``began``: this is the first look at the company, and since when the store is in use; what may be
    from before becomes known quietly, whatever is ``asked``. News is what a message told of since, and
    ``by_age`` also a connection that was made since. ``keep_all``: answers that change nothing become
    events too, so that the timeline shows that Codat was asked.
    """

    def __init__(
        self,
        found: CompanyDiff,
        company: Company,
        asked: Trigger,
        now: datetime,
        policy: Policy,
        *,
        began: datetime | None = None,
        by_age: bool = True,
        keep_all: bool = False,
    ) -> None:
        self.found, self.asked = found, asked
        self._keep_all = keep_all
        self._company, self._now = company, now
        self._context = Context(now, policy, company_known=True)
        self._began, self._by_age = began, by_age
        self._since: set[str] = set()
        if began is not None:
            self._since = {one.id for one in found.connections.values() if is_since(began, one)}

    def seen(self, answer: ConnectionResponse) -> None:
        """A connection as Codat lists it."""
        known = self.found.connections.get(answer.id)
        if known is not None and situation(known).state is State.DELETED:
            return
        if self._began is not None and self._by_age and answer.created and answer.created >= self._began:
            self._since.add(answer.id)
        connection = known or Connection(
            answer.id, company_id=self._company.id, merchant_id=self._company.merchant_id
        )
        event = observed.connection(
            answer, event_id=new_id(), received_at=self._now, company=self._company, asked=self.asked
        )
        after = self.learn(connection, event, is_new=known is None)
        held = link_status(after.history)
        if answer.status not in (held, LinkStatus.PENDING):
            self.found.behind = True
            state = situation(after).state.value
            reason = (
                f"Codat shows {answer.status}, against a change of the minute before, or one whose time is"
                " still to come: Codat is asked again"
            )
            shown = answer.status.value.lower()
            self.found.differences.append(
                Difference(self._company.id, answer.id, state, shown, reason, event.event_type)
            )
        failed = observed.failed_attempt(
            answer, event_id=new_id(), received_at=self._now, company=self._company, asked=self.asked
        )
        if failed is not None and held in (None, LinkStatus.PENDING):
            self.learn(after, failed)

    def read(self, connections: Iterable[Connection], history: HistoryResponse, now: datetime) -> None:
        """The company's history, for those connections to which it says something new."""
        changed: dict[Trigger | None, list[tuple[str, Transition]]] = {}
        for connection in connections:
            event = self._fitting(connection, self._history(history, (connection.id,), now))
            step = advance(connection, event, self._context)
            if (
                self._keep_all
                or _matters(connection, step)
                or _progress(connection) != _progress(step.connection)
            ):
                changed.setdefault(event.asked, []).append((connection.id, step))
                self.found.connections[connection.id] = step.connection
        for asked, steps in changed.items():
            event = self._history(history, tuple(connection_id for connection_id, _ in steps), now)
            self.found.events.append(replace(event, asked=asked))
            for connection_id, step in steps:
                add(self.found, connection_id, event, step)

    def learn(self, connection: Connection, event: Event, *, is_new: bool = False) -> Connection:
        """Let a connection learn of an answer; it is kept where something follows."""
        event = self._fitting(connection, event)
        step = advance(connection, event, self._context)
        if is_new or self._keep_all or _matters(connection, step):
            self.found.events.append(event)
            self.found.connections[connection.id] = step.connection
            add(self.found, connection.id, event, step)
            return step.connection
        return connection

    def _fitting(self, connection: Connection, event: Event) -> Event:
        """``event``, quiet where it may tell what was there before the store began."""
        if self._began is None:
            return event
        quiet = replace(event, asked=self.asked if self.asked.quiet else BEFORE_US)
        step = advance(connection, quiet, self._context)
        if tells_old(self._began, connection, step, since=connection.id in self._since):
            return quiet
        return replace(event, asked=SINCE_US if self.asked.quiet else self.asked)

    def _history(self, history: HistoryResponse, wanted: tuple[str, ...], now: datetime) -> HistorySeen:
        event = observations.history_seen(
            history, event_id=new_id(), received_at=now, company=self._company, asked_for=wanted
        )
        return replace(event, asked=self.asked)


def _matters(known: Connection, step: Transition) -> bool:
    """Whether an answer changes anything that counts: the situation, what is told, or what we know of it."""
    return bool(
        step.entry.outcome in (TimelineOutcome.APPLIED, TimelineOutcome.DOUBT)
        or step.effects
        or step.entry.decisions
        or len(known.claims) != len(step.connection.claims)
        or _described(known) != _described(step.connection)
    )


def _described(connection: Connection) -> ConnectionDetails:
    return ConnectionDetails(
        connection.id,
        connection.platform_key,
        connection.platform_name,
        connection.source_type,
        connection.integration_id,
        account_name=connection.account_name,
    )


def _progress(connection: Connection) -> list[tuple[str, str, int]]:
    return sorted((one.name, one.status, one.progress) for one in connection.data_types.values())


def add(found: CompanyDiff, connection_id: str, event: Event, step: Transition) -> None:
    entry = step.entry
    if entry.outcome in (TimelineOutcome.APPLIED, TimelineOutcome.DOUBT):
        found.differences.append(
            Difference(
                found.company_id, connection_id, entry.before, entry.after, entry.reason, event.event_type
            )
        )
