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
    OtherHappened,
    Problem,
    RateLimitReached,
    RateLimitReset,
    ReadCompleted,
    Source,
)
from processor.alerts.reading import Heading, Unrecognised, heading, lacking
from processor.alerts.schemas import Payload, as_company, as_payload, as_read
from processor.lenient.values import as_instant

Reader = Callable[[Heading, Payload], Event]


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
    head = heading(
        event_id=event_id,
        event_type=event_type,
        source=Source.CURRENT,
        received_at=received_at,
        stated_at=as_instant(message.get("generatedDate")),
        company=company,
    )
    return _READERS.get(kind, _other)(head, payload)


def _connection(head: Heading, payload: Payload) -> tuple[ConnectionDetails, Problem | None]:
    spoken = payload.connection
    if head["company"] is None or spoken is None or spoken.details is None:
        details = spoken.details if spoken else None
        raise lacking({"payload.referenceCompany.id": head["company"], "payload.connection.id": details})
    return spoken.details, spoken.problem


def _of_connection(event: type[ConnectionEvent]) -> Reader:
    def reader(head: Heading, payload: Payload) -> Event:
        connection, _ = _connection(head, payload)
        return event(**head, connection=connection)

    return reader


def _failed(head: Heading, payload: Payload) -> Event:
    connection, problem = _connection(head, payload)
    return ConnectionFailed(**head, connection=connection, problem=problem)


def _ended(head: Heading, payload: Payload) -> Event:
    """The end, for the reason that the connection's status gives.

    A status that gives none is made up for by the errors: Codat lists one where access was
    revoked or ran out, and none where the client gave it up.
    """
    connection, problem = _connection(head, payload)
    reason = connection.status
    if reason is None or not reason.has_ended:
        reason = LinkStatus.UNLINKED if problem is None else LinkStatus.DEAUTHORIZED
    return ConnectionEnded(**head, connection=connection, reason=reason, problem=problem)


def _of_reads(event: type[ReadCompleted]) -> Reader:
    def reader(head: Heading, payload: Payload) -> Event:
        if head["company"] is None:
            raise lacking({"payload.referenceCompany.id": None})
        return event(**head, reads=_reads(payload.data_types))

    return reader


def _reads(said: object) -> tuple[DataTypeRead, ...]:
    """The usable entries of ``payload.dataTypes``.

    No list, or an empty one, names no connection. One that says something of which nothing
    can be used is refused: it is news that we cannot read, and it waits in quarantine.
    """
    if said is None or said == []:
        return ()
    entries = said if isinstance(said, list) else ()
    reads = tuple(read for entry in entries if (read := as_read(entry)) is not None)
    if not reads:
        raise Unrecognised(
            "none of the data types that were read can be recognised",
            {"payload.dataTypes": "no entry with a usable connectionId and dataType"},
        )
    return reads


def _of_company(event: type[CompanyCreated] | type[CompanyDeleted]) -> Reader:
    def reader(head: Heading, _: Payload) -> Event:
        if head["company"] is None:
            raise lacking({"payload.id": None})
        return event(**head)

    return reader


def _rate_limit_reached(head: Heading, payload: Payload) -> Event:
    return RateLimitReached(**head, expires_at=payload.expires_at)


def _rate_limit_reset(head: Heading, _: Payload) -> Event:
    return RateLimitReset(**head)


def _other(head: Heading, payload: Payload) -> Event:
    details = payload.connection.details if payload.connection else None
    named = details.id if details else None
    return OtherHappened(**head, connection_id=payload.connection_id or named)


_READERS: Mapping[str, Reader] = {
    "connection.created": _of_connection(ConnectionCreated),
    "connection.connected": _of_connection(ConnectionLinked),
    "connection.reconnected": _of_connection(ConnectionRelinked),
    "connection.failed": _failed,
    "connection.disconnected": _ended,
    "connection.deleted": _of_connection(ConnectionDeleted),
    "read.completed": _of_reads(ReadCompleted),
    "read.completed.initial": _of_reads(InitialReadCompleted),
    "company.created": _of_company(CompanyCreated),
    "company.deleted": _of_company(CompanyDeleted),
    "client.ratelimit.reached": _rate_limit_reached,
    "client.ratelimit.reset": _rate_limit_reset,
}
