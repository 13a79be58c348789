"""Administration of lanes: requeue, test, enable, disable, abandon, and their state."""

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.clock import to_iso, to_ms, utc_now
from processor.delivery.channels.registry import BUILT_IN, guard_key
from processor.delivery.lane import LaneState, Mode, common_keys, lane_of_tests
from processor.delivery.scripts import register
from processor.store import keys, unreadable
from processor.store.decoding import moment, text_fields, texts

UNLISTED_TTL_S = 7 * 86_400
"""How long test messages and alerts are kept, in seconds."""

CHUNK = 500
TEST_TYPE = "subscriber.test"


class LaneAdmin:
    """Changes lanes. Every method raises ``redis.RedisError``."""

    def __init__(self, client: "Redis[Any]", *, clock: Callable[[], datetime] = utc_now) -> None:
        self._client = client
        self._clock = clock
        self._requeue = register(client, "requeue")
        self._abandon = register(client, "abandon")
        self._enable = register(client, "enable")

    def requeue(self, notification_id: str, lane_id: str) -> bool:
        """Put a notification into a lane (again), due now; false when either does not exist."""
        return bool(self._put(self._client, notification_id, lane_id))

    def send_test(self, subscriber_id: str) -> str:
        """Send a test message to a subscriber, whatever the mode of its lane; the message's id."""
        data = {"subscriber_id": subscriber_id, "message": "This is a test; nothing happened."}
        with self._client.pipeline(transaction=True) as pipe:
            id_ = self.add_unlisted(pipe, "tst", TEST_TYPE, data, lane_of_tests(subscriber_id))
            pipe.execute()
        return id_

    def add_unlisted(
        self, pipe: "Pipeline[Any]", prefix: str, type_: str, data: Mapping[str, Any], lane_id: str
    ) -> str:
        """Add a message to a transaction that enters a lane, is in no list, and expires; its id."""
        id_ = f"{prefix}_{secrets.token_hex(16)}"
        body = {"id": id_, "type": type_, "timestamp": to_iso(self._clock()), "data": data}
        text = json.dumps(body, separators=(",", ":"))
        pipe.hset(keys.notification(id_), mapping={"body": text, "connection_id": ""})
        pipe.expire(keys.notification(id_), UNLISTED_TTL_S)
        self._put(pipe, id_, lane_id)
        pipe.expire(keys.deliveries(id_), UNLISTED_TTL_S)
        return id_

    def enable(self, lane_id: str) -> None:
        """Reset a lane to active without failures; waiting retries are due now."""
        self._enable(
            keys=[keys.lane(lane_id), keys.lane_flight(lane_id), keys.lane_state(lane_id)],
            args=[lane_id, to_ms(self._clock()), keys.deliveries("")],
        )

    def disable(self, lane_id: str) -> None:
        """Stop deliveries and refuse new ones; waiting deliveries stay. Idempotent."""
        state_key = keys.lane_state(lane_id)

        def set_disabled(pipe: "Pipeline[Any]") -> None:
            mode: Any = pipe.hget(state_key, "mode")
            pipe.multi()
            if mode != Mode.DISABLED.value.encode():
                pipe.hset(state_key, mapping={"mode": Mode.DISABLED.value, "since": to_ms(self._clock())})

        self._client.transaction(set_disabled, state_key)  # type: ignore[no-untyped-call]

    def abandon(self, lane_id: str, *, removed: bool) -> int:
        """Give up all waiting deliveries as dead, or as cancelled if ``removed``; their number."""
        count = 0
        while ids := self._client.zrange(keys.lane(lane_id), 0, CHUNK - 1):
            with self._client.pipeline(transaction=False) as pipe:
                for id_ in ids:
                    self._abandon(
                        keys=[*common_keys(), keys.deliveries(id_.decode()), keys.lane(lane_id)],
                        args=[id_, lane_id, "cancelled" if removed else "dead"],
                        client=pipe,
                    )
                count += sum(pipe.execute())
        if removed:
            self._client.delete(keys.lane_flight(lane_id), keys.lane_state(lane_id))
        return count

    def states(self, lane_ids: list[str]) -> dict[str, LaneState]:
        """The states of lanes, by id; an unreadable one counts as new."""
        now_ms = to_ms(self._clock())
        with self._client.pipeline(transaction=False) as pipe:
            for lane_id in lane_ids:
                pipe.hgetall(keys.lane_state(lane_id))
                pipe.zcard(keys.lane(lane_id))
                pipe.zcount(keys.lane_flight(lane_id), now_ms, "+inf")
                pipe.zrange(keys.lane(lane_id), 0, 0, withscores=True)
            rows = pipe.execute() if lane_ids else []
        states = {}
        for index, lane_id in enumerate(lane_ids):
            row, *figures = rows[4 * index : 4 * index + 4]
            state = unreadable.read(
                self._client, "lane", lane_id, partial(_state, lane_id, row, *figures, now_ms=now_ms)
            )
            states[lane_id] = state or _state(lane_id, {}, *figures, now_ms=now_ms)
        return states

    def used_states(self) -> list[LaneState]:
        """The states of the subscribers' lanes, and of the built-in lanes that were ever used."""
        states = self.states([*texts(self._client.zrange(keys.subscribers(), 0, -1)), *BUILT_IN]).values()
        return [
            state for state in states if state.lane_id not in BUILT_IN or state.waiting or state.last_attempt
        ]

    def _put(self, client: Any, id_: str, lane_id: str) -> Any:
        return self._requeue(
            keys=[
                *common_keys(),
                keys.deliveries(id_),
                keys.lane(lane_id),
                keys.lane_flight(lane_id),
                keys.notification(id_),
                guard_key(lane_id, id_),
                keys.lane_state(lane_id),
            ],
            args=[id_, lane_id, to_ms(self._clock())],
            client=client,
        )


def _state(
    lane_id: str,
    row: Mapping[bytes, bytes],
    waiting: int,
    under_way: int,
    oldest: list[tuple[bytes, float]],
    *,
    now_ms: int,
) -> LaneState:
    fields = text_fields(row)
    return LaneState(
        lane_id=lane_id,
        mode=Mode(fields.get("mode", Mode.ACTIVE.value)),
        since=moment(fields, "since"),
        waiting=waiting,
        under_way=under_way,
        overdue_s=max(0.0, (now_ms - oldest[0][1]) / 1000) if oldest else 0.0,
        failures=int(fields.get("failures", 0)),
        failing_since=moment(fields, "failing_since"),
        delivered=int(fields.get("delivered", 0)),
        dead=int(fields.get("dead", 0)),
        uncertain=int(fields.get("uncertain", 0)),
        last_attempt=json.loads(fields["last_attempt"]) if "last_attempt" in fields else None,
    )
