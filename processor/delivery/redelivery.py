"""Sending notifications again, under the same id: one, dead letters, or all since some time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from processor.clock import to_us
from processor.delivery import serializers
from processor.delivery.lane import EMAIL, OPERATORS
from processor.delivery.lane_admin import LaneAdmin
from processor.delivery.subscribers import Subscriber, Subscribers
from processor.errors import Conflict, NotFound
from processor.store import keys
from processor.store.queries import Reader
from processor.store.waker import Waker

PAGE = 200
OTHERS = (EMAIL, OPERATORS)


@dataclass(frozen=True, slots=True)
class RedeliveryResult:
    """A notification, and the lanes into which it was put (or would be)."""

    notification_id: str
    type: str
    lanes: tuple[str, ...]


class RedeliveryService:
    """Puts notifications into lanes again. Raises ``redis.RedisError`` when Redis does not answer."""

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
        """Send one notification again: to all who want it and where it is dead, or to one, wanted or not.

        Raises ``NotFound`` for an id that nobody has, ``Conflict`` when there is nobody to send it to.
        """
        row = self._reader.notification(notification_id)
        if row is None:
            raise NotFound("There is no notification with this id.")
        takers = self._takers(subscriber_id)
        lanes = self._lanes(row, takers, None) if subscriber_id is None else (subscriber_id,)
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
        """Send again what was decided since then, oldest first; ``undelivered``: what did not arrive.

        A subscriber gets the types that it wants, also where it is the only one.
        """
        takers = self._takers(subscriber_id)
        lowest, offset = to_us(moment), 0
        while True:
            ids = self._client.zrangebyscore(keys.outbox(), lowest, "+inf", start=offset, num=PAGE)
            for id_ in ids:
                row = self._reader.notification(id_.decode())
                lanes = self._lanes(row, takers, subscriber_id, undelivered=undelivered) if row else ()
                if row and lanes:
                    yield self._put(row, lanes, dry_run=dry_run)
            offset += len(ids)
            if len(ids) < PAGE:
                return

    def redeliver_dead(
        self, *, subscriber_id: str | None = None, dry_run: bool = False
    ) -> Iterator[RedeliveryResult]:
        """Send all dead letters again, of one subscriber or of all, where their types are wanted still."""
        if subscriber_id is not None:
            self._takers(subscriber_id)
        for id_, lane_id in list(self.dead_letters(subscriber_id=subscriber_id)):
            row = self._reader.notification(id_)
            if row is not None and self._may_send(lane_id, row["body"]["type"]):
                yield self._put(row, (lane_id,), dry_run=dry_run)

    def dead_letters(self, *, subscriber_id: str | None = None) -> Iterator[tuple[str, str]]:
        """Notification id and lane of every dead letter, the oldest first."""
        for member in self._client.zrange(keys.dead_deliveries(), 0, -1):
            id_, _, lane_id = member.decode().partition(" ")
            if subscriber_id in (None, lane_id):
                yield id_, lane_id

    def _takers(self, subscriber_id: str | None) -> list[Subscriber]:
        """Who may be sent something now."""
        found = self._subscribers.all()
        if subscriber_id is None:
            states = self._lane_admin.states([one.id for one in found])
            return [one for one in found if states[one.id].mode.collects]
        if subscriber_id in OTHERS:
            return []
        one = self._subscribers.get(subscriber_id)
        if not self._may_send(subscriber_id):
            raise Conflict("The subscriber is disabled; enable it first.")
        return [one]

    def _may_send(self, lane_id: str, type_: str | None = None) -> bool:
        """Whether anything goes there now, and ``type_``, where it is given, is wanted there."""
        if lane_id not in OTHERS:
            one = self._subscribers.find(lane_id)
            if one is None or not (type_ is None or one.wants(type_)):
                return False
        return self._lane_admin.states([lane_id])[lane_id].mode.collects

    def _lanes(
        self,
        row: Mapping[str, Any],
        takers: list[Subscriber],
        subscriber_id: str | None,
        *,
        undelivered: bool = False,
    ) -> tuple[str, ...]:
        """Where it goes again: with ``undelivered`` only where it did not arrive and does not wait.

        ``OPERATOR_ALERT_TYPES`` decided when it was divided what concerns the operators.
        """
        status_in = {one["id"]: one["status"] for one in serializers.deliveries(row["deliveries"])}
        type_ = row["body"]["type"]
        found = [one.id for one in takers if one.wants(type_)]
        if subscriber_id in OTHERS:
            found = [subscriber_id] if subscriber_id == EMAIL or subscriber_id in status_in else []
        elif subscriber_id is None:
            found += [lane for lane in OTHERS if status_in.get(lane) in ("dead", "uncertain")]
        if undelivered:
            found = [
                lane for lane in found if status_in.get(lane) not in ("delivered", "pending", "uncertain")
            ]
        return tuple(found)

    def _put(self, row: Mapping[str, Any], lanes: tuple[str, ...], *, dry_run: bool) -> RedeliveryResult:
        body = row["body"]
        done = (
            lanes if dry_run else tuple(lane for lane in lanes if self._lane_admin.requeue(body["id"], lane))
        )
        if done and not dry_run:
            self._waker.wake_dispatcher()
        return RedeliveryResult(body["id"], body["type"], done)
