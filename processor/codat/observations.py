"""Answers of Codat and the journey's own steps as events, which enter the inbox as messages do, and back."""

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from handlers.events import (
    Aspect,
    Company,
    CompanyCreated,
    CompanyDeleted,
    CompanyNotShown,
    ConnectionCreated,
    ConnectionDeleted,
    ConnectionDetails,
    ConnectionEnded,
    ConnectionEvent,
    ConnectionFailed,
    ConnectionGone,
    ConnectionSeen,
    Dataset,
    Event,
    HistorySeen,
    LinkStatus,
    Problem,
    QuestionUnanswered,
    Source,
    Trigger,
)
from processor.clock import from_iso, to_iso
from processor.codat.models import ConnectionResponse, HistoryResponse

VERSION = 1

CONNECTION_SEEN = "codat-api.connection"
CONNECTION_GONE = "codat-api.gone"
HISTORY_SEEN = "codat-api.history"
UNANSWERED = "codat-api.unanswered"
COMPANY_NOT_SHOWN = "codat-api.company.unknown"
CONNECTION_FAILED = "codat-api.failed"
COMPANY_SEEN = "codat-api.company"
COMPANY_GONE = "codat-api.company.gone"
CONNECTION_CREATED = "journey.connection.created"
CONNECTION_UNLINKED = "journey.connection.unlinked"
CONNECTION_DELETED = "journey.connection.deleted"
COMPANY_DELETED = "journey.company.deleted"

KINDS: Mapping[str, type[Event]] = MappingProxyType(
    {
        CONNECTION_SEEN: ConnectionSeen,
        CONNECTION_GONE: ConnectionGone,
        HISTORY_SEEN: HistorySeen,
        UNANSWERED: QuestionUnanswered,
        COMPANY_NOT_SHOWN: CompanyNotShown,
        CONNECTION_FAILED: ConnectionFailed,
        COMPANY_SEEN: CompanyCreated,
        COMPANY_GONE: CompanyDeleted,
        CONNECTION_CREATED: ConnectionCreated,
        CONNECTION_UNLINKED: ConnectionEnded,
        CONNECTION_DELETED: ConnectionDeleted,
        COMPANY_DELETED: CompanyDeleted,
    }
)
"""The event types of our own findings, and what they become."""

_TEXTS = ("platform_key", "platform_name", "source_type", "integration_id", "account_name")


def new_id() -> str:
    """A fresh event id for a finding."""
    return f"codat-api-{secrets.token_hex(16)}"


def connection_seen(
    answer: ConnectionResponse, *, event_id: str, received_at: datetime, company: Company | None
) -> ConnectionSeen:
    """Codat showed the connection."""
    return ConnectionSeen(
        event_id=event_id,
        event_type=CONNECTION_SEEN,
        source=Source.CODAT_API,
        received_at=received_at,
        at=answer.asked_at,
        timed=answer.timed,
        company=company,
        connection=answer.details,
        status=answer.status,
    )


def connection_gone(
    connection_id: str,
    *,
    event_id: str,
    received_at: datetime,
    company: Company | None,
    asked_at: datetime,
    timed: bool = True,
) -> ConnectionGone:
    """Codat does not know the connection any more; this is for good, so be sure of it."""
    return ConnectionGone(
        event_id=event_id,
        event_type=CONNECTION_GONE,
        source=Source.CODAT_API,
        received_at=received_at,
        at=asked_at,
        timed=timed,
        company=company,
        connection=ConnectionDetails(connection_id),
    )


def history_seen(
    answer: HistoryResponse,
    *,
    event_id: str,
    received_at: datetime,
    company: Company | None,
    asked_for: Iterable[str],
) -> HistorySeen:
    """Codat showed its read history; rows of connections not ``asked_for`` are left out, if any were."""
    wanted = tuple(dict.fromkeys(asked_for))
    return HistorySeen(
        event_id=event_id,
        event_type=HISTORY_SEEN,
        source=Source.CODAT_API,
        received_at=received_at,
        at=answer.asked_at,
        timed=answer.timed,
        company=company,
        asked_for=wanted,
        datasets=tuple(row for row in answer.datasets if not wanted or row.connection_id in wanted),
    )


def question_unanswered(
    connection_id: str,
    aspect: Aspect,
    *,
    event_id: str,
    received_at: datetime,
    company: Company | None,
    unknown: bool = False,
) -> QuestionUnanswered:
    """Codat did not answer in time, or (``unknown``) does not know the company; there is no time but ours."""
    kind = CompanyNotShown if unknown else QuestionUnanswered
    return kind(
        event_id=event_id,
        event_type=COMPANY_NOT_SHOWN if unknown else UNANSWERED,
        source=Source.CODAT_API,
        received_at=received_at,
        at=received_at,
        timed=False,
        company=company,
        connection=ConnectionDetails(connection_id),
        aspect=aspect,
    )


def encode(event: Event) -> bytes:
    """One of our findings as JSON, without its event id and time of arrival.

    Raises ``ValueError`` for any other event: its own body is what has to be kept then.
    """
    if KINDS.get(event.event_type) is not type(event) or event.source is not _source(event.event_type):
        raise ValueError(f"{type(event).__name__} is not a finding of ours")
    doc: dict[str, Any] = {
        "version": VERSION,
        "event_type": event.event_type,
        "at": to_iso(event.at),
        "timed": event.timed,
    }
    if event.trigger is not None:
        doc["asked"] = [event.trigger.reason, event.trigger.quiet, event.trigger.repairs]
    if event.company is not None:
        doc["company"] = {
            "id": event.company.id,
            "name": event.company.name,
            "tags": dict(event.company.tags),
        }
    if isinstance(event, ConnectionEvent):
        doc["connection"] = _fields(event.connection)
    if isinstance(event, ConnectionSeen):
        doc["status"] = event.status
    if isinstance(event, ConnectionFailed) and event.problem is not None:
        problem = event.problem
        doc["problem"] = [problem.status_code, problem.status_text, problem.message]
    if isinstance(event, QuestionUnanswered):
        doc["aspect"] = event.aspect
    if isinstance(event, HistorySeen):
        doc["asked_for"] = event.asked_for
        doc["datasets"] = [_row(dataset) for dataset in event.datasets]
    return json.dumps(doc, separators=(",", ":")).encode()


def decode(body: bytes, *, event_id: str, received_at: datetime) -> Event:
    """The inverse of ``encode``; raises ``ValueError`` for a body that is none of ours."""
    try:
        doc = json.loads(body)
        if doc["version"] != VERSION:
            raise ValueError("written by another version")
        event_type = doc["event_type"]
        kind = KINDS[event_type]
        heading = {
            "event_id": event_id,
            "event_type": event_type,
            "source": _source(event_type),
            "received_at": received_at,
            "at": from_iso(doc["at"]),
            "timed": _flag(doc["timed"]),
            "company": _company(doc.get("company")),
            "trigger": _trigger(doc.get("asked")),
        }
        return kind(**heading, **_particulars(kind, doc))
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a finding of ours ({type(error).__name__})") from None


def _particulars(kind: type[Event], doc: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if issubclass(kind, ConnectionEvent):
        status = doc["connection"].get("status")
        texts = {name: _text(doc["connection"].get(name)) for name in _TEXTS}
        found["connection"] = ConnectionDetails(
            id=_id(doc["connection"]["id"]),
            status=None if status is None else LinkStatus(status),
            **texts,
        )
    if kind is ConnectionEnded:
        found["reason"] = LinkStatus.UNLINKED
    if kind is ConnectionSeen:
        found["status"] = LinkStatus(doc["status"])
    if kind is ConnectionFailed and doc.get("problem") is not None:
        found["problem"] = Problem(*(_text(part) for part in _list(doc["problem"])))
    if issubclass(kind, QuestionUnanswered):
        found["aspect"] = Aspect(doc["aspect"])
    if kind is HistorySeen:
        found["asked_for"] = tuple(_id(one) for one in _list(doc["asked_for"]))
        found["datasets"] = tuple(_dataset(row) for row in _list(doc["datasets"]))
    return found


def _source(event_type: str) -> Source:
    return Source.JOURNEY if event_type.startswith("journey.") else Source.CODAT_API


def _fields(details: ConnectionDetails) -> dict[str, str]:
    values = {name: getattr(details, name) for name in ("id", *_TEXTS, "status")}
    return {name: value for name, value in values.items() if value is not None}


def _row(dataset: Dataset) -> list[object]:
    return [
        dataset.connection_id,
        dataset.data_type,
        dataset.status,
        dataset.requested and to_iso(dataset.requested),
        dataset.completed and to_iso(dataset.completed),
        dataset.progress,
        dataset.message,
        dataset.ended,
    ]


def _dataset(row: object) -> Dataset:
    connection_id, data_type, status, requested, completed, progress, message, *more = _list(row)
    if type(progress) is not int:
        raise TypeError
    return Dataset(
        connection_id=_id(connection_id),
        data_type=_id(data_type),
        status=_id(status),
        requested=None if requested is None else from_iso(requested),
        completed=None if completed is None else from_iso(completed),
        progress=progress,
        message=_text(message),
        ended=bool(more) and _flag(more[0]),  # earlier versions wrote none
    )


def _company(doc: Mapping[str, Any] | None) -> Company | None:
    if doc is None:
        return None
    return Company(
        _id(doc["id"]), _text(doc["name"]), {_id(key): _id(value) for key, value in doc["tags"].items()}
    )


def _trigger(value: object) -> Trigger | None:
    if value is None:
        return None
    because, quiet, repairs = _list(value)
    return Trigger(_id(because), quiet=_flag(quiet), repairs=_flag(repairs))


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _id(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _text(value: object) -> str | None:
    return None if value is None else _id(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value
