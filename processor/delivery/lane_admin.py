"""Administration of lanes: requeue, test, enable, disable, abandon, and their state."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from redis import Redis, RedisError
from redis.client import Pipeline
from redis.exceptions import TryAgainError

from processor.clock import to_iso, to_ms, utc_now
from processor.delivery.channels.registry import BUILT_IN, subscriber_keys
from processor.delivery.lane import LaneState, Mode, common_keys, lane_of_tests
from processor.delivery.lane_places import keys_of
from processor.delivery.scripts import register
from processor.store import each_cell, keys, records, unreadable
from processor.store.decoding import moment, text_fields, texts
from processor.store.round_trip import RoundTrip

UNLISTED_TTL_S = 7 * 86_400
"""How long test messages and alerts are kept, in seconds."""

CLOSED_TTL_S = 3_600
"""How long a lane stays closed, in seconds: much longer than a process remembers its subscriber."""

CHUNK = 500
TEST_TYPE = "subscriber.test"


class LaneAdmin:
    """Changes lanes. Every method raises ``redis.RedisError``."""

    def __init__(self, client: "Redis[Any]", *, clock: Callable[[], datetime] = utc_now) -> None:
        self._client = client
        self._clock = clock
        self._scripts = {name: register(client, name) for name in ("requeue", "abandon", "figures")}

    def requeue(self, notification_id: str, lane_id: str, *, cell: int) -> bool:
        """Put a notification into a lane (again), due now; false when either does not exist.

        A slow lane is probed at once: the operator expects it to work again.
        """
        needed = subscriber_keys(lane_id)
        if needed and not self._client.exists(*needed):
            return False
        self.probe_at_once(lane_id)
        return bool(
            self._scripts["requeue"](
                keys=[
                    *common_keys(cell),
                    keys.deliveries(cell, notification_id),
                    *keys_of((lane_id, cell)),
                    keys.notification(cell, notification_id),
                    keys.closed_lanes(cell),
                ],
                args=[notification_id, lane_id, to_ms(self._clock())],
            )
        )

    def probe_at_once(self, lane_id: str) -> None:
        """Let a slow lane have its next attempt now."""
        self._client.hdel(keys.lane_state(lane_id), "probe_at")

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
        """Add a message to a transaction that enters a lane, is in no list, and expires; its id.

        The transaction may use the keys of the cell ``keys.UNLISTED``.
        """
        id_ = f"{prefix}_{secrets.token_hex(16)}"
        body = {"type": type_, "timestamp": to_iso(self._clock()), "data": data}
        fields = json.dumps(body, separators=(",", ":")).encode()
        record, delivery = keys.notification(keys.UNLISTED, id_), keys.deliveries(keys.UNLISTED, id_)
        pipe.set(record, records.notification_row(fields, ""))
        pipe.hset(delivery, mapping={f"{lane_id}:status": "pending", f"{lane_id}:tries": 0, "n:pending": 1})
        for name in (record, delivery):
            pipe.expire(name, UNLISTED_TTL_S)
        pipe.zadd(keys.lane(keys.UNLISTED, lane_id), {id_: to_ms(self._clock())})
        return id_

    def enable(self, lane_id: str) -> None:
        """Reset a lane to active without failures; waiting retries are due at the dispatcher's next look."""
        each_cell.replies(self._client, lambda pipe, cell: pipe.srem(keys.closed_lanes(cell), lane_id))
        state_key = keys.lane_state(lane_id)
        with self._client.pipeline(transaction=True) as pipe:
            pipe.hset(state_key, mapping={"mode": Mode.ACTIVE.value, "recovered": 1})
            pipe.hdel(state_key, "since", "failures", "failing_since", "probe_at", "probe_pause")
            pipe.incr(keys.subscribers_version())
            pipe.execute()

    def disable(self, lane_id: str) -> None:
        """Stop deliveries and refuse new ones; waiting deliveries stay. Idempotent."""
        state_key = keys.lane_state(lane_id)

        def set_disabled(pipe: "Pipeline[Any]") -> None:
            mode: Any = pipe.hget(state_key, "mode")
            pipe.multi()
            if mode != Mode.DISABLED.value.encode():
                pipe.hset(state_key, mapping={"mode": Mode.DISABLED.value, "since": to_ms(self._clock())})
                pipe.incr(keys.subscribers_version())

        self._client.transaction(set_disabled, state_key)  # type: ignore[no-untyped-call]

    def abandon(self, lane_id: str, *, removed: bool) -> int:
        """Give up all waiting deliveries as dead, or as cancelled if ``removed``; their number.

        Before, the lane is closed in every cell: another process may not know yet that it has ended.
        """

        def close(pipe: "Pipeline[Any]", cell: int) -> None:
            pipe.sadd(keys.closed_lanes(cell), lane_id)
            pipe.expire(keys.closed_lanes(cell), CLOSED_TTL_S)

        each_cell.replies(self._client, close)
        count = 0
        while waiting := self._waiting(lane_id):
            trip = RoundTrip(self._client, self._scripts["abandon"])
            for cell, id_ in waiting:
                trip.call(
                    self._scripts["abandon"],
                    [*common_keys(cell), keys.deliveries(cell, id_), keys.lane(cell, lane_id)],
                    [id_, lane_id, "cancelled" if removed else "dead"],
                )
            count += sum(trip.results())
        if removed:
            each_cell.replies(self._client, lambda pipe, cell: pipe.delete(keys.lane_flight(cell, lane_id)))
            self._client.delete(keys.lane_state(lane_id))
        return count

    def _waiting(self, lane_id: str) -> list[tuple[int, str]]:
        """Some deliveries that wait in a lane, with their cells."""
        rows = each_cell.replies(
            self._client, lambda pipe, cell: pipe.zrange(keys.lane(cell, lane_id), 0, CHUNK - 1)
        )
        return [(cell, id_) for cell, ids in enumerate(rows) for id_ in texts(ids)]

    def states(self, lane_ids: list[str]) -> dict[str, LaneState]:
        """The states of lanes, by id; an unreadable one counts as new."""
        if not lane_ids:
            return {}
        now_ms = to_ms(self._clock())
        trip = RoundTrip(self._client, self._scripts["figures"])
        for lane_id in lane_ids:
            trip.add("HGETALL", keys.lane_state(lane_id))
        for cell in keys.cells():
            names = [name for lane_id in lane_ids for name in keys_of((lane_id, cell))]
            trip.call(self._scripts["figures"], names, [now_ms])
        replies = trip.execute()
        rows, cells = replies[: len(lane_ids)], replies[len(lane_ids) :]
        for cell, reply in enumerate(cells):
            if isinstance(reply, TryAgainError):
                cells[cell] = self._figures_of_moving(cell, lane_ids, now_ms)
            elif isinstance(reply, RedisError):
                raise reply
        states = {}
        for lane_id, row, *figures in zip(lane_ids, rows, *cells, strict=True):
            parse = partial(_state, lane_id, row, figures, now_ms=now_ms)
            state = unreadable.read(self._client, "lane", lane_id, parse)
            states[lane_id] = state or _state(lane_id, {}, [], now_ms=now_ms)
        return states

    def _figures_of_moving(self, cell: int, lane_ids: Sequence[str], now_ms: int) -> list[list[Any]]:
        """What the script returns of a cell whose slot moves, one key at a time."""
        with self._client.pipeline(transaction=False) as pipe:
            for lane, in_flight in (keys_of((lane_id, cell)) for lane_id in lane_ids):
                pipe.zcard(lane)
                pipe.zcount(in_flight, now_ms, "+inf")
                pipe.zrange(lane, 0, 0, withscores=True)
            replies = pipe.execute()
        return [
            [waiting, under_way, first[0][1] if first else b""]
            for waiting, under_way, first in zip(replies[::3], replies[1::3], replies[2::3], strict=True)
        ]

    def used_states(self) -> list[LaneState]:
        """The states of the subscribers' lanes, and of the built-in lanes that were ever used."""
        states = self.states([*texts(self._client.zrange(keys.subscribers(), 0, -1)), *BUILT_IN]).values()
        return [
            state for state in states if state.lane_id not in BUILT_IN or state.waiting or state.last_attempt
        ]


def _state(lane_id: str, row: Any, figures: Sequence[Any], *, now_ms: int) -> LaneState:
    """``row`` is the stored state, ``figures`` those of each cell. Raises one of ``unreadable.FAULTS``."""
    if any(map(unreadable.is_wrong_type, (row, *figures))):
        raise TypeError("a key of another type")
    fields = text_fields(row)
    first_ms = min((float(due_ms) for _, _, due_ms in figures if due_ms), default=now_ms)
    return LaneState(
        lane_id=lane_id,
        mode=Mode(fields.get("mode", Mode.ACTIVE.value)),
        since=moment(fields, "since"),
        waiting=sum(waiting for waiting, _, _ in figures),
        under_way=sum(under_way for _, under_way, _ in figures),
        overdue_s=max(0.0, (now_ms - first_ms) / 1000),
        failures=int(fields.get("failures", 0)),
        failing_since=moment(fields, "failing_since"),
        delivered=int(fields.get("delivered", 0)),
        dead=int(fields.get("dead", 0)),
        uncertain=int(fields.get("uncertain", 0)),
        last_attempt=json.loads(fields["last_attempt"]) if "last_attempt" in fields else None,
    )
