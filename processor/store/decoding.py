"""Rows of Redis as objects, checked: what is damaged raises one of ``unreadable.FAULTS``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handlers.connection import Connection
from handlers.state import situation
from processor.clock import from_iso, from_ms
from processor.store import serialization, unreadable

EVENT_STATUSES = ("pending", "processed", "failed", "dead", "quarantined", "discarded")
TIMELINE_FIELDS = frozenset(
    ("at", "known_at", "event_id", "event_type", "source", "from", "to", "outcome", "reason", "decisions")
)
NOTIFICATION_FIELDS = frozenset(("id", "type", "timestamp", "data"))
ATTEMPT = ":attempt:"
"""Stands in the name of a field that holds one attempt of a delivery."""

EVENT_FIELDS = (
    "event_id",
    "received_at",
    "processed_at",
    "status",
    "source",
    "type",
    "company_id",
    "connection_ids",
    "duplicates",
    "attempts",
    "next_attempt_at",
    "error",
)


@dataclass(frozen=True, slots=True)
class StoredConnection:
    """A connection, its public state, and when we first heard of it (ms since 1970)."""

    connection: Connection
    state: str
    first_heard_ms: int


@dataclass(frozen=True, slots=True)
class UnreadableConnection:
    """A connection whose record cannot be read; ``codat-processor connections repair`` mends it."""

    id: str


def connection(connection_id: str, row: bytes) -> StoredConnection:
    """A connection."""
    stored = StoredConnection(*serialization.load_row(connection_id, row))
    from_ms(stored.first_heard_ms)
    situation(stored.connection)  # damage that lies deeper raises here, and not in who shows it
    return stored


def company(row: Any) -> dict[str, str]:
    """The fields of a company."""
    fields = as_texts(_whole(row))
    if not isinstance(json.loads(fields.get("tags", "{}")), dict) or "id" not in fields:
        raise ValueError("not the fields of a company")
    return fields


def timeline_entry(place: bytes, fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    """An entry of a timeline."""
    entry = {"id": as_text(place), **json.loads(fields[b"entry"])}
    if not entry.keys() >= TIMELINE_FIELDS:
        raise ValueError("not an entry of a timeline")
    return entry


def event(row: Any) -> dict[str, Any] | None:
    """A message with its body (bytes); ``None`` where only a trace of it is left."""
    named = dict(_whole(row))
    body = named.pop(b"body", b"")
    fields = as_texts(named)
    return {**_checked_event(fields), "body": body} if "event_id" in fields else None


def listed_event(row: Any) -> dict[str, str] | None:
    """A message without its body, from the values of ``EVENT_FIELDS``; ``None`` for one that is gone."""
    values = zip(EVENT_FIELDS, _whole(row), strict=True)
    fields = {name: as_text(value) for name, value in values if value is not None}
    return _checked_event(fields) if "event_id" in fields else None


def _checked_event(fields: dict[str, str]) -> dict[str, str]:
    """The fields of a message, if they can be shown."""
    ids = json.loads(fields.get("connection_ids") or "[]")
    if fields["status"] not in EVENT_STATUSES or not isinstance(ids, list):
        raise ValueError("not the fields of a message")
    from_iso(fields["received_at"])
    for name in ("attempts", "duplicates"):
        int(fields.get(name) or 0)
    return fields


def notification(row: Any, deliveries: Any) -> dict[str, Any]:
    """A notification, its body parsed, and the fields of its deliveries."""
    fields = _whole(row)
    body = json.loads(fields[b"body"])
    if not body.keys() >= NOTIFICATION_FIELDS or "connection_id" not in body["data"]:
        raise ValueError("not a notification")
    found = {**as_texts(fields), "body": body, "deliveries": as_texts(_whole(deliveries))}
    for name, text in found["deliveries"].items():
        if ATTEMPT in name and "at" not in json.loads(text):
            raise ValueError("not an attempt")
    return found


def _whole(answer: Any) -> Any:
    """The answer of one read, where the key is of the right type."""
    if unreadable.is_wrong_type(answer):
        raise TypeError("a key of another type")
    return answer


def as_text(value: bytes) -> str:
    """A value as text; what is no UTF-8 is replaced."""
    return value.decode("utf-8", "replace")


def as_texts(row: Mapping[bytes, bytes]) -> dict[str, str]:
    """A hash as texts."""
    return {as_text(name): as_text(value) for name, value in row.items()}
