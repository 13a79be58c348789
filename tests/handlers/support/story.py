"""One connection told step by step: events by their second, and what followed."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from handlers.connection import Connection
from handlers.effects import Ask, Notify
from handlers.events import (
    Aspect,
    CompanyDeleted,
    ConnectionCreated,
    ConnectionDeleted,
    ConnectionEnded,
    ConnectionFailed,
    ConnectionGone,
    ConnectionLinked,
    ConnectionRelinked,
    ConnectionSeen,
    DeletionClaimed,
    Event,
    HistorySeen,
    InitialReadClaimed,
    InitialReadCompleted,
    LinkStatus,
    LinkStatusClaimed,
    QuestionUnanswered,
    ReadCompleted,
    Source,
)
from handlers.machine import Transition, advance
from handlers.milestones import Notification
from handlers.reads import Dataset, DataTypeRead
from handlers.registry import Context, Policy
from handlers.state import Situation, State, situation
from tests.handlers.support.codat_messages import COMPANY, CONNECTION_ID, DETAILS, PROBLEM

START = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)

NO_KEY = Policy(can_ask=False)
ASKS = Policy(can_ask=True)
IMPATIENT = Policy(can_ask=True, patience_s=0)

PENDING, LINKED = LinkStatus.PENDING, LinkStatus.LINKED
UNLINKED, DEAUTHORIZED = LinkStatus.UNLINKED, LinkStatus.DEAUTHORIZED


def at(second: float) -> datetime:
    """The moment that many seconds after the start of the story."""
    return START + timedelta(seconds=second)


def _common(name: str, second: float, known: float | None, id: str | None, source: Source) -> dict[str, Any]:
    return {
        "event_id": id or f"{name}@{second}",
        "event_type": name,
        "source": source,
        "received_at": at(second if known is None else known),
        "at": at(second),
        "company": COMPANY,
    }


def _current(name: str, second: float, known: float | None, id: str | None) -> dict[str, Any]:
    return _common(name, second, known, id, Source.CURRENT)


def created(second: float, known: float | None = None, id: str | None = None) -> Event:
    return ConnectionCreated(**_current("connection.created", second, known, id), connection=DETAILS)


def linked(second: float, known: float | None = None, id: str | None = None) -> Event:
    return ConnectionLinked(**_current("connection.connected", second, known, id), connection=DETAILS)


def relinked(second: float, known: float | None = None, id: str | None = None) -> Event:
    return ConnectionRelinked(**_current("connection.reconnected", second, known, id), connection=DETAILS)


def failed(second: float, known: float | None = None, id: str | None = None) -> Event:
    common = _current("connection.failed", second, known, id)
    return ConnectionFailed(**common, connection=DETAILS, problem=PROBLEM)


def ended(
    second: float, reason: LinkStatus = DEAUTHORIZED, known: float | None = None, id: str | None = None
) -> Event:
    common = _current("connection.disconnected", second, known, id)
    return ConnectionEnded(**common, connection=DETAILS, reason=reason)


def deleted(second: float, known: float | None = None, id: str | None = None) -> Event:
    return ConnectionDeleted(**_current("connection.deleted", second, known, id), connection=DETAILS)


def company_deleted(second: float, known: float | None = None, id: str | None = None) -> Event:
    return CompanyDeleted(**_current("company.deleted", second, known, id))


def _reads(types: Mapping[str, str]) -> tuple[DataTypeRead, ...]:
    return tuple(DataTypeRead(CONNECTION_ID, name, status) for name, status in types.items())


def read(second: float, known: float | None = None, id: str | None = None, **types: str) -> Event:
    """The first read after an authorisation; without types it is complete invoices."""
    common = _current("read.completed.initial", second, known, id)
    return InitialReadCompleted(**common, reads=_reads(types or {"invoices": "Complete"}))


def read_more(second: float, known: float | None = None, id: str | None = None, **types: str) -> Event:
    """An ordinary read."""
    return ReadCompleted(**_current("read.completed", second, known, id), reads=_reads(types))


def alert_of_reads(second: float, id: str | None = None, **types: str) -> Event:
    """An ordinary read as the legacy generation tells it: the second is that of its arrival."""
    common = _common("Data sync completed", second, None, id, Source.LEGACY)
    return ReadCompleted(**common, timed=False, reads=_reads(types))


def claim(second: float, old: LinkStatus | None, new: LinkStatus, id: str | None = None) -> Event:
    common = _common("DataConnectionStatusChanged", second, None, id, Source.LEGACY)
    return LinkStatusClaimed(**common, timed=False, connection=DETAILS, old=old, new=new)


def read_claim(second: float, *, whole_company: bool = False, id: str | None = None) -> Event:
    common = _common("New company synchronized", second, None, id, Source.LEGACY)
    named = None if whole_company else CONNECTION_ID
    return InitialReadClaimed(**common, timed=False, connection_id=named)


def deletion_claim(second: float, *, whole_company: bool = False, id: str | None = None) -> Event:
    common = _common("Sync Connection Deleted", second, None, id, Source.LEGACY)
    named = None if whole_company else CONNECTION_ID
    return DeletionClaimed(**common, timed=False, connection_id=named)


def seen(second: float, status: LinkStatus, known: float | None = None, id: str | None = None) -> Event:
    common = _common("codat.connection", second, known, id or f"seen {status}@{second}", Source.CODAT_API)
    return ConnectionSeen(**common, connection=DETAILS, status=status)


def gone(second: float, known: float | None = None, id: str | None = None) -> Event:
    common = _common("codat.connection.gone", second, known, id, Source.CODAT_API)
    return ConnectionGone(**common, connection=DETAILS)


def dataset(
    name: str, status: str, *, requested: float, completed: float | None = None, progress: int = 100
) -> Dataset:
    return Dataset(
        CONNECTION_ID,
        name,
        status,
        requested=at(requested),
        completed=None if completed is None else at(completed),
        progress=progress,
    )


def history(second: float, *datasets: Dataset, id: str | None = None) -> Event:
    common = _common("codat.history", second, None, id, Source.CODAT_API)
    return HistorySeen(**common, asked_for=(CONNECTION_ID,), datasets=datasets)


def unanswered(second: float, aspect: Aspect = Aspect.CONNECTION, id: str | None = None) -> Event:
    common = _common("codat.unanswered", second, None, id, Source.CODAT_API)
    return QuestionUnanswered(**common, connection=DETAILS, aspect=aspect)


class Story:
    """A connection and all that it heard, under one policy."""

    def __init__(self, *events: Event, policy: Policy = NO_KEY) -> None:
        self.policy = policy
        self.connection = Connection(id=CONNECTION_ID)
        self.notes: list[Notification] = []
        self.last: Transition | None = None
        self.hear(*events)

    def hear(self, *events: Event, company_known: bool = True) -> Transition | None:
        """Let the events be processed as they arrive, and give back the last step."""
        for event in events:
            context = Context(now=event.received_at, policy=self.policy, company_known=company_known)
            self.last = advance(self.connection, event, context)
            self.connection = self.last.connection
            self.notes += [effect.notification for effect in self.last.effects if isinstance(effect, Notify)]
        return self.last

    @property
    def now(self) -> Situation:
        """What holds now."""
        return situation(self.connection)

    @property
    def state(self) -> State:
        """The public state now."""
        return self.now.state

    @property
    def told(self) -> list[str]:
        """The types of all notifications, in order."""
        return [note.type.value for note in self.notes]

    @property
    def asks(self) -> list[Ask]:
        """What the last step asks."""
        assert self.last is not None
        return [effect for effect in self.last.effects if isinstance(effect, Ask)]

    @property
    def outcome(self) -> str:
        """The word on the timeline for the last step."""
        assert self.last is not None
        return self.last.entry.outcome.value

    @property
    def verdicts(self) -> list[tuple[str, str]]:
        """What the last step decided, as (notification, verdict)."""
        assert self.last is not None
        return [(decision.kind, decision.outcome.value) for decision in self.last.entry.decisions]
