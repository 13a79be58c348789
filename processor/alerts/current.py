"""The current generation: bodies with ``id eventType generatedDate payload``.

Source: https://docs.codat.io/using-the-api/webhooks/event-types
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from handlers.events import (
    CompanyCreated,
    CompanyDeleted,
    ConnectionCreated,
    ConnectionDeleted,
    ConnectionDetails,
    ConnectionEnded,
    ConnectionEvent,
    ConnectionFailed,
    ConnectionLinked,
    ConnectionRelinked,
    DataTypeRead,
    Event,
    InitialReadCompleted,
    LinkStatus,
    Problem,
    RateLimitReached,
    RateLimitReset,
    ReadCompleted,
    Source,
    UnhandledEvent,
    UnidentifiedConnectionChanged,
)
from processor.alerts.envelope import Envelope, Unrecognised, envelope, lacking
from processor.alerts.schemas import Payload, as_company, as_payload, as_read
from processor.codat.json_values import NIL, as_id, as_instant

Reader = Callable[[Envelope, Payload], Event]


def read(message: Mapping[str, object], *, event_type: str, event_id: str, received_at: datetime) -> Event:
    """The event that ``message`` describes; types are compared without case.

    Raises ``Unrecognised`` where the type is one of ours and an id that it needs is missing.
    """
    said = message.get("payload")
    payload = as_payload(said)
    kind = event_type.lower()
    company = payload.company
    if company is None and kind.startswith("company."):
        company = as_company(said)  # the payload of these is the company itself
    head = envelope(
        event_id=event_id,
        event_type=event_type,
        source=Source.CURRENT,
        received_at=received_at,
        stated_at=as_instant(message.get("generatedDate")),
        company=company,
    )
    return (_READERS.get(kind) or _reader_of_reads(kind) or _other)(head, payload)


def _about_connection(
    make: Callable[[Envelope, ConnectionDetails, Problem | None], ConnectionEvent],
) -> Reader:
    """A reader of news about one connection; where only the company is said, its connections are in doubt."""

    def reader(head: Envelope, payload: Payload) -> Event:
        spoken = payload.connection
        details = spoken.details if spoken else None
        if head["company"] is None:
            raise lacking({"payload.referenceCompany.id": None, "payload.connection.id": details})
        if spoken is None or details is None:
            return UnidentifiedConnectionChanged(**head)
        return make(head, details, spoken.problem)

    return reader


def _of_connection(event: type[ConnectionEvent]) -> Reader:
    return _about_connection(lambda head, connection, _: event(**head, connection=connection))


def _failed(head: Envelope, connection: ConnectionDetails, problem: Problem | None) -> ConnectionEvent:
    return ConnectionFailed(**head, connection=connection, problem=problem)


def _ended(head: Envelope, connection: ConnectionDetails, problem: Problem | None) -> ConnectionEvent:
    """The end, for the reason that the connection's status gives.

    A status that gives none is made up for by the errors: Codat lists one where access was
    revoked or ran out, and none where the client gave it up.
    """
    reason = connection.status
    if reason is None or not reason.has_ended:
        reason = LinkStatus.UNLINKED if problem is None else LinkStatus.DEAUTHORIZED
    return ConnectionEnded(**head, connection=connection, reason=reason, problem=problem)


def _of_reads(event: type[ReadCompleted]) -> Reader:
    def reader(head: Envelope, payload: Payload) -> Event:
        if head["company"] is None:
            raise lacking({"payload.referenceCompany.id": None})
        return event(**head, reads=_reads(payload.data_types))

    return reader


def _reader_of_reads(kind: str) -> Reader | None:
    """The reader of ``[{product}.]read.completed[.successful|.unsuccessful][.initial]``, in lower case."""
    product, found, narrower = kind.rpartition("read.completed")
    words = narrower.split(".")[1:]
    if not found or product[-1:] not in ("", ".") or not _NARROWER.issuperset(words):
        return None
    if narrower and not narrower.startswith("."):
        return None
    return _of_reads(InitialReadCompleted if "initial" in words else ReadCompleted)


def _reads(said: object) -> tuple[DataTypeRead, ...]:
    """The usable entries of ``payload.dataTypes``.

    No list, or an empty one, names no connection, and neither do entries that say which data type was read,
    but not of which connection. A list of which nothing else can be used is refused: it is news
    that we cannot read, and it waits in quarantine.
    """
    if said is None or said == []:
        return ()
    entries = [entry for entry in said if isinstance(entry, dict)] if isinstance(said, list) else []
    reads = tuple(read for entry in entries if (read := as_read(entry)) is not None)
    if not reads and not any(_is_unnamed(entry) for entry in entries):
        raise Unrecognised(
            "none of the data types that were read can be recognised",
            {"payload.dataTypes": "no entry with a usable connectionId and dataType"},
        )
    return reads


def _is_unnamed(entry: Mapping[str, object]) -> bool:
    unsaid = entry.get("connectionId") in (None, "", NIL)
    return unsaid and as_id(entry.get("dataType")) is not None


def _of_company(event: type[CompanyCreated] | type[CompanyDeleted]) -> Reader:
    def reader(head: Envelope, _: Payload) -> Event:
        if head["company"] is None:
            raise lacking({"payload.id": None})
        return event(**head)

    return reader


def _rate_limit_reached(head: Envelope, payload: Payload) -> Event:
    return RateLimitReached(**head, expires_at=payload.expires_at)


def _rate_limit_reset(head: Envelope, _: Payload) -> Event:
    return RateLimitReset(**head)


def _other(head: Envelope, payload: Payload) -> Event:
    details = payload.connection.details if payload.connection else None
    named = details.id if details else None
    return UnhandledEvent(**head, connection_id=payload.connection_id or named)


_NARROWER = frozenset({"successful", "unsuccessful", "initial"})

_READERS: Mapping[str, Reader] = {
    "connection.created": _of_connection(ConnectionCreated),
    "connection.connected": _of_connection(ConnectionLinked),
    "connection.reconnected": _of_connection(ConnectionRelinked),
    "connection.failed": _about_connection(_failed),
    "connection.disconnected": _about_connection(_ended),
    "connection.deleted": _of_connection(ConnectionDeleted),
    "company.created": _of_company(CompanyCreated),
    "company.deleted": _of_company(CompanyDeleted),
    "client.ratelimit.reached": _rate_limit_reached,
    "client.ratelimit.reset": _rate_limit_reset,
}
