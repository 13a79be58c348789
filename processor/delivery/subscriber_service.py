"""Management of subscribers, for the API, the operators' pages and the command line."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from processor.delivery import serializers
from processor.delivery.lane import lane_of_tests
from processor.delivery.lane_admin import LaneAdmin
from processor.delivery.subscribers import Subscriber, Subscribers
from processor.store import keys
from processor.store.queries import Reader
from processor.store.waker import Waker


class SubscriberService:
    """Manages subscribers; returns public representations.

    Raises ``NotFound``, ``Invalid``, ``Conflict`` and ``redis.RedisError``.
    """

    def __init__(
        self,
        *,
        subscribers: Subscribers,
        lane_admin: LaneAdmin,
        reader: Reader,
        waker: Waker,
        clock: Callable[[], datetime],
    ) -> None:
        self._subscribers = subscribers
        self._lane_admin = lane_admin
        self._reader = reader
        self._waker = waker
        self._clock = clock

    def list(self, *, limit: int, cursor: str | None = None) -> dict[str, Any]:
        """A page of subscribers, newest first."""
        page = self._reader.member_page(keys.subscribers(), limit=limit, cursor=cursor)
        by_id = {subscriber.id: subscriber for subscriber in self._subscribers.all()}
        items = self._serialize([by_id[id_] for id_ in page.items if id_ in by_id])
        return {"items": items, "next_cursor": page.next_cursor}

    def show(self, subscriber_id: str) -> dict[str, Any]:
        """One subscriber."""
        return self._serialize([self._subscribers.get(subscriber_id)])[0]

    def add(self, *, url: str, **fields: Any) -> dict[str, Any]:
        """A new subscriber with its secret, which is shown only now; fields of ``None`` get their default."""
        fields = {name: value for name, value in fields.items() if value is not None}
        return self._serialize_with_secret(self._subscribers.add(url=url, **fields))

    def change(self, subscriber_id: str, *, enabled: bool | None = None, **fields: Any) -> dict[str, Any]:
        """Change the given fields; ``enabled`` enables or disables the lane."""
        self._subscribers.change(subscriber_id, **fields)
        if enabled is True:
            self._lane_admin.enable(subscriber_id)
            self._waker.wake_dispatcher()
        elif enabled is False:
            self._lane_admin.disable(subscriber_id)
        return self.show(subscriber_id)

    def rotate(self, subscriber_id: str) -> dict[str, Any]:
        """Replace the secret; the new one is shown only now, and the old one also signs for 24 hours."""
        return self._serialize_with_secret(self._subscribers.rotate(subscriber_id))

    def remove(self, subscriber_id: str) -> None:
        """Remove a subscriber and cancel its waiting deliveries."""
        self._subscribers.get(subscriber_id)
        self._subscribers.remove(subscriber_id)
        for lane_id in (subscriber_id, lane_of_tests(subscriber_id)):
            self._lane_admin.abandon(lane_id, removed=True)

    def send_test(self, subscriber_id: str) -> dict[str, Any]:
        """Send a test message; its result is shown as the subscriber's ``last_test``."""
        self._subscribers.get(subscriber_id)
        id_ = self._lane_admin.send_test(subscriber_id)
        self._waker.wake_dispatcher()
        return {"id": id_, "subscriber_id": subscriber_id, "status": "pending"}

    def _serialize_with_secret(self, subscriber: Subscriber) -> dict[str, Any]:
        return {**self._serialize([subscriber])[0], "secret": subscriber.secret}

    def _serialize(self, subscribers: Sequence[Subscriber]) -> Sequence[dict[str, Any]]:
        ids = [subscriber.id for subscriber in subscribers]
        states = self._lane_admin.states([*ids, *map(lane_of_tests, ids)])
        now = self._clock()
        return [
            serializers.subscriber(
                subscriber, states[subscriber.id], states[lane_of_tests(subscriber.id)], now
            )
            for subscriber in subscribers
        ]
