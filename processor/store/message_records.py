"""A stored message: what became of it, and its body, as one record.

A record is a digit for the status and a character for the number of failed attempts, which scripts replace,
and a MessagePack array. Head and body are compressed together, because the body repeats the head.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from processor.clock import from_us, to_iso, to_us
from processor.store import bodies, unreadable
from processor.store.decoding import text
from processor.store.serialization import to_json

EVENT_STATUSES = ("pending", "processed", "failed", "dead", "quarantined", "discarded")
INDEXED_STATUSES = ("failed", "dead", "quarantined", "discarded")
"""Statuses of messages that an operator may have to look at: only these have an index."""

_CODES = {status: b"%d" % number for number, status in enumerate(EVENT_STATUSES)}
DISCARDED_UNRECOGNISED = b"6"
"""Code of a message that is discarded and was not recognised."""

_STATUSES = {code: status for status, code in _CODES.items()} | {DISCARDED_UNRECOGNISED: "discarded"}
_NO_ATTEMPTS, _MOST_ATTEMPTS = ord("0"), 99


class MessageHead(NamedTuple):
    """What lists show of a message; empty where it was not recognised or cannot be read."""

    source: str = ""
    type: str = ""
    company_id: str = ""
    connection_ids: Sequence[str] = ()


class _Row(msgspec.Struct, array_like=True, frozen=True):
    received_us: int
    content: bytes
    processed_us: int = 0
    next_attempt_us: int = 0
    error: bytes = b""


class MessageRecord(NamedTuple):
    """A message as it is stored. ``content`` is its compressed head and body.

    ``error`` is the last traceback, or why the message is not recognised.
    """

    status: str
    received_at: datetime
    content: bytes
    attempts: int = 0
    processed_at: datetime | None = None
    next_attempt_at: datetime | None = None
    error: str = ""


def discarded_code(status: str) -> bytes:
    """How a record begins that is discarded after it had this status."""
    return DISCARDED_UNRECOGNISED if status == "quarantined" else _CODES["discarded"]


def beginning(status: str, attempts: int | None = None) -> bytes:
    """The beginning of a record with this status, up to the number of attempts where that is given."""
    if attempts is None:
        return _CODES[status]
    return _CODES[status] + bytes((_NO_ATTEMPTS + min(attempts, _MOST_ATTEMPTS),))


def pack_content(head: MessageHead, body: bytes) -> bytes:
    """The head and the body of a message, compressed."""
    return bodies.pack(to_json(head) + b"\n" + body)


def unpack_content(content: bytes) -> tuple[MessageHead, bytes]:
    """The inverse of ``pack_content``; damaged content is returned as a body, so that parsing it fails."""
    head, _, body = bodies.unpack(content).partition(b"\n")
    try:
        return _decode_head(head), body
    except (msgspec.MsgspecError, ValueError):
        return MessageHead(), content


def dump(record: MessageRecord) -> bytes:
    """The stored form of a record."""
    row = _Row(
        to_us(record.received_at),
        record.content,
        to_us(record.processed_at) if record.processed_at else 0,
        to_us(record.next_attempt_at) if record.next_attempt_at else 0,
        record.error.encode("utf-8", "backslashreplace"),
    )
    return beginning(record.status, record.attempts) + _encode(row)


def load(stored: bytes) -> MessageRecord:
    """The inverse of ``dump``. A damaged record raises one of ``unreadable.FAULTS``."""
    row = _decode(stored[2:])
    return MessageRecord(
        _STATUSES[stored[:1]],
        from_us(row.received_us),
        row.content,
        stored[1] - _NO_ATTEMPTS,
        from_us(row.processed_us) if row.processed_us else None,
        from_us(row.next_attempt_us) if row.next_attempt_us else None,
        text(row.error),
    )


def load_anything(stored: bytes) -> MessageRecord:
    """The same as ``load``; a damaged record becomes a message whose parsing fails."""
    try:
        return load(stored)
    except unreadable.FAULTS:
        return MessageRecord("pending", from_us(0), stored)


def searchable(stored: bytes) -> bytes:
    """All texts in a record, uncompressed."""
    record = load_anything(stored)
    return b"\n".join((bodies.unpack(record.content), record.error.encode("utf-8", "surrogatepass")))


def fields(event_id: str, stored: bytes, repeats: bytes | None) -> dict[str, Any]:
    """A message as queries return it. A damaged record raises one of ``unreadable.FAULTS``."""
    record = load(stored)
    head, body = unpack_content(record.content)
    return {
        "event_id": event_id,
        "status": record.status,
        **head._asdict(),
        "received_at": to_iso(record.received_at),
        "processed_at": to_iso(record.processed_at) if record.processed_at else None,
        "attempts": record.attempts,
        "next_attempt_at": to_iso(record.next_attempt_at) if record.next_attempt_at else None,
        "error": record.error,
        "duplicates": int(repeats or 0),
        "body": body,
    }


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Row).decode
_decode_head = msgspec.json.Decoder(MessageHead).decode
