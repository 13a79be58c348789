"""Lanes: their state, the deliveries leased from them, and what an attempt means. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Any

from processor.delivery.subscribers import Subscriber
from processor.store import keys

LEASE = timedelta(seconds=6)

_TEST_SUFFIX = ".test"

_numbers = count(1)


class Mode(StrEnum):
    """The mode of a lane."""

    ACTIVE = "active"
    SLOW = "slow"
    PAUSED = "paused"
    DISABLED = "disabled"
    GONE = "gone"

    @property
    def accepts_notifications(self) -> bool:
        """Whether new notifications enter the lane; a paused lane keeps them."""
        return self not in (Mode.DISABLED, Mode.GONE)


class AttemptVerdict(StrEnum):
    """What an attempt means for the delivery; ``gone`` also ends the lane.

    ``uncertain``: the notification was sent and no answer came, so that it may have arrived. Only an operator
    sends it again. ``cancelled``: it was not to be sent any more, which is no failure.
    """

    DELIVERED = "delivered"
    AGAIN = "again"
    DEAD = "dead"
    UNCERTAIN = "uncertain"
    GONE = "gone"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Lane:
    """The deliveries to ``subscriber``, or by the built-in channel that ``id`` names."""

    id: str
    subscriber: Subscriber | None = None

    @property
    def is_test(self) -> bool:
        """Whether the lane has test messages, which are attempted once, whatever the mode."""
        return self.id.endswith(_TEST_SUFFIX)

    @property
    def ordered(self) -> bool:
        """Whether notifications of one connection are delivered in order."""
        return self.subscriber is not None and self.subscriber.ordered

    @property
    def rate_per_s(self) -> float:
        """The most attempts a second; 0: any number. Test messages are not counted."""
        return self.subscriber.rate_per_s if self.subscriber is not None and not self.is_test else 0.0


@dataclass(frozen=True, slots=True)
class LaneState:
    """The state of a lane; ``waiting`` includes the deliveries under way, times are by our clock."""

    lane_id: str
    mode: Mode
    since: datetime | None
    waiting: int
    under_way: int
    overdue_s: float
    failures: int
    failing_since: datetime | None
    delivered: int
    dead: int
    uncertain: int
    last_attempt: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Lease:
    """A delivery that the process ``token`` attempts now; ``tries`` counts the attempts before this one."""

    lane: Lane
    cell: int
    notification_id: str
    connection_id: str
    body: str
    tries: int
    token: str = "-"  # noqa: S105 - a name, no secret

    @property
    def log_fields(self) -> dict[str, object]:
        """Fields of each log line about this delivery; ``event_id`` is ``None`` for alerts and tests."""
        return {
            "event_id": json.loads(self.body)["data"].get("event_id"),
            "notification_id": self.notification_id,
            "connection_id": self.connection_id or None,
            "lane": self.lane.id,
        }


@dataclass(frozen=True, slots=True)
class CompletedAttempt:
    """An attempt that is to be recorded.

    ``record`` is its stored form. ``counts``: a failure counts against the lane. ``asked``: the receiver
    asked for the next attempt's time. ``number`` rises from one attempt of this process to the next.
    """

    lease: Lease
    verdict: AttemptVerdict
    record: Mapping[str, Any]
    next_attempt_at: datetime | None = None
    counts: bool = True
    asked: bool = False
    number: int = field(default_factory=lambda: next(_numbers))


def lane_of_tests(subscriber_id: str) -> str:
    """The id of the lane that has a subscriber's test messages."""
    return subscriber_id + _TEST_SUFFIX


def subscriber_id_of(lane_id: str) -> str:
    """The subscriber of a lane, or of a lane of test messages."""
    return lane_id.removesuffix(_TEST_SUFFIX)


def common_keys(cell: int) -> list[str]:
    """The first keys of every script that changes statuses (``common.lua``)."""
    return [
        keys.outbox(cell),
        *(keys.outbox_with(cell, status) for status in ("pending", "delivered", "dead", "uncertain")),
        keys.dead_deliveries(cell),
    ]


def milliseconds(span: timedelta) -> int:
    """A span in whole milliseconds, as scripts count time."""
    return span // timedelta(milliseconds=1)
