"""Observations: responses of Codat and steps of the journey, as events for the inbox."""

import json
import secrets
from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal

import msgspec

from handlers.events import (
    Aspect,
    Company,
    CompanyNotShown,
    ConnectionDetails,
    ConnectionEnded,
    ConnectionEvent,
    ConnectionFailed,
    ConnectionGone,
    ConnectionSeen,
    Event,
    HistorySeen,
    LinkStatus,
    Problem,
    QuestionUnanswered,
    Source,
    Trigger,
    UnhandledEvent,
)
from handlers.reads import Dataset
from processor.clock import from_iso, to_iso
from processor.codat.models import ConnectionResponse, HistoryResponse
from processor.codat.observation_types import (
    COMPANY_NOT_SHOWN,
    CONNECTION_GONE,
    CONNECTION_SEEN,
    HISTORY_SEEN,
    KINDS,
    UNANSWERED,
)

VERSION = 1

_DETAILS = ("id", "platform_key", "platform_name", "source_type", "integration_id", "account_name", "status")

_parts_of_trigger = attrgetter("reason", "quiet", "repairs")
_parts_of_problem = attrgetter("status_code", "status_text", "message")
_parts_of_dataset = attrgetter(*Dataset.__match_args__)


def envelope(
    event_type: str,
    *,
    received_at: datetime,
    company: Company | None,
    at: datetime | None = None,
    timed: bool = True,
    trigger: Trigger | None = None,
) -> dict[str, Any]:
    """The fields that all observations have, with a new id, as keyword arguments of their classes.

    ``at`` is Codat's time; ``None``: there is none, and that of the arrival counts. ``timed`` is false if
    ``at`` is by this machine's clock.
    """
    source = _source(event_type)
    return {
        "event_id": f"{source}-{secrets.token_hex(16)}",
        "event_type": event_type,
        "source": source,
        "received_at": received_at,
        "at": at or received_at,
        "timed": timed and at is not None,
        "company": company,
        "trigger": trigger,
    }


def connection_seen(
    response: ConnectionResponse,
    *,
    received_at: datetime,
    company: Company | None,
    trigger: Trigger | None = None,
) -> ConnectionSeen:
    """The event that Codat showed a connection."""
    fields = envelope(
        CONNECTION_SEEN,
        received_at=received_at,
        company=company,
        at=response.asked_at,
        timed=response.timed,
        trigger=trigger,
    )
    return ConnectionSeen(**fields, connection=response.details, status=response.status)


def connection_gone(
    connection_id: str,
    *,
    received_at: datetime,
    company: Company | None,
    asked_at: datetime,
    timed: bool = True,
) -> ConnectionGone:
    """The event that Codat does not have a connection any more, which is final."""
    fields = envelope(CONNECTION_GONE, received_at=received_at, company=company, at=asked_at, timed=timed)
    return ConnectionGone(**fields, connection=ConnectionDetails(connection_id))


def history_seen(
    response: HistoryResponse,
    *,
    received_at: datetime,
    company: Company | None,
    asked_for: Iterable[str],
    trigger: Trigger | None = None,
) -> HistorySeen:
    """The event that Codat showed a read history, of the connections ``asked_for`` or of all."""
    connection_ids = tuple(dict.fromkeys(asked_for))
    fields = envelope(
        HISTORY_SEEN,
        received_at=received_at,
        company=company,
        at=response.asked_at,
        timed=response.timed,
        trigger=trigger,
    )
    datasets = tuple(
        row for row in response.datasets if not connection_ids or row.connection_id in connection_ids
    )
    return HistorySeen(**fields, asked_for=connection_ids, datasets=datasets)


def question_unanswered(
    connection_id: str,
    aspect: Aspect,
    *,
    received_at: datetime,
    company: Company | None,
    unknown: bool = False,
) -> QuestionUnanswered:
    """The event that Codat did not answer in time, or (``unknown``) does not know the company."""
    kind, event_type = (CompanyNotShown, COMPANY_NOT_SHOWN) if unknown else (QuestionUnanswered, UNANSWERED)
    fields = envelope(event_type, received_at=received_at, company=company)
    return kind(**fields, connection=ConnectionDetails(connection_id), aspect=aspect)


def encode(event: Event) -> bytes:
    """An observation as JSON, without its event id and time of arrival.

    Raises ``ValueError`` for any other event.
    """
    if KINDS.get(event.event_type) is not type(event) or event.source is not _source(event.event_type):
        raise ValueError(f"{type(event).__name__} is not an observation")
    doc: dict[str, Any] = {
        "version": VERSION,
        "event_type": event.event_type,
        "at": event.at,
        "timed": event.timed,
    }
    if event.trigger is not None:
        doc["asked"] = _parts_of_trigger(event.trigger)
    if event.company is not None:
        doc["company"] = {
            "id": event.company.id,
            "name": event.company.name,
            "tags": dict(event.company.tags),
        }
    if isinstance(event, ConnectionEvent):
        details = {name: getattr(event.connection, name) for name in _DETAILS}
        doc["connection"] = {name: value for name, value in details.items() if value is not None}
    if isinstance(event, UnhandledEvent):
        doc["connection_id"] = event.connection_id
    if isinstance(event, ConnectionSeen):
        doc["status"] = event.status
    if isinstance(event, ConnectionFailed) and event.problem is not None:
        doc["problem"] = _parts_of_problem(event.problem)
    if isinstance(event, QuestionUnanswered):
        doc["aspect"] = event.aspect
    if isinstance(event, HistorySeen):
        doc["asked_for"] = event.asked_for
        doc["datasets"] = [_parts_of_dataset(dataset) for dataset in event.datasets]
    return json.dumps(doc, separators=(",", ":"), default=to_iso).encode()


class _DatasetRow(msgspec.Struct, array_like=True):
    connection_id: str
    data_type: str
    status: str
    requested: str | None
    completed: str | None
    progress: int
    message: str | None
    ended: bool = False
    """Absent in rows of earlier versions."""


class _Document(msgspec.Struct):
    """What ``encode`` writes. Times are checked when they are read."""

    version: Literal[1]
    event_type: str
    at: str
    timed: bool
    asked: tuple[str, bool, bool] | None = None
    company: Company | None = None
    connection: ConnectionDetails | None = None
    connection_id: str | None = None
    status: LinkStatus | None = None
    problem: tuple[str | None, str | None, str | None] | None = None
    aspect: Aspect | None = None
    asked_for: tuple[str, ...] | None = None
    datasets: tuple[_DatasetRow, ...] | None = None


def decode(body: bytes, *, event_id: str, received_at: datetime) -> Event:
    """The inverse of ``encode``. Raises ``ValueError`` for any other body."""
    try:
        doc = msgspec.convert(json.loads(body), _Document)
        kind = KINDS[doc.event_type]
        members = {
            "connection": doc.connection,
            "connection_id": doc.connection_id,
            "status": doc.status,
            "problem": doc.problem and Problem(*doc.problem),
            "aspect": doc.aspect,
            "asked_for": doc.asked_for,
            "datasets": None if doc.datasets is None else tuple(map(_dataset, doc.datasets)),
            "reason": LinkStatus.UNLINKED if kind is ConnectionEnded else None,
        }
        return kind(
            event_id=event_id,
            event_type=doc.event_type,
            source=_source(doc.event_type),
            received_at=received_at,
            at=from_iso(doc.at),
            timed=doc.timed,
            company=doc.company,
            trigger=doc.asked and Trigger(*doc.asked),
            **{name: value for name, value in members.items() if value is not None},
        )
    except (LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"not an observation ({type(error).__name__})") from None


def _source(event_type: str) -> Source:
    return Source.JOURNEY if event_type.startswith("journey.") else Source.CODAT_API


def _dataset(row: _DatasetRow) -> Dataset:
    fields = msgspec.structs.asdict(row)
    return Dataset(**fields | {"requested": _time(row.requested), "completed": _time(row.completed)})


def _time(text: str | None) -> datetime | None:
    return None if text is None else from_iso(text)
