"""What can be done with subscribers, for the API and the command line."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from processor.clock import utc_now
from processor.delivery import serializers
from processor.delivery.lane import TEST
from processor.delivery.lane_admin import LaneAdmin
from processor.delivery.subscribers import Subscriber, Subscribers
from processor.store import keys
from processor.store.queries import Reader
from processor.store.waker import Waker


class SubscriberService:
    """Sets subscribers up and changes them; answers with what callers see.

    Raises ``NotFound``, ``Invalid`` and ``Conflict`` as they apply, and ``redis.RedisError``.
    """

    def __init__(
        self,
        *,
        subscribers: Subscribers,
        lane_admin: LaneAdmin,
        reader: Reader,
        waker: Waker,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._subscribers = subscribers
        self._lane_admin = lane_admin
        self._reader = reader
        self._waker = waker
        self._clock = clock

    def list(self, *, limit: int, cursor: str | None = None) -> dict[str, Any]:
        """A page of subscribers, newest first."""
        page = self._reader.member_page(keys.subscribers(), limit=limit, cursor=cursor)
        known = {one.id: one for one in self._subscribers.all()}
        found = [known[id_] for id_ in page.items if id_ in known]
        return {"items": self._shown(found), "next_cursor": page.next_cursor}

    def show(self, subscriber_id: str) -> dict[str, Any]:
        """One subscriber."""
        return self._shown([self._subscribers.get(subscriber_id)])[0]

    def add(
        self,
        *,
        url: str,
        types: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
        description: str | None = None,
        ordered: bool = False,
        enabled: bool = True,
    ) -> dict[str, Any]:
        """A new subscriber, and its secret, which is shown only now."""
        made = self._subscribers.add(
            url=url,
            types=types or (),
            headers=headers,
            description=description or "",
            ordered=ordered,
            enabled=enabled,
        )
        return self._with_secret(made)

    def change(self, subscriber_id: str, *, enabled: bool | None = None, **wanted: Any) -> dict[str, Any]:
        """Change what is named; ``enabled`` lets the lane run or stops it."""
        self._subscribers.change(subscriber_id, **wanted)
        if enabled is True:
            self._lane_admin.enable(subscriber_id)
            self._waker.wake_dispatcher()
        elif enabled is False:
            self._lane_admin.disable(subscriber_id)
        return self.show(subscriber_id)

    def rotate(self, subscriber_id: str) -> dict[str, Any]:
        """Give it a new secret, which is shown only now; the old one also signs for 24 hours."""
        return self._with_secret(self._subscribers.rotate(subscriber_id))

    def remove(self, subscriber_id: str) -> None:
        """Remove it; what waits for it is of no interest any more."""
        self._subscribers.get(subscriber_id)
        self._subscribers.forget(subscriber_id)
        for lane_id in (subscriber_id, subscriber_id + TEST):
            self._lane_admin.end(lane_id, removed=True)

    def send_test(self, subscriber_id: str) -> dict[str, Any]:
        """Send it a test message; what comes of it is shown as its ``last_test``."""
        self._subscribers.get(subscriber_id)
        id_ = self._lane_admin.send_test(subscriber_id)
        self._waker.wake_dispatcher()
        return {"id": id_, "subscriber_id": subscriber_id, "status": "pending"}

    def _with_secret(self, one: Subscriber) -> dict[str, Any]:
        return {**self._shown([one])[0], "secret": one.secret}

    def _shown(self, found: Sequence[Subscriber]) -> Sequence[dict[str, Any]]:
        states = self._lane_admin.states([name for one in found for name in (one.id, one.id + TEST)])
        now = self._clock()
        return [serializers.subscriber(one, states[one.id], states[one.id + TEST], now) for one in found]
