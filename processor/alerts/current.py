"""The current dialect: bodies with ``id eventType generatedDate payload``.

Source: https://docs.codat.io/using-the-api/webhooks/event-types
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
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
from handlers.reads import DataTypeRead
from processor.alerts.envelope import Envelope, Unrecognised, build_envelope, missing_ids
from processor.codat.json_values import (
    NIL,
    as_company,
    as_connection,
    as_explanation,
    as_id,
    as_ids,
    as_instant,
    as_object,
    as_read_status,
    as_reported_problem,
)

UNKNOWN_READ_STATUS = "Unknown"

Payload = Mapping[str, object]
Reader = Callable[[Envelope, Payload], Event]


def read(message: Mapping[str, object], *, event_type: str, event_id: str, received_at: datetime) -> Event:
    """The event in ``message``; the case of its type is ignored.

    Raises ``Unrecognised`` if the message has a known type and lacks an id that this type requires.
    """
    payload = as_object(message.get("payload"))
    type_key = event_type.lower()
    company = as_company(payload.get("referenceCompany"))
    if company is None and type_key.startswith("company."):
        company = as_company(payload)  # the payload of these types is the company itself
    if company is not None and type_key.startswith("company.product."):
        products = payload.get("products")
        ids = as_ids(products)
        if ids or products == []:  # a list of which nothing can be read says nothing
            company = replace(company, products=ids)
    envelope = build_envelope(
        event_id=event_id,
        event_type=event_type,
        source=Source.CURRENT,
        received_at=received_at,
        stated_at=as_instant(message.get("generatedDate")),
        company=company,
    )
    return (_READERS_BY_KEY.get(type_key) or _read_reader(type_key) or _other)(envelope, payload)


def _connection_reader(
    build: Callable[[Envelope, ConnectionDetails, Payload], ConnectionEvent],
) -> Reader:
    """A reader of messages about one connection; without a connection all of the company are in doubt."""

    def reader(envelope: Envelope, payload: Payload) -> Event:
        connection = as_connection(payload.get("connection"))
        if envelope["company"] is None:
            raise missing_ids({"payload.referenceCompany.id": None, "payload.connection.id": connection})
        if connection is None:
            return UnidentifiedConnectionChanged(**envelope)
        return build(envelope, connection, payload)

    return reader


def _simple_connection_reader(event: type[ConnectionEvent]) -> Reader:
    return _connection_reader(lambda envelope, connection, _: event(**envelope, connection=connection))


def _problem(payload: Payload) -> Problem | None:
    reported = as_reported_problem(as_object(payload.get("connection")).get("dataConnectionErrors"))
    return reported.problem if reported else None


def _failed(envelope: Envelope, connection: ConnectionDetails, payload: Payload) -> ConnectionEvent:
    return ConnectionFailed(**envelope, connection=connection, problem=_problem(payload))


def _ended(envelope: Envelope, connection: ConnectionDetails, payload: Payload) -> ConnectionEvent:
    """The end of a connection with the reason in its status.

    If the status gives none, the errors do: Codat lists an error if access was revoked or expired, and none
    if the client ended it.
    """
    reason, problem = connection.status, _problem(payload)
    if reason is None or not reason.has_ended:
        reason = LinkStatus.UNLINKED if problem is None else LinkStatus.DEAUTHORIZED
    return ConnectionEnded(**envelope, connection=connection, reason=reason, problem=problem)


def _reads_reader(event: type[ReadCompleted]) -> Reader:
    def reader(envelope: Envelope, payload: Payload) -> Event:
        if envelope["company"] is None:
            raise missing_ids({"payload.referenceCompany.id": None})
        return event(**envelope, reads=_parse_reads(payload.get("dataTypes")))

    return reader


def _read_reader(type_key: str) -> Reader | None:
    """The reader of ``[{product}.]read.completed[.successful|.unsuccessful][.initial]``, in lower case."""
    product, separator, suffix = type_key.rpartition("read.completed")
    words = suffix.split(".")[1:]
    if not separator or product[-1:] not in ("", ".") or not _READ_SUFFIXES.issuperset(words):
        return None
    if suffix and not suffix.startswith("."):
        return None
    return READERS["read.completed.initial" if "initial" in words else "read.completed"]


def _parse_reads(rows: object) -> tuple[DataTypeRead, ...]:
    """The usable entries of ``payload.dataTypes``.

    An absent or empty list names no connection, nor do entries with a data type alone. Raises
    ``Unrecognised`` for a list without any of these, so that the message is quarantined.
    """
    if rows is None or rows == []:
        return ()
    entries = [entry for entry in rows if isinstance(entry, dict)] if isinstance(rows, list) else []
    reads = tuple(read for entry in entries if (read := _parse_read(entry)) is not None)
    if not reads and not any(_lacks_connection(entry) for entry in entries):
        raise Unrecognised(
            "none of the data types that were read can be recognised",
            {"payload.dataTypes": "no entry with a usable connectionId and dataType"},
        )
    return reads


def _parse_read(entry: Mapping[str, object]) -> DataTypeRead | None:
    """The outcome of reading one data type, of any status; ``None`` without a data type or connection."""
    connection_id, data_type = as_id(entry.get("connectionId")), as_id(entry.get("dataType"))
    if connection_id is None or data_type is None:
        return None
    status = as_read_status(entry.get("status")) or UNKNOWN_READ_STATUS
    return DataTypeRead(connection_id, data_type, status, as_explanation(entry.get("issues")))


def _lacks_connection(entry: Mapping[str, object]) -> bool:
    return entry.get("connectionId") in (None, "", NIL) and as_id(entry.get("dataType")) is not None


def _company_reader(event: type[CompanyCreated] | type[CompanyDeleted]) -> Reader:
    def reader(envelope: Envelope, _: Payload) -> Event:
        if envelope["company"] is None:
            raise missing_ids({"payload.id": None})
        return event(**envelope)

    return reader


def _rate_limit_reached(envelope: Envelope, payload: Payload) -> Event:
    return RateLimitReached(**envelope, expires_at=as_instant(payload.get("expiryDate")))


def _rate_limit_reset(envelope: Envelope, _: Payload) -> Event:
    return RateLimitReset(**envelope)


def _other(envelope: Envelope, payload: Payload) -> Event:
    connection_id = as_id(payload.get("connectionId"))
    return UnhandledEvent(
        **envelope, connection_id=connection_id or as_id(as_object(payload.get("connection")).get("id"))
    )


_READ_SUFFIXES = frozenset({"successful", "unsuccessful", "initial"})

READERS: Mapping[str, Reader] = {
    "client.rateLimit.reached": _rate_limit_reached,
    "client.rateLimit.reset": _rate_limit_reset,
    "company.created": _company_reader(CompanyCreated),
    "company.deleted": _company_reader(CompanyDeleted),
    "company.product.added": _other,
    "company.product.removed": _other,
    "connection.connected": _simple_connection_reader(ConnectionLinked),
    "connection.created": _simple_connection_reader(ConnectionCreated),
    "connection.deleted": _simple_connection_reader(ConnectionDeleted),
    "connection.disconnected": _connection_reader(_ended),
    "connection.failed": _connection_reader(_failed),
    "connection.reconnected": _simple_connection_reader(ConnectionRelinked),
    "read.completed": _reads_reader(ReadCompleted),
    "read.completed.initial": _reads_reader(InitialReadCompleted),
}
"""The reader of each event type in Codat's spelling: the types that this service handles."""

_READERS_BY_KEY = {event_type.lower(): reader for event_type, reader in READERS.items()}
