"""What a delivery channel declares about itself. Data only: senders are in ``workers.delivery.channels``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from processor.delivery.lane import LaneState
from processor.delivery.retry_schedule import is_slow
from processor.settings.definitions import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCondition:
    """The condition that a failing lane raises.

    ``code`` is one of ``processor.conditions.registry``. ``sentence`` may contain ``{name}``, the lane's
    name. ``is_failing`` decides from the state of a lane. ``has_subject``: several lanes can fail at a time.
    """

    code: str
    sentence: str
    is_failing: Callable[[LaneState], bool] = is_slow
    has_subject: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way in which notifications are delivered. ``name`` is its public name."""

    name: str
    failure: FailureCondition


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInChannel(Channel):
    """A channel with one lane, whose id is the channel's name.

    ``is_enabled``: whether the settings switch it on. ``wants``: whether it receives a notification, given
    its public body and the stored fields of its company. ``redelivers_unsent``: a redelivery also sends
    notifications that were never put into the lane.
    """

    is_enabled: Callable[[Settings], bool]
    wants: Callable[[Settings, Mapping[str, Any], Mapping[str, str]], bool]
    redelivers_unsent: bool = False
