"""The messages by which Codat tells a change, in either generation, and the answers of its API."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from handlers.events import (
    Company,
    CompanyDeleted,
    ConnectionCreated,
    ConnectionDeleted,
    ConnectionDetails,
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
    Problem,
    ReadCompleted,
    Source,
)
from handlers.reads import Dataset, DataTypeRead
from tests.handlers.support.codat_history import ENDS, Change, Did, status_at

CONNECTION_ID = "connection-1"
COMPANY = Company(id="company-1", name="Toft stores", tags={"merchantId": "merchant-1"})
DETAILS = ConnectionDetails(
    id=CONNECTION_ID, platform_key="gbol", platform_name="Xero", source_type="Accounting"
)
PROBLEM = Problem(status_code="403", status_text="Forbidden", message="The user said no.")

_PLAIN = {
    Did.CREATED: ConnectionCreated,
    Did.LINKED: ConnectionLinked,
    Did.RELINKED: ConnectionRelinked,
    Did.DELETED: ConnectionDeleted,
}


def _reads(change: Change) -> tuple[DataTypeRead, ...]:
    return tuple(DataTypeRead(CONNECTION_ID, name, status) for name, status in change.types)


def current_message(
    change: Change, event_id: str, received_at: datetime, *, by_company: bool = False
) -> Event:
    """The change as the current generation tells it; ``by_company``: deleted with its whole company."""
    common: dict[str, Any] = {
        "event_id": event_id,
        "source": Source.CURRENT,
        "received_at": received_at,
        "at": change.at,
        "company": COMPANY,
    }
    did = change.did
    if did is Did.DELETED and by_company:
        return CompanyDeleted(event_type="company.deleted", **common)
    if did in _PLAIN:
        return _PLAIN[did](event_type=f"connection.{did}", connection=DETAILS, **common)
    if did is Did.FAILED:
        return ConnectionFailed(event_type="connection.failed", connection=DETAILS, problem=PROBLEM, **common)
    if did in ENDS:
        return ConnectionEnded(
            event_type="connection.disconnected", connection=DETAILS, reason=ENDS[did], **common
        )
    if change.is_initial_read:
        return InitialReadCompleted(event_type="read.completed.initial", reads=_reads(change), **common)
    return ReadCompleted(event_type="read.completed", reads=_reads(change), **common)


def legacy_messages(
    changes: Sequence[Change], index: int, event_id: str, arrival: datetime, *, whole_company: bool = False
) -> list[Event]:
    """The change as the legacy generation tells it, which has no word for some changes."""
    change, before = changes[index], LinkStatus.PENDING
    if index:
        before = status_at(changes[:index], changes[index - 1].at) or LinkStatus.PENDING
    common: dict[str, Any] = {"source": Source.LEGACY, "received_at": arrival, "at": arrival, "timed": False}
    company = COMPANY
    did = change.did
    new = {Did.CREATED: LinkStatus.PENDING, Did.LINKED: LinkStatus.LINKED, Did.RELINKED: LinkStatus.LINKED}
    named: dict[str, Any] = {} if whole_company else {"connection_id": CONNECTION_ID}
    if did in new or did in ENDS:
        return [
            LinkStatusClaimed(
                event_id=event_id,
                event_type="DataConnectionStatusChanged",
                company=company,
                connection=DETAILS,
                old=None if did is Did.CREATED else before,
                new=new[did] if did in new else ENDS[did],
                **common,
            )
        ]
    if did is Did.DELETED:
        return [
            DeletionClaimed(
                event_id=event_id, event_type="Sync Connection Deleted", company=company, **named, **common
            )
        ]
    if not change.types:
        return []
    messages: list[Event] = [
        ReadCompleted(
            event_id=f"{event_id}-data",
            event_type="Data sync completed",
            company=company,
            reads=_reads(change),
            **common,
        )
    ]
    if change.is_initial_read and change.succeeded and not _succeeded_before(changes, index):
        messages.append(
            InitialReadClaimed(
                event_id=event_id, event_type="New company synchronized", company=company, **named, **common
            )
        )
    return messages


def _succeeded_before(changes: Sequence[Change], index: int) -> bool:
    for change in reversed(changes[:index]):
        if change.did in (Did.LINKED, Did.RELINKED):
            return False
        if change.is_initial_read and change.succeeded:
            return True
    return False


def connection_answer(
    changes: Sequence[Change],
    asked_at: datetime,
    received_at: datetime,
    event_id: str,
    lag: timedelta = timedelta(),
) -> Event:
    """What Codat's API says of the connection at ``asked_at``: how it stood ``lag`` before.

    Its ``Date`` header knows whole seconds.
    """
    common: dict[str, Any] = {
        "event_id": event_id,
        "event_type": "codat.connection",
        "source": Source.CODAT_API,
        "received_at": received_at,
        "at": asked_at.replace(microsecond=0),
        "company": COMPANY,
        "connection": DETAILS,
    }
    status = status_at(changes, asked_at - lag)
    return ConnectionGone(**common) if status is None else ConnectionSeen(status=status, **common)


def history_answer(
    changes: Sequence[Change],
    asked_at: datetime,
    received_at: datetime,
    event_id: str,
    lag: timedelta = timedelta(),
) -> Event:
    """Codat's read history ``lag`` before ``asked_at``: each read, and what is being read now.

    Codat queues the first reads at the moment of an authorisation.
    """
    datasets: list[Dataset] = []
    begun_at: datetime | None = None
    is_read = True
    for change in changes:
        if change.at > asked_at - lag:
            break
        if change.did in (Did.LINKED, Did.RELINKED):
            begun_at, is_read = change.at, False
        elif change.types:
            is_read = is_read or change.is_initial_read
            requested = begun_at if change.is_initial_read else change.at
            datasets += [
                Dataset(CONNECTION_ID, name, status, requested=requested, completed=change.at, progress=100)
                for name, status in change.types
            ]
        elif change.did in ENDS or change.did is Did.DELETED:
            is_read = True
    if not is_read:
        datasets += [
            Dataset(CONNECTION_ID, name, "Fetching", requested=begun_at, progress=40)
            for name in ("bills", "invoices")
        ]
    return HistorySeen(
        event_id=event_id,
        event_type="codat.history",
        source=Source.CODAT_API,
        received_at=received_at,
        at=asked_at.replace(microsecond=0),
        company=COMPANY,
        asked_for=(CONNECTION_ID,),
        datasets=tuple(datasets),
    )
