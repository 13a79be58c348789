"""What callers of the API and operators see: public representations of what is kept. Pure.

Every object has its own ``id``; times are ISO 8601 in UTC with ``Z``; ``None`` means "not known" or
"does not apply". The command line prints exactly these objects.
"""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Never

from handlers.connection import Connection, link_status
from handlers.events import Problem
from handlers.facts import DataType
from handlers.state import Situation, State, is_running, situation
from processor.alerts.dialects import is_too_deep
from processor.clock import from_ms, to_iso
from processor.conditions.model import Condition
from processor.delivery import serializers
from processor.store.records import StoredConnection, UnreadableConnection

NOTIFICATION_STATUSES = serializers.STATUSES

UNREADABLE = "unreadable"
"""Stands for the state of a connection whose record cannot be read."""

DONE = 100
"""Progress of what needs no more reading."""


def page(items: Sequence[Mapping[str, Any]], next_cursor: str | None) -> dict[str, Any]:
    """One page of a list; ``next_cursor`` is ``None`` on the last."""
    return {"items": list(items), "next_cursor": next_cursor}


def connection(stored: StoredConnection | UnreadableConnection) -> dict[str, Any]:
    """A connection: its situation now, and what waits for Codat's word."""
    if isinstance(stored, UnreadableConnection):
        return _unreadable(stored.id)
    known = stored.connection
    now = situation(known)
    link = link_status(now.history)
    return {
        "id": known.id,
        "connection_id": known.id,
        "company_id": known.company_id,
        "merchant_id": known.merchant_id,
        "platform_key": known.platform_key,
        "platform_name": known.platform_name,
        "source_type": known.source_type,
        "integration_id": known.integration_id,
        "account_name": known.account_name,
        "state": now.state.value,
        "link_status": link.value if link else None,
        "authorization": now.authorization,
        "authorized_at": _iso(now.authorized_at),
        "first_heard_at": to_iso(from_ms(stored.first_heard_ms)),
        "progress": progress(known, now),
        "data_types": [_data_type(kind, now) for _, kind in sorted(known.data_types.items())],
        "on_premise": known.is_on_premise,
        "first_sync_missing": now.first_sync_missing,
        "end_expected": now.end_expected,
        "error": _error(now),
        "open": {
            "checks": [
                {"kind": check.kind, "at": to_iso(check.at), "since": to_iso(check.since)}
                for check in known.checks
            ],
            "claims": len(known.claims),
        },
        "notifications_told": [
            {"id": told.id, "type": told.kind, "at": to_iso(told.at)} for told in known.ledger
        ],
    }


def _unreadable(connection_id: str) -> dict[str, Any]:
    """A connection whose record cannot be read: nothing is known of it but its id."""
    unknown = (
        "company_id",
        "merchant_id",
        "platform_key",
        "platform_name",
        "source_type",
        "integration_id",
        "account_name",
        "link_status",
        "authorized_at",
        "first_heard_at",
        "error",
    )
    return {
        "id": connection_id,
        "connection_id": connection_id,
        **dict.fromkeys(unknown),
        "state": UNREADABLE,
        "authorization": 0,
        "progress": 0,
        "data_types": [],
        "on_premise": False,
        "first_sync_missing": False,
        "end_expected": False,
        "open": {"checks": [], "claims": 0},
        "notifications_told": [],
    }


def progress(known: Connection, now: Situation) -> int:
    """How far the first sync of the current authorisation is, 0 to 100.

    The mean over its data types, where one that was read, well or badly, counts as done; 100 when
    ready, and 0 while none is known.
    """
    if now.state is State.READY:
        return DONE
    parts = [
        kind.progress if is_running(kind.status, kind.progress) else DONE
        for kind in known.data_types.values()
        if _is_current(kind, now)
    ]
    return sum(parts) // len(parts) if parts else 0


def timeline_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A line of a connection's timeline: what one message did, and why."""
    return {
        name: entry[name]
        for name in (
            "id",
            "at",
            "known_at",
            "event_id",
            "event_type",
            "source",
            "from",
            "to",
            "outcome",
            "reason",
            "decisions",
        )
    }


def company(row: Mapping[str, str]) -> dict[str, Any]:
    """A company from the fields that are known of it."""
    return {
        "id": row["id"],
        "company_id": row["id"],
        "merchant_id": row.get("merchant_id"),
        "name": row.get("name"),
        "given_name": row.get("given_name"),
        "tags": json.loads(row.get("tags", "{}")),
        "first_heard_at": row.get("first_heard"),
        "deleted_at": row.get("deleted_at"),
    }


def event(row: Mapping[str, Any]) -> dict[str, Any]:
    """A message and what became of it, without its body.

    ``error`` is why it is not processed: the traceback of the last attempt, or why nobody
    understands it.
    """
    processed = row["status"] == "processed"
    return {
        "id": row["event_id"],
        "event_id": row["event_id"],
        "status": row["status"],
        "source": row.get("source") or None,
        "type": row.get("type") or None,
        "received_at": row["received_at"],
        "processed_at": row.get("processed_at") if processed else None,
        "company_id": row.get("company_id") or None,
        "connection_ids": json.loads(row.get("connection_ids") or "[]"),
        "attempts": int(row.get("attempts") or 0),
        "next_attempt_at": row.get("next_attempt_at") if row["status"] == "failed" else None,
        "error": None if processed else row.get("error") or None,
        "duplicates": int(row.get("duplicates") or 0),
    }


def whole_event(row: Mapping[str, Any]) -> dict[str, Any]:
    """A message with its body: parsed under ``body`` where it is JSON, otherwise as text under ``raw``."""
    raw: bytes = row["body"]
    try:
        return {**event(row), "body": _parsed(raw), "raw": None}
    except (ValueError, RecursionError):
        return {**event(row), "body": None, "raw": raw.decode("utf-8", "replace")}


def notification(row: Mapping[str, Any]) -> dict[str, Any]:
    """A notification: what is sent, and the attempts to deliver it."""
    deliveries = row["deliveries"]
    return {
        **row["body"],
        "status": serializers.status(deliveries),
        "deliveries": serializers.deliveries(deliveries),
    }


def stats(
    counts: Mapping[str, Any], lanes: Sequence[Mapping[str, Any]], conditions: Sequence[Condition]
) -> dict[str, Any]:
    """How the service stands; ``last_commit_at`` is when something was last handled."""
    counters = dict(counts["counters"])
    last_commit_ms = counters.pop("last_commit_ms", None)
    counters.pop("last_message_ms", None)
    return {
        "connections": dict(counts["connections"]),
        "events": dict(counts["events"]),
        "inbox": dict(counts["inbox"]),
        "lanes": list(lanes),
        "dead_letters": counts["events"]["dead"],
        "dead_deliveries": counts["dead_deliveries"],
        "uncertain_deliveries": counts["uncertain_deliveries"],
        "questions": counts["questions"],
        "companies": counts["companies"],
        "notifications": counts["notifications"],
        "codat": dict(counts["codat"]),
        "counters": counters,
        "conditions": [condition(one) for one in conditions],
        "last_commit_at": None if last_commit_ms is None else to_iso(from_ms(last_commit_ms)),
    }


def condition(one: Condition) -> dict[str, Any]:
    """Something that is wrong now, and what to do about it."""
    return {
        "code": one.code,
        "severity": one.severity.value,
        "subject": one.subject or None,
        "since": _iso(one.since),
        "sentence": one.sentence,
        "advice": one.advice,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else to_iso(moment)


def _is_current(kind: DataType, now: Situation) -> bool:
    """Whether the outcome belongs to the current authorisation; before the first, nothing does."""
    return now.authorized_at is not None and kind.at >= now.authorized_at


def _data_type(kind: DataType, now: Situation) -> dict[str, Any]:
    return {
        "data_type": kind.name,
        "status": kind.status,
        "progress": kind.progress,
        "at": to_iso(kind.at),
        "message": kind.message,
        "current": _is_current(kind, now),
    }


def _error(now: Situation) -> dict[str, Any] | None:
    """What went wrong in the newest failure or end, as notifications say it."""
    found = [fact for fact in (now.history.failed, now.history.ended) if fact is not None]
    newest = max(found, key=lambda fact: fact.at, default=None)
    problem: Problem | None = newest.problem if newest else None
    if problem is None:
        return None
    return {
        "status_code": problem.status_code,
        "status_text": problem.status_text,
        "message": problem.message,
    }


def _parsed(raw: bytes) -> Any:
    """JSON that can be written as JSON again; raises ``ValueError`` for anything else."""
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
