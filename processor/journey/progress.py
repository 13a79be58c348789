"""Progress of a company's sync, computed from the public views of its connections. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from handlers.facts import COMPLETE, NOT_SUPPORTED
from handlers.state import AWAITING_FIRST_SYNC, LINKED_STATES, State, is_running
from processor.journey.models import ConnectionView, SyncView


def sync_view(company_id: str, connections: Sequence[ConnectionView]) -> SyncView:
    """The sync of a company over its ``connections`` that are authorised now.

    ``status``: ``idle`` (nothing is authorised), ``reading``, ``complete`` or ``failed`` (all failed);
    ``progress`` is 0 to 100.
    """
    linked = [connection for connection in connections if connection["state"] in LINKED_STATES]
    return {
        "company_id": company_id,
        "id": company_id,
        "status": _status([connection["state"] for connection in linked]),
        "progress": _overall(linked),
        "connections": [_connection_sync(connection) for connection in connections],
    }


def _status(states: Sequence[str]) -> str:
    if not states:
        return "idle"
    if any(state in AWAITING_FIRST_SYNC for state in states):
        return "reading"
    return "failed" if all(state == State.SYNC_FAILED for state in states) else "complete"


def _overall(linked: Sequence[ConnectionView]) -> int:
    parts = [_progress(connection) for connection in linked]
    return sum(parts) // len(parts) if parts else 0


def _progress(connection: ConnectionView) -> int:
    """0 to 100; a sync that has ended counts as 100, also when it failed."""
    return 100 if connection["state"] in (State.READY, State.SYNC_FAILED) else int(connection["progress"])


def _connection_sync(connection: ConnectionView) -> dict[str, Any]:
    linked = connection["state"] in LINKED_STATES
    rows = [row for row in connection["data_types"] if row["current"]] if linked else []
    read_times = [row["at"] for row in connection["data_types"] if row["status"] == COMPLETE]
    copied = (
        *("id", "platform_key", "platform_name", "source_type", "state", "authorized_at"),
        *("waits_for_computer", "paused_until"),
    )
    return {
        "connection_id": connection["id"],
        **{name: connection[name] for name in copied},
        "progress": _progress(connection) if linked else 0,
        "last_read_at": max(read_times, default=None),
        "data_types": [_data_type_sync(row) for row in rows],
    }


def _data_type_sync(row: Mapping[str, Any]) -> dict[str, Any]:
    """``row`` with its outcome: ``reading``, ``complete``, ``failed`` or ``unsupported``."""
    if is_running(row["status"], int(row["progress"])):
        outcome, progress = "reading", int(row["progress"])
    else:
        outcome, progress = _OUTCOMES.get(row["status"], "failed"), 100
    return {**row, "outcome": outcome, "progress": progress}


_OUTCOMES: Mapping[str, str] = {COMPLETE: "complete", NOT_SUPPORTED: "unsupported"}
