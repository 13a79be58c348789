"""The state of all lanes, for the service's statistics."""

from typing import Any

from redis import Redis

from processor.delivery import serializers
from processor.delivery.channels.registry import BUILT_IN
from processor.delivery.lane_admin import LaneAdmin
from processor.store import keys
from processor.store.decoding import texts


def lanes(client: "Redis[Any]") -> list[dict[str, Any]]:
    """The state of every subscriber's lane, and of the built-in lanes that were ever used."""
    subscriber_ids = texts(client.zrange(keys.subscribers(), 0, -1))
    states = LaneAdmin(client).states([*subscriber_ids, *BUILT_IN]).values()
    return [
        serializers.lane(state)
        for state in states
        if state.lane_id not in BUILT_IN or state.waiting or state.last_attempt
    ]
