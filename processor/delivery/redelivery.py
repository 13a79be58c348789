"""Redelivery of notifications under their ids: one, all dead letters, or all since a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from redis import Redis

from processor.clock import to_us
from processor.delivery import serializers
from processor.delivery.channels.registry import BUILT_IN
from processor.delivery.lane_admin import LaneAdmin
from processor.delivery.subscribers import Subscriber, Subscribers
from processor.errors import Conflict, NotFound
from processor.store import each_cell, keys
from processor.store.queries import Reader
from processor.store.waker import Waker


@dataclass(frozen=True, slots=True)
class RedeliveryResult:
    """A notification, and the lanes into which it was put (or, in a dry run, would be)."""

    notification_id: str
    type: str
    lanes: tuple[str, ...]


class RedeliveryService:
    """Puts notifications into lanes again.

    A ``subscriber_id`` may also be the id of a built-in lane. Raises ``redis.RedisError``.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        subscribers: Subscribers,
        lane_admin: LaneAdmin,
        reader: Reader,
        waker: Waker,
    ) -> None:
        self._client = client
        self._reader = reader
        self._waker = waker
        self._lane_admin = lane_admin
        self._subscribers = subscribers

    def redeliver(
        self, notification_id: str, *, subscriber_id: str | None = None, dry_run: bool = False
    ) -> RedeliveryResult:
        """Send one notification again: to all that want it and where it is dead, or to one in any case.

        Raises ``NotFound`` for an unknown id, ``Conflict`` when it has no recipient.
        """
        row = self._reader.notification(notification_id)
        if row is None:
            raise NotFound("There is no notification with this id.")
        recipients = self._recipients(subscriber_id)
        lanes = self._lanes(row, recipients, None) if subscriber_id is None else (subscriber_id,)
        if not lanes:
            raise Conflict("There is nobody to send it to: no enabled subscriber wants this type.")
        return self._put(row, lanes, dry_run=dry_run)

    def redeliver_since(
        self,
        moment: datetime,
        *,
        subscriber_id: str | None = None,
        undelivered: bool = False,
        dry_run: bool = False,
    ) -> Iterator[RedeliveryResult]:
        """Send again all notifications since then, oldest first; ``undelivered``: those that did not arrive.

        A subscriber receives the types that it wants, also where ``subscriber_id`` names it.
        """
        recipients = self._recipients(subscriber_id)
        for cell, id_ in each_cell.by_score(self._client, keys.outbox, lowest=to_us(moment)):
            row = self._reader.notification(id_, cell=cell)
            lanes = self._lanes(row, recipients, subscriber_id, undelivered=undelivered) if row else ()
            if row and lanes:
                yield self._put(row, lanes, dry_run=dry_run)

    def redeliver_dead(
        self, *, subscriber_id: str | None = None, dry_run: bool = False
    ) -> Iterator[RedeliveryResult]:
        """Send all dead letters again, of one subscriber or of all, where their types are still wanted."""
        if subscriber_id is not None:
            self._recipients(subscriber_id)
        for id_, lane_id in list(self.dead_letters(subscriber_id=subscriber_id)):
            row = self._reader.notification(id_)
            if row is not None and self._accepts(lane_id, row["body"]["type"]):
                yield self._put(row, (lane_id,), dry_run=dry_run)

    def dead_letters(self, *, subscriber_id: str | None = None) -> Iterator[tuple[str, str]]:
        """Notification id and lane of every dead letter, oldest first."""
        for _, member in each_cell.by_score(self._client, keys.dead_deliveries):
            id_, _, lane_id = member.partition(" ")
            if subscriber_id in (None, lane_id):
                yield id_, lane_id

    def _recipients(self, subscriber_id: str | None) -> list[Subscriber]:
        """The subscribers that accept deliveries, or the named one. Raises ``Conflict`` if it is disabled."""
        if subscriber_id is None:
            subscribers = self._subscribers.all()
            states = self._lane_admin.states([subscriber.id for subscriber in subscribers])
            return [
                subscriber for subscriber in subscribers if states[subscriber.id].mode.accepts_notifications
            ]
        if subscriber_id in BUILT_IN:
            return []
        subscriber = self._subscribers.get(subscriber_id)
        if not self._accepts(subscriber_id):
            raise Conflict("The subscriber is disabled; enable it first.")
        return [subscriber]

    def _accepts(self, lane_id: str, type_: str | None = None) -> bool:
        """Whether a lane accepts deliveries, and wants ``type_`` if given."""
        if lane_id not in BUILT_IN:
            subscriber = self._subscribers.find(lane_id)
            if subscriber is None or not (type_ is None or subscriber.wants(type_)):
                return False
        return self._lane_admin.states([lane_id])[lane_id].mode.accepts_notifications

    def _lanes(
        self,
        row: Mapping[str, Any],
        recipients: list[Subscriber],
        subscriber_id: str | None,
        *,
        undelivered: bool = False,
    ) -> tuple[str, ...]:
        """The lanes of a redelivery; with ``undelivered`` only those where it neither arrived nor waits.

        A built-in lane receives it only where it did before, unless its channel ``redelivers_unsent``.
        """
        statuses = {
            delivery["id"]: delivery["status"] for delivery in serializers.deliveries(row["deliveries"])
        }
        type_ = row["body"]["type"]
        lanes = [subscriber.id for subscriber in recipients if subscriber.wants(type_)]
        channel = BUILT_IN.get(subscriber_id or "")
        if channel is not None:
            lanes = [channel.name] if channel.redelivers_unsent or channel.name in statuses else []
        elif subscriber_id is None:
            lanes += [name for name in BUILT_IN if statuses.get(name) in ("dead", "uncertain")]
        if undelivered:
            lanes = [
                lane for lane in lanes if statuses.get(lane) not in ("delivered", "pending", "uncertain")
            ]
        return tuple(lanes)

    def _put(self, row: Mapping[str, Any], lanes: tuple[str, ...], *, dry_run: bool) -> RedeliveryResult:
        body = row["body"]
        if not dry_run:
            requeue = partial(self._lane_admin.requeue, body["id"], cell=row["cell"])
            lanes = tuple(filter(requeue, lanes))
            if lanes:
                self._waker.wake_dispatcher()
        return RedeliveryResult(body["id"], body["type"], lanes)
