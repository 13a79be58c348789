"""How the lanes stand, for the figures of the service."""

from typing import Any

from redis import Redis

from processor.delivery import serializers
from processor.delivery.lane import EMAIL, OPERATORS
from processor.delivery.lane_admin import LaneAdmin, LaneState
from processor.store import keys
from processor.store.decoding import texts


def lanes(client: "Redis[Any]") -> list[dict[str, Any]]:
    """How every lane stands: those of the subscribers, and those of e-mail and operators once in use."""
    ids = texts(client.zrange(keys.subscribers(), 0, -1))
    states = LaneAdmin(client).states([*ids, EMAIL, OPERATORS])
    return [serializers.lane(state) for state in states.values() if state.lane_id in ids or _is_used(state)]


def _is_used(state: LaneState) -> bool:
    return bool(state.waiting or state.last_attempt)
