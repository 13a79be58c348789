"""Stored records that cannot be read: each is noted for operators and skipped.

One damaged record must not break lists, deliveries or comparisons of the others.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from redis import Redis, ResponseError
from redis.client import Pipeline

from processor.clock import from_ms, to_ms
from processor.store import keys
from processor.store.decoding import text_fields

_log = logging.getLogger(__name__)

T = TypeVar("T")

FAULTS = (
    msgspec.DecodeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    OSError,
)
"""Errors of parsing damaged bytes (``OSError``: a time out of range); any other error is a bug."""

MAX_NOTES = 100
"""With more unreadable records the cause lies elsewhere."""


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A stored record that cannot be read. ``kind`` is part of its key, such as ``connection``."""

    kind: str
    id: str
    since: datetime


def read(client: "Redis[Any]", kind: str, id_: str, parse: Callable[[], T]) -> T | None:
    """The parsed record; ``None`` if it cannot be read, which is noted."""
    try:
        return parse()
    except FAULTS as error:
        note(client, kind, id_, error)
        return None


def is_wrong_type(reply: object) -> bool:
    """Whether Redis refused a read because the key has another type. Raises any other error."""
    if not isinstance(reply, Exception):
        return False
    if isinstance(reply, ResponseError) and str(reply).startswith("WRONGTYPE"):
        return True
    raise reply


def is_damaged(client: "Redis[Any]", kind: str, id_: str, reply: Any) -> bool:
    """Whether a key has another type, which is noted. Raises any other error."""
    damaged = is_wrong_type(reply)
    if damaged:
        note(client, kind, id_, reply)
    return damaged


def note(client: "Redis[Any]", kind: str, id_: str, error: Exception) -> None:
    """Note an unreadable record, and log the first note."""
    name = f"{kind} {id_}"
    if client.hlen(keys.unreadable()) >= MAX_NOTES:
        return
    if client.hsetnx(keys.unreadable(), name, time.time_ns() // 1_000_000):
        _log.error(
            "a stored record cannot be read", extra={"record": kind, "id": id_, "error": type(error).__name__}
        )


def noted(client: "Redis[Any]") -> list[UnreadableRecord]:
    """Noted records, oldest note first; some may be readable again."""
    rows = client.hgetall(keys.unreadable())
    records = []
    for name, since_ms in text_fields(rows).items():
        kind, _, id_ = name.partition(" ")
        records.append(UnreadableRecord(kind, id_, from_ms(int(since_ms))))
    return sorted(records, key=lambda record: (record.since, record.kind, record.id))


def keep(client: "Redis[Any]", records: Sequence[UnreadableRecord]) -> None:
    """Write these notes again, each with its time."""
    if records:
        client.hset(
            keys.unreadable(),
            mapping={f"{record.kind} {record.id}": to_ms(record.since) for record in records},
        )


def forget(client: "Redis[Any] | Pipeline[Any]", kind: str, id_: str) -> None:
    """Remove a note: the record is readable again, or gone."""
    client.hdel(keys.unreadable(), f"{kind} {id_}")
