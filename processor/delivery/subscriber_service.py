"""What can be done with subscribers, for the API and the command line."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from redis import Redis

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
        client: "Redis[Any]",
        *,
        reader: Reader,
        waker: Waker,
        allow_private: bool,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.subscribers = Subscribers(client, allow_private=allow_private, clock=clock)
        self.control = LaneAdmin(client, clock=clock)
        self._reader = reader
        self._waker = waker
        self._clock = clock

    def list(self, *, limit: int, cursor: str | None = None) -> dict[str, Any]:
        """A page of subscribers, newest first."""
        page = self._reader.members(keys.subscribers(), limit=limit, cursor=cursor)
        known = {one.id: one for one in self.subscribers.all()}
        found = [known[id_] for id_ in page.items if id_ in known]
        return {"items": self._shown(found), "next_cursor": page.next_cursor}

    def show(self, subscriber_id: str) -> dict[str, Any]:
        """One subscriber."""
        return self._shown([self.subscribers.get(subscriber_id)])[0]

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
        made = self.subscribers.add(
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
        self.subscribers.change(subscriber_id, **wanted)
        if enabled is True:
            self.control.enable(subscriber_id)
            self._waker.deliver()
        elif enabled is False:
            self.control.disable(subscriber_id)
        return self.show(subscriber_id)

    def rotate(self, subscriber_id: str) -> dict[str, Any]:
        """Give it a new secret, which is shown only now; the old one also signs for 24 hours."""
        return self._with_secret(self.subscribers.rotate(subscriber_id))

    def remove(self, subscriber_id: str) -> None:
        """Remove it; what waits for it is of no interest any more."""
        self.subscribers.get(subscriber_id)
        self.subscribers.forget(subscriber_id)
        for lane_id in (subscriber_id, subscriber_id + TEST):
            self.control.end(lane_id, removed=True)

    def test(self, subscriber_id: str) -> dict[str, Any]:
        """Send it a test message; what comes of it is shown as its ``last_test``."""
        self.subscribers.get(subscriber_id)
        id_ = self.control.test(subscriber_id)
        self._waker.deliver()
        return {"id": id_, "subscriber_id": subscriber_id, "status": "pending"}

    def _with_secret(self, one: Subscriber) -> dict[str, Any]:
        return {**self._shown([one])[0], "secret": one.secret}

    def _shown(self, found: Sequence[Subscriber]) -> Sequence[dict[str, Any]]:
        states = self.control.states([name for one in found for name in (one.id, one.id + TEST)])
        now = self._clock()
        return [serializers.subscriber(one, states[one.id], states[one.id + TEST], now) for one in found]
