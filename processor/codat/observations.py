"""Observations: responses of Codat and steps of the journey, as events for the inbox."""

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

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

_TEXTS = ("platform_key", "platform_name", "source_type", "integration_id", "account_name")


def new_id() -> str:
    """Create an event id for an observation."""
    return f"codat-api-{secrets.token_hex(16)}"


def connection_seen(
    response: ConnectionResponse, *, event_id: str, received_at: datetime, company: Company | None
) -> ConnectionSeen:
    """The event that Codat showed a connection."""
    return ConnectionSeen(
        event_id=event_id,
        event_type=CONNECTION_SEEN,
        source=Source.CODAT_API,
        received_at=received_at,
        at=response.asked_at,
        timed=response.timed,
        company=company,
        connection=response.details,
        status=response.status,
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
    """The event that Codat does not have a connection any more, which is final."""
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
    response: HistoryResponse,
    *,
    event_id: str,
    received_at: datetime,
    company: Company | None,
    asked_for: Iterable[str],
) -> HistorySeen:
    """The event that Codat showed a read history, of the connections ``asked_for`` or of all."""
    connection_ids = tuple(dict.fromkeys(asked_for))
    return HistorySeen(
        event_id=event_id,
        event_type=HISTORY_SEEN,
        source=Source.CODAT_API,
        received_at=received_at,
        at=response.asked_at,
        timed=response.timed,
        company=company,
        asked_for=connection_ids,
        datasets=tuple(
            row for row in response.datasets if not connection_ids or row.connection_id in connection_ids
        ),
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
    """The event that Codat did not answer in time, or (``unknown``) does not know the company."""
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
    """An observation as JSON, without its event id and time of arrival.

    Raises ``ValueError`` for any other event.
    """
    if KINDS.get(event.event_type) is not type(event) or event.source is not _source(event.event_type):
        raise ValueError(f"{type(event).__name__} is not an observation")
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
        doc["connection"] = _encode_connection(event.connection)
    if isinstance(event, UnhandledEvent):
        doc["connection_id"] = event.connection_id
    if isinstance(event, ConnectionSeen):
        doc["status"] = event.status
    if isinstance(event, ConnectionFailed) and event.problem is not None:
        problem = event.problem
        doc["problem"] = [problem.status_code, problem.status_text, problem.message]
    if isinstance(event, QuestionUnanswered):
        doc["aspect"] = event.aspect
    if isinstance(event, HistorySeen):
        doc["asked_for"] = event.asked_for
        doc["datasets"] = [_encode_dataset(dataset) for dataset in event.datasets]
    return json.dumps(doc, separators=(",", ":")).encode()


def decode(body: bytes, *, event_id: str, received_at: datetime) -> Event:
    """The inverse of ``encode``. Raises ``ValueError`` for any other body."""
    try:
        doc = json.loads(body)
        if doc["version"] != VERSION:
            raise ValueError("written by another version")
        event_type = doc["event_type"]
        kind = KINDS[event_type]
        envelope = {
            "event_id": event_id,
            "event_type": event_type,
            "source": _source(event_type),
            "received_at": received_at,
            "at": from_iso(doc["at"]),
            "timed": _flag(doc["timed"]),
            "company": _decode_company(doc.get("company")),
            "trigger": _decode_trigger(doc.get("asked")),
        }
        return kind(**envelope, **_decode_details(kind, doc))
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"not an observation ({type(error).__name__})") from None


def _decode_details(kind: type[Event], doc: Mapping[str, Any]) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if issubclass(kind, ConnectionEvent):
        status = doc["connection"].get("status")
        texts = {name: _text(doc["connection"].get(name)) for name in _TEXTS}
        details["connection"] = ConnectionDetails(
            id=_id(doc["connection"]["id"]),
            status=None if status is None else LinkStatus(status),
            **texts,
        )
    if kind is UnhandledEvent:
        details["connection_id"] = _text(doc["connection_id"])
    if kind is ConnectionEnded:
        details["reason"] = LinkStatus.UNLINKED
    if kind is ConnectionSeen:
        details["status"] = LinkStatus(doc["status"])
    if kind is ConnectionFailed and doc.get("problem") is not None:
        details["problem"] = Problem(*(_text(part) for part in _list(doc["problem"])))
    if issubclass(kind, QuestionUnanswered):
        details["aspect"] = Aspect(doc["aspect"])
    if kind is HistorySeen:
        details["asked_for"] = tuple(_id(connection_id) for connection_id in _list(doc["asked_for"]))
        details["datasets"] = tuple(_decode_dataset(row) for row in _list(doc["datasets"]))
    return details


def _source(event_type: str) -> Source:
    return Source.JOURNEY if event_type.startswith("journey.") else Source.CODAT_API


def _encode_connection(details: ConnectionDetails) -> dict[str, str]:
    values = {name: getattr(details, name) for name in ("id", *_TEXTS, "status")}
    return {name: value for name, value in values.items() if value is not None}


def _encode_dataset(dataset: Dataset) -> list[object]:
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


def _decode_dataset(row: object) -> Dataset:
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
        ended=bool(more) and _flag(more[0]),  # absent in rows of earlier versions
    )


def _decode_company(doc: Mapping[str, Any] | None) -> Company | None:
    if doc is None:
        return None
    return Company(
        _id(doc["id"]), _text(doc["name"]), {_id(key): _id(value) for key, value in doc["tags"].items()}
    )


def _decode_trigger(value: object) -> Trigger | None:
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
