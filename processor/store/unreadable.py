"""Stored records that cannot be read: each is noted for the operators and passed over.

One damaged record must not take the lists, the deliveries, or the comparisons of all others with it.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from redis import Redis, ResponseError
from redis.client import Pipeline

from processor.clock import from_ms, to_ms
from processor.store import keys

_log = logging.getLogger(__name__)

T = TypeVar("T")

FAULTS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, OSError)
"""What reading damaged bytes raises (``OSError``: a time out of range); anything else is a fault of ours."""

MOST = 100
"""So many records are noted at the most: with more, something else than a record is broken."""


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A stored record that cannot be read. ``kind`` is a word of its key, such as ``connection``."""

    kind: str
    id: str
    since: datetime


def read(client: "Redis[Any]", kind: str, id_: str, reader: Callable[[], T]) -> T | None:
    """What ``reader`` makes of a record; ``None`` where it cannot be read, which is noted."""
    try:
        return reader()
    except FAULTS as error:
        note(client, kind, id_, error)
        return None


def is_wrong_type(answer: object) -> bool:
    """Whether Redis refused a read because the key holds something of another type.

    Raises the answer where it is any other refusal.
    """
    if not isinstance(answer, Exception):
        return False
    if isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE"):
        return True
    raise answer


def note(client: "Redis[Any]", kind: str, id_: str, error: Exception) -> None:
    """Note that a record cannot be read, and log it the first time."""
    name = f"{kind} {id_}"
    if client.hlen(keys.unreadable()) >= MOST:
        return
    if client.hsetnx(keys.unreadable(), name, time.time_ns() // 1_000_000):
        _log.error(
            "a stored record cannot be read", extra={"record": kind, "id": id_, "error": type(error).__name__}
        )


def noted(client: "Redis[Any]") -> list[UnreadableRecord]:
    """The records that were noted, the oldest note first; some may be readable again."""
    rows = client.hgetall(keys.unreadable())
    found = []
    for name, since_ms in rows.items():
        kind, _, id_ = name.decode("utf-8", "replace").partition(" ")
        found.append(UnreadableRecord(kind, id_, from_ms(int(since_ms))))
    return sorted(found, key=lambda record: (record.since, record.kind, record.id))


def keep(client: "Redis[Any]", records: Sequence[UnreadableRecord]) -> None:
    """Keep these notes with the time of each."""
    if records:
        client.hset(keys.unreadable(), mapping={f"{one.kind} {one.id}": to_ms(one.since) for one in records})


def forget(client: "Redis[Any] | Pipeline[Any]", kind: str, id_: str) -> None:
    """Forget a note: the record can be read again, or is gone."""
    client.hdel(keys.unreadable(), f"{kind} {id_}")
