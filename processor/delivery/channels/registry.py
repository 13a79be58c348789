"""All delivery channels, and the lanes that they have."""

from collections.abc import Iterable

from processor.delivery.channels.channel import BuiltInChannel, Channel
from processor.delivery.channels.email import EMAIL
from processor.delivery.channels.operators import OPERATORS
from processor.delivery.channels.webhook import WEBHOOK
from processor.delivery.lane import lane_of_tests, subscriber_id_of
from processor.settings.definitions import Settings
from processor.store import keys

BUILT_IN: dict[str, BuiltInChannel] = {channel.name: channel for channel in (EMAIL, OPERATORS)}
"""The channels with one lane each, by the lane's id."""


def channel_of(lane_id: str) -> Channel:
    """The channel of a lane."""
    return BUILT_IN.get(lane_id, WEBHOOK)


def channel_names() -> tuple[str, ...]:
    """The public names of all channels."""
    return (WEBHOOK.name, *BUILT_IN)


def enabled_channels(settings: Settings) -> list[BuiltInChannel]:
    """The built-in channels that the settings switch on."""
    return [channel for channel in BUILT_IN.values() if channel.is_enabled(settings)]


def lane_ids(subscriber_ids: Iterable[str]) -> list[str]:
    """The ids of all lanes: those of the subscribers, those of their tests, and the built-in ones."""
    ids = list(subscriber_ids)
    return [*ids, *map(lane_of_tests, ids), *BUILT_IN]


def subscriber_keys(lane_id: str) -> list[str]:
    """The key of the subscriber without which a lane is invalid; none for a built-in lane."""
    return [] if lane_id in BUILT_IN else [keys.subscriber(subscriber_id_of(lane_id))]
