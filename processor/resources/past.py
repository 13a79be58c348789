"""Connections as they were believed to be at an earlier time, and their facts as the machine holds them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from handlers.connection import Connection
from handlers.facts import Claim, Fact
from handlers.fold import effective_facts
from handlers.past import Belief, RecordedDecision, RecordedEntry, believed_at
from handlers.state import State
from processor.clock import from_iso, from_ms, iso_or_none, to_iso
from processor.errors import Conflict, NotFound
from processor.resources import queries, serializers
from processor.store.cursors import filtered_page
from processor.store.queries import Reader
from processor.store.records import StoredConnection
from processor.store.timelines import MOST_ENTRIES


def connection(reader: Reader, connection_id: str, at: datetime | None = None) -> dict[str, Any]:
    """One connection, as believed ``at`` a time (with ``as_of``), or as it is now."""
    if at is None:
        return queries.connection(reader, connection_id)
    stored = _known_then(reader, connection_id, at)
    entries = whole_timeline(reader, connection_id)
    belief = _believed(stored, entries, at)
    shown = serializers.connection(
        StoredConnection(belief.connection, belief.state, stored.first_heard_ms), state=belief.state
    )
    return {
        **shown,
        "as_of": {
            "at": to_iso(at),
            "complete": belief.complete,
            "because": last_change(entries, at),
        },
    }


def timeline(
    reader: Reader,
    connection_id: str,
    *,
    at: datetime | None = None,
    outcome: str | None = None,
    limit: int,
    cursor: str | None = None,
) -> dict[str, Any]:
    """The timeline of a connection, newest first: what was handled by ``at``, and had this ``outcome``."""
    if at is None and outcome is None:
        return queries.timeline(reader, connection_id, limit=limit, cursor=cursor)
    if at is None:
        queries.connection(reader, connection_id)
    else:
        _known_then(reader, connection_id, at)

    def is_wanted(entry: Mapping[str, Any]) -> bool:
        return outcome in (None, entry["outcome"]) and (at is None or _handled_at(entry) <= at)

    fetch = partial(reader.timeline, connection_id)
    return serializers.page(filtered_page(fetch, is_wanted, limit=limit, cursor=cursor))


def facts(reader: Reader, connection_id: str, at: datetime | None = None) -> dict[str, Any]:
    """The facts and claims of a connection as the machine holds them, or held them ``at`` a time."""
    stored = _readable(reader, connection_id) if at is None else _known_then(reader, connection_id, at)
    connection = stored.connection
    if at is not None:
        connection = _believed(stored, whole_timeline(reader, connection_id), at).connection
    return {
        "id": connection_id,
        "facts": fact_rows(connection),
        "claims": [_claim(claim) for claim in connection.claims],
        "summed_up_until": iso_or_none(connection.compacted_until),
    }


def whole_timeline(reader: Reader, connection_id: str) -> list[dict[str, Any]]:
    """All kept entries of a timeline, oldest first."""
    page = reader.timeline(connection_id, limit=2 * MOST_ENTRIES, cursor=None)
    return list(reversed(page.items))


def state_changes(
    entries: Sequence[Mapping[str, Any]], at: datetime | None = None
) -> list[tuple[State, State]]:
    """The changes of state on a timeline (``entries``, oldest first), until ``at``."""
    return [(State(entry["from"]), State(entry["to"])) for entry in _changes(entries, at)]


def last_change(entries: Sequence[Mapping[str, Any]], at: datetime | None = None) -> Mapping[str, Any] | None:
    """The newest change of state on a timeline (``entries``, oldest first), until ``at``."""
    return next(_changes(reversed(entries), at), None)


def _changes(entries: Iterable[Mapping[str, Any]], at: datetime | None) -> Iterator[Mapping[str, Any]]:
    for entry in entries:
        if entry["from"] != entry["to"] and (at is None or _handled_at(entry) <= at):
            yield entry


def _readable(reader: Reader, connection_id: str) -> StoredConnection:
    queries.connection(reader, connection_id)
    stored = reader.connection(connection_id)
    if stored is None:
        raise Conflict("The record of this connection cannot be read.")
    return stored


def _known_then(reader: Reader, connection_id: str, at: datetime) -> StoredConnection:
    stored = _readable(reader, connection_id)
    first_heard_at = from_ms(stored.first_heard_ms)
    if at < first_heard_at:
        raise NotFound(
            f"This connection was not known then: it was first heard of at {to_iso(first_heard_at)}."
        )
    return stored


def _believed(stored: StoredConnection, entries: Sequence[Mapping[str, Any]], at: datetime) -> Belief:
    return believed_at(stored.connection, stored.state, [_recorded(entry) for entry in entries], at)


def _recorded(entry: Mapping[str, Any]) -> RecordedEntry:
    return RecordedEntry(
        event_id=entry["event_id"],
        at=from_iso(entry["at"]),
        handled_at=_handled_at(entry),
        before=entry["from"],
        after=entry["to"],
        decisions=tuple(
            RecordedDecision(decision["type"], decision["verdict"], decision["notification_id"])
            for decision in entry["decisions"]
        ),
    )


def _handled_at(entry: Mapping[str, Any]) -> datetime:
    return from_iso(entry["handled_at"])


def fact_rows(connection: Connection) -> list[dict[str, Any]]:
    """The facts of a connection, in the order in which they are folded."""
    counting = list(effective_facts(connection.facts))
    return [_fact(fact, counts=fact in counting) for fact in connection.facts]


def _fact(fact: Fact, *, counts: bool) -> dict[str, Any]:
    return {
        "kind": fact.kind.value,
        "at": to_iso(fact.at),
        "known_at": to_iso(fact.known_at),
        "event_id": fact.event_id,
        "status": fact.status.value if fact.status else None,
        "data_types": dict(fact.types),
        "claimed": fact.claimed,
        "counts": counts,
    }


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "event_id": claim.event_id,
        "arrived_at": to_iso(claim.arrived_at),
        "since": to_iso(claim.since),
        "old": claim.old.value if claim.old else None,
        "new": claim.new.value if claim.new else None,
        "settled_by": claim.aspect.value,
    }
