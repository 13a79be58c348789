"""What callers see of deliveries: public representations of what is kept. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from processor.clock import from_ms, to_iso
from processor.delivery.lane import EMAIL, OPERATORS, TEST, Mode
from processor.delivery.lane_admin import LaneState
from processor.delivery.subscribers import Subscriber

PUBLISHED = "published"
"""The status of a notification that stands on the stream and goes to nobody in particular."""

STATUSES = (PUBLISHED, "pending", "delivered", "dead", "uncertain")
DELIVERY_STATUSES = ("pending", "delivered", "dead", "uncertain", "cancelled")
CHANNELS = ("webhook", EMAIL, OPERATORS)


def status(row: Mapping[str, str]) -> str:
    """The delivery status of a notification: what is worst of its deliveries."""
    for one in ("dead", "uncertain", "pending", "delivered"):
        if int(row.get(f"n:{one}", 0)) > 0:
            return one
    return PUBLISHED


def is_listed(row: Mapping[str, str], wanted: str) -> bool:
    """Whether a notification belongs into the list of a status: one of its deliveries is pending, dead or
    uncertain; or it is published or delivered, and nothing worse.
    """
    return wanted == status(row) or (
        wanted in ("pending", "dead", "uncertain") and int(row.get(f"n:{wanted}", 0)) > 0
    )


def deliveries(row: Mapping[str, str]) -> list[dict[str, Any]]:
    """What became of a notification in each lane, with each attempt, the oldest first."""
    lanes = sorted(name.removesuffix(":status") for name in row if name.endswith(":status"))
    return [_delivery(lane, row) for lane in lanes]


def attempt(said: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """One attempt."""
    if said is None:
        return None
    names = ("at", "outcome", "status_code", "duration_ms", "error", "answer")
    return {name: said.get(name) for name in names}


def channel(lane_id: str) -> str:
    """What carries the deliveries of a lane."""
    return lane_id if lane_id in (EMAIL, OPERATORS) else CHANNELS[0]


def subscriber(one: Subscriber, state: LaneState, test: LaneState, now: datetime) -> dict[str, Any]:
    """A subscriber and how its lane stands, without its secret and the values of its headers."""
    untils = [until for _, until in one.old_secrets if until > now]
    return {
        "id": one.id,
        "url": one.url,
        "types": list(one.types),
        "description": one.description,
        "ordered": one.ordered,
        "headers": sorted(one.headers),
        "created_at": to_iso(one.created_at),
        "enabled": state.mode in (Mode.ACTIVE, Mode.SLOW),
        "status": state.mode.value,
        "status_since": _iso(state.since),
        "old_secret_until": _iso(max(untils, default=None)),
        **_standing(state),
        "last_test": _tested(test),
    }


def lane(state: LaneState) -> dict[str, Any]:
    """How a lane stands, for the figures of the service."""
    return {
        "id": state.lane_id,
        "channel": channel(state.lane_id),
        "status": state.mode.value,
        "overdue_s": round(state.overdue_s, 3),
        **_standing(state),
    }


def _standing(state: LaneState) -> dict[str, Any]:
    return {
        "waiting": state.waiting,
        "under_way": state.under_way,
        "delivered": state.delivered,
        "dead": state.dead,
        "uncertain": state.uncertain,
        "failures": state.failures,
        "failing_since": _iso(state.failing_since),
        "last_attempt": attempt(state.last_attempt),
    }


def _tested(test: LaneState) -> dict[str, Any] | None:
    if test.last_attempt is None:
        return None
    return {"id": test.last_attempt["id"], **(attempt(test.last_attempt) or {})}


def _delivery(lane_id: str, row: Mapping[str, str]) -> dict[str, Any]:
    total = int(row.get(f"{lane_id}:total", 0))
    kept = (row.get(f"{lane_id}:attempt:{number}") for number in range(1, total + 1))
    next_ms, now = row.get(f"{lane_id}:next"), row[f"{lane_id}:status"]
    return {
        "id": lane_id,
        "channel": channel(lane_id),
        "subscriber_id": None if lane_id in (EMAIL, OPERATORS) else lane_id.removesuffix(TEST),
        "status": now,
        "attempts": [attempt(json.loads(text)) for text in kept if text is not None],
        "next_attempt_at": _iso(from_ms(int(float(next_ms)))) if next_ms and now == "pending" else None,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else to_iso(moment)
