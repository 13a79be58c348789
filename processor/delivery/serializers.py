"""Public representations of deliveries, lanes and subscribers. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from processor.clock import iso_or_none, to_iso
from processor.delivery.channels.registry import BUILT_IN, channel_of
from processor.delivery.lane import LaneState, Mode, subscriber_id_of
from processor.delivery.subscribers import Subscriber
from processor.store.decoding import fields_with_prefix, moment

PUBLISHED = "published"
"""The status of a notification that has no delivery: only the stream gets it."""

STATUSES = (PUBLISHED, "pending", "delivered", "dead", "uncertain")
DELIVERY_STATUSES = ("pending", "delivered", "dead", "uncertain", "cancelled")


def status(row: Mapping[str, str]) -> str:
    """The delivery status of a notification: the worst of its deliveries."""
    for status in ("dead", "uncertain", "pending", "delivered"):
        if _has(row, status):
            return status
    return PUBLISHED


def is_listed(row: Mapping[str, str], list_status: str) -> bool:
    """Whether a notification belongs into the list of a status.

    That is its own status, and pending, dead or uncertain where any of its deliveries is.
    """
    return list_status == status(row) or (
        list_status in ("pending", "dead", "uncertain") and _has(row, list_status)
    )


def _has(row: Mapping[str, str], status: str) -> bool:
    """Whether a delivery has this status; not if the number of them is damaged."""
    count = row.get(f"n:{status}", "")
    return count.isdecimal() and count.strip("0") != ""


def deliveries(row: Mapping[str, str]) -> list[dict[str, Any]]:
    """The deliveries of a notification by lane, each with its attempts, oldest first."""
    lane_ids = sorted(name.removesuffix(":status") for name in row if name.endswith(":status"))
    return [_delivery(lane_id, row) for lane_id in lane_ids]


def attempt(fields: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """One attempt."""
    if fields is None:
        return None
    names = ("at", "outcome", "status_code", "duration_ms", "error", "answer")
    return {name: fields.get(name) for name in names}


def subscriber(
    subscriber: Subscriber, state: LaneState, test_state: LaneState, now: datetime
) -> dict[str, Any]:
    """A subscriber and the state of its lane, without its secret and the values of its headers."""
    old_secrets_until = [until for _, until in subscriber.old_secrets if until > now]
    return {
        "id": subscriber.id,
        "url": subscriber.url,
        "types": list(subscriber.types),
        "description": subscriber.description,
        "ordered": subscriber.ordered,
        "traceparent": subscriber.traceparent,
        "rate_per_s": subscriber.rate_per_s,
        "headers": sorted(subscriber.headers),
        "created_at": to_iso(subscriber.created_at),
        "enabled": state.mode in (Mode.ACTIVE, Mode.SLOW),
        "status": state.mode.value,
        "status_since": iso_or_none(state.since),
        "old_secret_until": iso_or_none(max(old_secrets_until, default=None)),
        **_figures(state),
        "last_test": _last_test(test_state),
    }


def lane(state: LaneState) -> dict[str, Any]:
    """The state of a lane, for the service's statistics."""
    return {
        "id": state.lane_id,
        "channel": channel_of(state.lane_id).name,
        "status": state.mode.value,
        "overdue_s": round(state.overdue_s, 3),
        **_figures(state),
    }


def _figures(state: LaneState) -> dict[str, Any]:
    return {
        "waiting": state.waiting,
        "under_way": state.under_way,
        "delivered": state.delivered,
        "dead": state.dead,
        "uncertain": state.uncertain,
        "failures": state.failures,
        "failing_since": iso_or_none(state.failing_since),
        "last_attempt": attempt(state.last_attempt),
    }


def _last_test(state: LaneState) -> dict[str, Any] | None:
    if state.last_attempt is None:
        return None
    return {"id": state.last_attempt["id"], **(attempt(state.last_attempt) or {})}


def _delivery(lane_id: str, row: Mapping[str, str]) -> dict[str, Any]:
    fields = fields_with_prefix(row, f"{lane_id}:attempt:")
    attempts = sorted(fields, key=lambda numbered: len(numbered[0]))  # 10 after 9
    delivery_status = row[f"{lane_id}:status"]
    next_at = moment(row, f"{lane_id}:next") if delivery_status == "pending" else None
    return {
        "id": lane_id,
        "channel": channel_of(lane_id).name,
        "subscriber_id": None if lane_id in BUILT_IN else subscriber_id_of(lane_id),
        "status": delivery_status,
        "attempts": [attempt(json.loads(text)) for _, text in attempts],
        "next_attempt_at": iso_or_none(next_at),
    }
