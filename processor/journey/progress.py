"""How reading a company's data stands, out of the connections as they are shown. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from handlers.facts import COMPLETE, NOT_SUPPORTED
from handlers.state import AWAITING_FIRST_SYNC, LINKED_STATES, State, is_running
from processor.journey.models import ConnectionSync, ConnectionView, DataTypeSync, SyncView


def sync_view(company_id: str, connections: Sequence[ConnectionView]) -> SyncView:
    """How reading stands; ``connections`` as in ``serializers.connection``."""
    linked = [one for one in connections if one["state"] in LINKED_STATES]
    return SyncView(
        company_id,
        status=_status([one["state"] for one in linked]),
        progress=_overall(linked),
        connections=tuple(_connection(one) for one in connections),
    )


def _status(states: Sequence[str]) -> str:
    if not states:
        return "idle"
    if any(state in AWAITING_FIRST_SYNC for state in states):
        return "reading"
    return "failed" if all(state == State.SYNC_FAILED for state in states) else "complete"


def _overall(linked: Sequence[ConnectionView]) -> int:
    parts = [_progress(one) for one in linked]
    return sum(parts) // len(parts) if parts else 0


def _progress(one: ConnectionView) -> int:
    """What has ended needs no more reading, well or badly."""
    return 100 if one["state"] in (State.READY, State.SYNC_FAILED) else int(one["progress"])


def _connection(one: ConnectionView) -> ConnectionSync:
    linked = one["state"] in LINKED_STATES
    rows = [row for row in one["data_types"] if row["current"]] if linked else []
    ended = [row["at"] for row in one["data_types"] if row["status"] == COMPLETE]
    return ConnectionSync(
        connection_id=one["id"],
        platform_key=one["platform_key"],
        platform_name=one["platform_name"],
        source_type=one["source_type"],
        state=one["state"],
        progress=_progress(one) if linked else 0,
        authorized_at=one["authorized_at"],
        last_read_at=max(ended, default=None),
        data_types=tuple(_data_type(row) for row in rows),
    )


def _data_type(row: Mapping[str, Any]) -> DataTypeSync:
    status = row["status"]
    if is_running(status, int(row["progress"])):
        outcome, progress = "reading", int(row["progress"])
    else:
        outcome, progress = _OUTCOMES.get(status, "failed"), 100
    return DataTypeSync(row["data_type"], status, outcome, progress, row["at"], row["message"])


_OUTCOMES: Mapping[str, str] = {COMPLETE: "complete", NOT_SUPPORTED: "unsupported"}
