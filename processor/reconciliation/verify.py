"""Verifies a connection: rebuilding it from its kept messages gives what is stored. Writes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from handlers.connection import Connection
from handlers.events import Event
from handlers.past import summed_up_facts
from handlers.registry import Policy
from handlers.state import situation
from processor.clock import from_iso
from processor.errors import NotFound
from processor.reconciliation.kept_messages import PAGE_SIZE, KeptMessages
from processor.resources import past, serializers
from processor.store import cursors
from processor.store.queries import Reader
from processor.store.records import StoredConnection, UnreadableConnection

_COMPARED = ("state", "link_status", "authorization", "authorized_at", "error")
"""Fields of a connection that are compared, beside its data types and facts."""


class VerificationOutcome(StrEnum):
    """The outcomes of a verification."""

    SAME = "same"
    DIFFERENT = "different"
    INCOMPLETE = "incomplete"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class PartDifference:
    """A part of a connection (``facts.…``, ``data_types.…``, a field) as stored and as rebuilt."""

    part: str
    stored: Any
    rebuilt: Any


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """What a verification found.

    ``messages`` is the number of messages that were applied, and ``gone`` that of the messages whose facts
    are stored and which are not kept any more: then the outcome is ``incomplete``, and nothing is compared.
    """

    connection_id: str
    outcome: VerificationOutcome
    messages: int = 0
    gone: int = 0
    differences: tuple[PartDifference, ...] = ()


class ConnectionVerification:
    """Rebuilds connections from their kept messages and compares them with what is stored."""

    def __init__(self, reader: Reader, *, policy: Policy) -> None:
        self._reader, self._policy, self._kept = reader, policy, KeptMessages(reader)

    def run(self, connection_id: str) -> VerificationResult:
        """Verify one connection. Raises :class:`NotFound` for an unknown id."""
        row = self._reader.row(connection_id)
        if row is None:
            raise NotFound("There is no connection with this id.")
        return self._verify(row)

    def run_all(self) -> Iterator[VerificationResult]:
        """Verify all connections, newest first."""
        pages = partial(self._reader.list_connections, limit=PAGE_SIZE)
        for row in cursors.all_items(pages):
            yield self._verify(row)

    def rebuilt(self, connection: Connection) -> tuple[Connection | None, int, int]:
        """The connection from its kept messages, their number, and the number of those that are gone.

        ``None`` where messages are gone from which it was learnt.
        """
        entries = past.whole_timeline(self._reader, connection.id)
        handled_at: dict[str, datetime] = {}
        for entry in entries:
            handled_at.setdefault(entry["event_id"], from_iso(entry["handled_at"]))
        rows = self._kept.rows(connection.id, connection.company_id)
        kept = {row["event_id"] for row in rows}
        facts = (*connection.facts, *summed_up_facts(connection))
        gone = {fact.event_id for fact in facts} - kept
        if gone or not kept:
            return None, 0, len(gone)
        handled = [
            row["event_id"] for row in rows if row["status"] == "processed" or row["event_id"] in handled_at
        ]

        def now_of(event: Event) -> datetime:
            return handled_at.get(event.event_id, event.received_at)

        rebuilt, count = self._kept.rebuilt(
            connection.id,
            connection.company_id,
            handled,
            policy=self._policy,
            now_of=now_of,
            places={event_id: place for place, event_id in enumerate(handled_at)},
        )
        return rebuilt or Connection(connection.id), count, 0

    def _verify(self, stored: StoredConnection | UnreadableConnection) -> VerificationResult:
        """Compare; once more with the newest record if that was written since ``stored`` was read."""
        result = self._compared(stored)
        if result.outcome is VerificationOutcome.DIFFERENT:
            newest = self._reader.row(result.connection_id)
            if newest is not None and newest != stored:
                return self._compared(newest)
        return result

    def _compared(self, stored: StoredConnection | UnreadableConnection) -> VerificationResult:
        if isinstance(stored, UnreadableConnection):
            return VerificationResult(stored.id, VerificationOutcome.UNREADABLE)
        connection = stored.connection
        rebuilt, count, gone = self.rebuilt(connection)
        if rebuilt is None:
            return VerificationResult(connection.id, VerificationOutcome.INCOMPLETE, gone=gone)
        differences = _differences(stored, rebuilt)
        outcome = VerificationOutcome.DIFFERENT if differences else VerificationOutcome.SAME
        return VerificationResult(connection.id, outcome, count, differences=differences)


def _differences(stored: StoredConnection, rebuilt: Connection) -> tuple[PartDifference, ...]:
    before = _parts(stored.connection, stored.state)
    after = _parts(rebuilt, situation(rebuilt).state.value)
    return tuple(
        PartDifference(part, before.get(part), after.get(part))
        for part in dict.fromkeys((*before, *after))
        if before.get(part) != after.get(part)
    )


def _parts(connection: Connection, state: str) -> dict[str, Any]:
    """What is compared, by the name of the part."""
    shown = serializers.connection(StoredConnection(connection, state, 0), state=state)
    parts = {name: shown[name] for name in _COMPARED}
    for data_type in shown["data_types"]:
        parts[f"data_types.{data_type['data_type']}"] = {
            name: data_type[name] for name in ("status", "at", "progress")
        }
    for fact in past.fact_rows(connection):
        name = " ".join(str(fact[field]) for field in ("kind", "at", "status") if fact[field])
        parts[f"facts.{name}"] = fact
    return parts
