"""What lanes are made of: their names, how they stand, what is taken from them and what comes of it."""

import json
from dataclasses import dataclass
from enum import StrEnum

from processor.delivery.subscribers import Subscriber
from processor.store import keys

EMAIL = "email"
OPERATORS = "operators"
TEST = ".test"
"""Ends the name of the lane of a subscriber's test messages."""


class Mode(StrEnum):
    """How a lane stands."""

    ACTIVE = "active"
    SLOW = "slow"
    PAUSED = "paused"
    DISABLED = "disabled"
    GONE = "gone"

    @property
    def collects(self) -> bool:
        """Whether new notifications go into the lane; a paused one keeps them."""
        return self not in (Mode.DISABLED, Mode.GONE)


class AttemptVerdict(StrEnum):
    """What an attempt means for the delivery; ``gone`` also ends the lane.

    ``uncertain``: it was sent and no answer came, so that it may have arrived. It is not sent again unless an
    operator wants it.
    """

    DELIVERED = "delivered"
    AGAIN = "again"
    DEAD = "dead"
    UNCERTAIN = "uncertain"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Lane:
    """One road out: to ``subscriber``, or by the channel that its id names."""

    id: str
    subscriber: Subscriber | None = None

    @property
    def is_test(self) -> bool:
        """Whether it is for test messages, which are attempted once, whatever the mode."""
        return self.id.endswith(TEST)

    @property
    def ordered(self) -> bool:
        """Whether notifications of one connection never overtake each other."""
        return self.subscriber is not None and self.subscriber.ordered


@dataclass(frozen=True, slots=True)
class Lease:
    """A delivery that we attempt now; ``tries`` is how often it was attempted before.

    ``token`` names the process that holds the lease.
    """

    lane: Lane
    notification_id: str
    connection_id: str
    body: str
    tries: int
    token: str = "-"  # noqa: S105 - a name, no secret

    @property
    def fields(self) -> dict[str, object]:
        """What each log line about it carries; ``event_id`` is ``None`` for alerts and tests."""
        return {
            "event_id": json.loads(self.body)["data"].get("event_id"),
            "notification_id": self.notification_id,
            "connection_id": self.connection_id or None,
            "lane": self.lane.id,
        }


def guard_of(lane_id: str, notification_id: str) -> str:
    """The key without which a lane is no more: its subscriber; where it has none, what is to be sent."""
    if lane_id in (EMAIL, OPERATORS):
        return keys.notification(notification_id)
    return keys.subscriber(lane_id.removesuffix(TEST))


def common_keys(notification_id: str) -> list[str]:
    """The keys with which every script of one notification begins."""
    return [
        keys.deliveries(notification_id),
        keys.outbox(),
        *(keys.outbox_with(status) for status in ("pending", "delivered", "dead", "uncertain")),
        keys.dead_deliveries(),
    ]
