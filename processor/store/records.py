"""Rows of Redis as records. A damaged row raises one of ``unreadable.FAULTS``."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from redis import Redis

from handlers.company import CompanyChange, CompanyRecord
from handlers.connection import Connection
from handlers.state import State, situation
from processor.clock import from_iso, from_ms, from_us, iso_or_none, to_us
from processor.store import bodies, keys, serialization, unreadable
from processor.store.decoding import fields_with_prefix, moment, text, text_fields
from processor.store.encryption import decrypt

CONNECTION = "connection"
COMPANY = "company"
EVENT = "event"
NOTIFICATION = "notification"
TIMELINE = "timeline"
"""Kinds of records, as notes of unreadable ones name them."""

COMPANY_FIELDS = (
    "id",
    "name",
    "merchant_id",
    "tags",
    "tagged_at",
    "deleted_at",
    "deleted_by",
    "first_heard",
    "products",
    "products_at",
)
"""Fields of a company that decisions depend on; ``id`` is always there."""

REMINDERS_OFF_AT = "reminders_off_at"
"""Field of a company: when its contact asked for no more reminders."""

MEMBER = "c:"
"""How fields of a company begin that hold when one of its connections was first heard of (ms)."""

_LETTERS = {state.value: ord("a") + number for number, state in enumerate(State)}
_STATES = {letter: state for state, letter in _LETTERS.items()}

NOTIFICATION_FIELDS = frozenset(("id", "type", "timestamp", "data"))
ATTEMPT = ":attempt:"
"""Part of the name of a field that holds one attempt of a delivery."""


class StoredConnection(NamedTuple):
    """A connection, its public state, and when it was first heard of (ms since 1970)."""

    connection: Connection
    state: str
    first_heard_ms: int


@dataclass(frozen=True, slots=True)
class UnreadableConnection:
    """A connection whose record cannot be read, and why; ``codat-processor connections repair`` mends it."""

    id: str
    error: Exception


def connection_row(connection: Connection, state: str, first_heard_ms: int) -> bytes:
    """The stored row of a connection: a letter for its public state, when it was first heard of, document."""
    return b"%c%x\n%s" % (_LETTERS[state], first_heard_ms, serialization.dump(connection))


def connection(connection_id: str, row: bytes) -> StoredConnection:
    """The inverse of ``connection_row``; the facts in the document are not checked."""
    first_heard, document = row[1:].split(b"\n", 1)
    stored = StoredConnection(serialization.load(document), _STATES[row[0]], int(first_heard, 16))
    if stored.connection.id != connection_id:
        raise ValueError("the record is of another connection")
    return stored


def searchable_connection(row: bytes) -> bytes:
    """The document in a row, uncompressed; other strings as they are."""
    return bodies.unpack(row.split(b"\n", 1)[-1])


def checked_connection(connection_id: str, row: bytes) -> StoredConnection:
    """The same as ``connection``; a row that cannot be shown raises as well."""
    stored = connection(connection_id, row)
    from_ms(stored.first_heard_ms)
    situation(stored.connection)
    return stored


def read_connections(
    client: "Redis[Any]",
    connection_ids: Mapping[int, Sequence[str]],
    *,
    parse: Callable[[str, bytes], StoredConnection] = connection,
) -> dict[str, StoredConnection | UnreadableConnection]:
    """Those of the connections that are stored, by id; one that cannot be read is noted.

    ``connection_ids`` are the ids to look for, by cell.
    """
    wanted = {cell: ids for cell, ids in connection_ids.items() if ids}
    if not wanted:
        return {}
    names = [[keys.connection(cell, id_) for id_ in ids] for cell, ids in wanted.items()]
    if len(names) == 1:
        rows = [client.mget(names[0])]
    else:
        with client.pipeline(transaction=False) as pipe:
            for of_cell in names:
                pipe.mget(of_cell)
            rows = pipe.execute()
    return parse_connections(client, list(chain(*wanted.values())), list(chain(*rows)), parse=parse)


def parse_connections(
    client: "Redis[Any]",
    connection_ids: Sequence[str],
    rows: Sequence[bytes | None],
    *,
    parse: Callable[[str, bytes], StoredConnection] = connection,
) -> dict[str, StoredConnection | UnreadableConnection]:
    """The connections in ``rows`` (``None``: not stored), by id; one that cannot be read is noted."""
    records: dict[str, StoredConnection | UnreadableConnection] = {}
    for connection_id, row in zip(connection_ids, rows, strict=True):
        if row is None:
            continue
        try:
            records[connection_id] = parse(connection_id, row)
        except unreadable.FAULTS as error:
            unreadable.note(client, CONNECTION, connection_id, error)
            records[connection_id] = UnreadableConnection(connection_id, error)
    return records


def company(row: Any) -> dict[str, str]:
    """The fields of a company; ``first_heard`` is a time in µs."""
    fields = text_fields(_checked_reply(row))
    from_us(int(fields.get("first_heard", 0)))
    if not isinstance(json.loads(fields.get("tags", "{}")), dict) or "id" not in fields:
        raise ValueError("not the fields of a company")
    if "contact_email" in fields:
        fields["contact_email"] = decrypt(fields["contact_email"])
    return fields


def company_fields(values: Sequence[bytes | None]) -> dict[str, str]:
    """The ``COMPANY_FIELDS`` of a company that are stored, from their values."""
    fields = zip(COMPANY_FIELDS, values, strict=True)
    return {name: text(value) for name, value in fields if value is not None}


def members(row: Mapping[str, str]) -> dict[str, int]:
    """The ids of a company's connections, the oldest first, and when each was first heard of (ms).

    A value that is no time counts as 0: the order depends on it, and nothing else.
    """
    heard = [
        (int(at) if len(at) < 20 and at.isdecimal() else 0, id_)
        for id_, at in fields_with_prefix(row, MEMBER)
    ]
    return {id_: at_ms for at_ms, id_ in sorted(heard)}


def _members(row: Any) -> dict[str, int]:
    return members(text_fields(_checked_reply(row)))


def read_members(client: "Redis[Any]", company_ids: Sequence[str]) -> list[dict[str, int]]:
    """The ``members`` of each company; none of one that is unknown or cannot be read."""
    with client.pipeline(transaction=False) as pipe:
        for company_id in company_ids:
            pipe.hgetall(keys.company(company_id))
        rows = pipe.execute(raise_on_error=False)
    return [
        unreadable.read(client, COMPANY, id_, partial(_members, row)) or {}
        for id_, row in zip(company_ids, rows, strict=True)
    ]


def company_record(row: Mapping[str, str]) -> CompanyRecord:
    """The record in a hash; tags that cannot be read count as none, products as not known.

    Raises ``ValueError`` for a time that cannot be read.
    """
    tags, products = _parsed(row.get("tags", "{}")), _parsed(row.get("products", "null"))
    return CompanyRecord(
        name=row.get("name"),
        merchant_id=row.get("merchant_id") or None,
        tags=tags if isinstance(tags, dict) else {},
        tagged_at=from_iso(row["tagged_at"]) if "tagged_at" in row else None,
        deleted_at=from_iso(row["deleted_at"]) if "deleted_at" in row else None,
        deleted_by=row.get("deleted_by"),
        first_heard_at=from_us(int(row["first_heard"])) if "first_heard" in row else None,
        products=tuple(map(str, products)) if isinstance(products, list) else None,
        products_at=from_iso(row["products_at"]) if "products_at" in row else None,
    )


def changed_fields(company_id: str, change: CompanyChange) -> list[str]:
    """The fields of the company's hash that ``change`` writes, each followed by its value."""
    values = (
        company_id,
        change.name,
        change.merchant_id,
        json.dumps(change.tags, ensure_ascii=False) if change.tags else None,
        iso_or_none(change.tagged_at),
        iso_or_none(change.deleted_at),
        change.deleted_by,
        str(to_us(change.first_heard_at)) if change.first_heard_at else None,
        None if change.products is None else json.dumps(change.products),
        iso_or_none(change.products_at),
    )
    fields = zip(COMPANY_FIELDS, values, strict=True)
    return [part for name, value in fields if value is not None for part in (name, value)]


def _parsed(document: str) -> Any:
    """A JSON document; ``None`` if it cannot be read."""
    try:
        return json.loads(document)
    except ValueError:
        return None


def notification_row(fields: bytes, connection_id: str) -> bytes:
    """The stored row of a notification: its public JSON without its id, and whose order it comes in."""
    owner = connection_id.encode("utf-8", "surrogatepass")
    return bodies.pack(b"%s\n%s" % (owner, fields), bodies.OF_NOTIFICATIONS)


def notification_parts(notification_id: str, row: bytes) -> tuple[bytes, str]:
    """The public JSON and whose order it is delivered in; of a damaged row the JSON cannot be parsed."""
    connection_id, _, fields = bodies.unpack(row).rpartition(b"\n")  # JSON has no line break
    return b'{"id":"%s",%s' % (notification_id.encode(), fields[1:]), text(connection_id)


def notification(notification_id: str, row: Any, deliveries: Any) -> dict[str, Any]:
    """A notification, its body parsed, and the fields of its deliveries."""
    document, connection_id = notification_parts(notification_id, _checked_reply(row))
    body = json.loads(document)
    if not body.keys() >= NOTIFICATION_FIELDS or "connection_id" not in body["data"]:
        raise ValueError("not a notification")
    attempts = text_fields(_checked_reply(deliveries))
    for name, value in attempts.items():
        if ATTEMPT in name and "at" not in json.loads(value):
            raise ValueError("not an attempt")
        if name.endswith(":next"):
            moment(attempts, name)
    return {"connection_id": connection_id, "body": body, "deliveries": attempts}


def _checked_reply(reply: Any) -> Any:
    """The reply to a read; raises ``TypeError`` if the key has another type."""
    if unreadable.is_wrong_type(reply):
        raise TypeError("a key of another type")
    return reply
