"""Public representations of records, as the API returns and the command line prints them. Pure.

Every object has an ``id``; times are ISO 8601 in UTC with ``Z``; ``None`` means "not known" or "does not
apply".
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Never

from handlers.connection import Connection, link_status
from handlers.events import Problem
from handlers.facts import DataType
from handlers.state import AWAITING_FIRST_SYNC, Situation, State, is_running, situation
from processor.alerts.dialects import is_too_deep
from processor.clock import from_ms, from_us, iso_or_none, to_iso
from processor.conditions.model import Condition
from processor.delivery import serializers as delivery_serializers
from processor.store.cursors import ResultPage
from processor.store.records import StoredConnection, UnreadableConnection

NOTIFICATION_STATUSES = delivery_serializers.STATUSES

UNREADABLE = "unreadable"
"""State of a connection whose record cannot be read."""

_NOT_BEGUN = frozenset({"Initial", "Queued"})
"""Statuses of data types that are not being read yet."""

DONE = 100
"""Progress of a finished read."""


def page(
    result: ResultPage, represent: Callable[[Any], Mapping[str, Any]] = lambda item: item
) -> dict[str, Any]:
    """A page of a list, its items as ``represent`` makes them; the last has no ``next_cursor``."""
    return {"items": list(map(represent, result.items)), "next_cursor": result.next_cursor}


def connection(
    stored: StoredConnection | UnreadableConnection, *, state: str | None = None
) -> dict[str, Any]:
    """A connection with its current state, or a ``state`` of the past, its open checks and claims."""
    if isinstance(stored, UnreadableConnection):
        return _unreadable_connection(stored.id)
    connection = stored.connection
    now = situation(connection)
    link = link_status(now.history)
    current = [row for row in connection.data_types.values() if _is_current(row, now)]
    return {
        "id": connection.id,
        "connection_id": connection.id,
        "company_id": connection.company_id,
        "merchant_id": connection.merchant_id,
        "platform_key": connection.platform_key,
        "platform_name": connection.platform_name,
        "source_type": connection.source_type,
        "integration_id": connection.integration_id,
        "account_name": connection.account_name,
        "previous_account_name": connection.previous_account_name,
        "state": state or now.state.value,
        "link_status": link.value if link else None,
        "authorization": now.authorization,
        "authorized_at": iso_or_none(now.authorized_at),
        "first_heard_at": to_iso(from_ms(stored.first_heard_ms)),
        "progress": progress(connection, now),
        "data_types": [_data_type(data_type, now) for _, data_type in sorted(connection.data_types.items())],
        "on_premise": connection.is_on_premise,
        "waits_for_computer": connection.is_on_premise
        and not now.first_sync_missing
        and waits_for_computer(now.state, [(row.status, row.progress) for row in current]),
        "paused_until": iso_or_none(_paused_until(current)),
        "first_sync_missing": now.first_sync_missing,
        "end_expected": now.end_expected,
        "error": _error(now),
        "open": {
            "checks": [
                {"kind": check.kind, "at": to_iso(check.at), "since": to_iso(check.since)}
                for check in connection.checks
            ],
            "claims": len(connection.claims),
        },
        "notifications_told": [
            {"id": entry.id, "type": entry.kind, "at": to_iso(entry.at)} for entry in connection.ledger
        ],
    }


def waits_for_computer(state: State, data_types: Iterable[tuple[str, int]]) -> bool:
    """Whether a first read of software on the customer's computer has not begun.

    ``data_types`` are the status and the progress of each.
    """
    running = {status for status, progress in data_types if is_running(status, progress)}
    return state in AWAITING_FIRST_SYNC and running <= _NOT_BEGUN


def _paused_until(data_types: Iterable[DataType]) -> datetime | None:
    """When reading goes on, if all that is being read is paused; ``None``: it is not."""
    pauses = [row.paused_until for row in data_types if is_running(row.status, row.progress)]
    known = [until for until in pauses if until is not None]
    return min(known) if known and len(known) == len(pauses) else None


def _unreadable_connection(connection_id: str) -> dict[str, Any]:
    """A connection whose record cannot be read: only its id is known."""
    nothing = StoredConnection(Connection(connection_id), State.PENDING, first_heard_ms=0)
    return {**connection(nothing, state=UNREADABLE), "link_status": None, "first_heard_at": None}


def progress(connection: Connection, now: Situation) -> int:
    """Progress of the first sync of the current authorisation, 0 to 100.

    The mean over its data types, of which a finished or failed one counts as 100; 100 when the connection is
    ready, 0 without data types.
    """
    if now.state is State.READY:
        return DONE
    values = [
        data_type.progress if is_running(data_type.status, data_type.progress) else DONE
        for data_type in connection.data_types.values()
        if _is_current(data_type, now)
    ]
    return sum(values) // len(values) if values else 0


def company(row: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "company_id": row["id"],
        "merchant_id": row.get("merchant_id"),
        "name": row.get("name"),
        "given_name": row.get("given_name"),
        "tags": json.loads(row.get("tags", "{}")),
        "language": row.get("language"),
        "reminders_off_at": row.get("reminders_off_at"),
        "first_heard_at": to_iso(from_us(int(row["first_heard"]))) if "first_heard" in row else None,
        "deleted_at": row.get("deleted_at"),
    }


def event(row: Mapping[str, Any]) -> dict[str, Any]:
    """A message and its outcome, without its body.

    ``error`` is why it is not processed: the traceback of the last attempt, or why it is not recognised.
    """
    processed = row["status"] == "processed"
    return {
        "id": row["event_id"],
        "event_id": row["event_id"],
        "status": row["status"],
        "source": row.get("source") or None,
        "type": row.get("type") or None,
        "received_at": row["received_at"],
        "processed_at": row["processed_at"] if processed else None,
        "company_id": row.get("company_id") or None,
        "connection_ids": list(row["connection_ids"]),
        "attempts": row["attempts"],
        "next_attempt_at": row["next_attempt_at"] if row["status"] == "failed" else None,
        "error": None if processed else row["error"] or None,
        "duplicates": row["duplicates"],
    }


def whole_event(row: Mapping[str, Any]) -> dict[str, Any]:
    """A message with its body: ``body`` is the parsed JSON; ``raw`` is the text of any other body."""
    raw: bytes = row["body"]
    try:
        return {**event(row), "body": _parse_json(raw), "raw": None}
    except (ValueError, RecursionError):
        return {**event(row), "body": None, "raw": raw.decode("utf-8", "replace")}


def notification(row: Mapping[str, Any]) -> dict[str, Any]:
    deliveries = row["deliveries"]
    return {
        **row["body"],
        "status": delivery_serializers.status(deliveries),
        "deliveries": delivery_serializers.deliveries(deliveries),
    }


def stats(
    counts: Mapping[str, Any], lanes: Sequence[Mapping[str, Any]], conditions: Sequence[Condition]
) -> dict[str, Any]:
    """Counts, lanes and conditions of the service; ``last_commit_at`` is the time of the last commit."""
    counters = dict(counts["counters"])
    last_commit_ms = counters.pop("last_commit_ms", None)
    counters.pop("last_message_ms", None)
    return {
        **counts,
        "lanes": list(lanes),
        "dead_letters": counts["events"]["dead"],
        "counters": counters,
        "conditions": [condition_row(condition) for condition in conditions],
        "last_commit_at": None if last_commit_ms is None else to_iso(from_ms(last_commit_ms)),
    }


def condition_row(condition: Condition) -> dict[str, Any]:
    """A condition of the service with its advice."""
    return {
        "code": condition.code,
        "severity": condition.severity.value,
        "subject": condition.subject or None,
        "since": iso_or_none(condition.since),
        "sentence": condition.sentence,
        "advice": condition.advice,
    }


def _is_current(data_type: DataType, now: Situation) -> bool:
    """Whether the data type was read in the current authorisation."""
    return now.authorized_at is not None and data_type.at >= now.authorized_at


def _data_type(data_type: DataType, now: Situation) -> dict[str, Any]:
    return {
        "data_type": data_type.name,
        "status": data_type.status,
        "progress": data_type.progress,
        "at": to_iso(data_type.at),
        "message": data_type.message,
        "paused_until": iso_or_none(data_type.paused_until),
        "current": _is_current(data_type, now),
    }


def _error(now: Situation) -> dict[str, Any] | None:
    """The problem of the newest failure or end, as in notifications."""
    facts = [fact for fact in (now.history.failed, now.history.ended) if fact is not None]
    newest = max(facts, key=lambda fact: fact.at, default=None)
    problem: Problem | None = newest.problem if newest else None
    if problem is None:
        return None
    return {
        "status_code": problem.status_code,
        "status_text": problem.status_text,
        "message": problem.message,
    }


def _parse_json(raw: bytes) -> Any:
    """Parse strict JSON. Raises ``ValueError``."""
    text = raw.decode("utf-8-sig")
    if is_too_deep(text):
        raise ValueError("nested too deeply")
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("too large a number")
    return number
