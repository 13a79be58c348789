"""Changing what waits in the lanes: redelivering, testing, alerting, enabling, removing."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.clock import from_ms, to_iso, to_ms, utc_now
from processor.delivery.lane import OPERATORS, TEST, Mode, common_keys, guard_of
from processor.delivery.scripts import register
from processor.store import keys, unreadable
from processor.store.decoding import text_fields

PASSING_S = 7 * 86_400
"""How long test messages and alerts are kept, in seconds."""

CHUNK = 500
TEST_TYPE = "subscriber.test"
ALERT_TYPE = "operators.alert"


@dataclass(frozen=True, slots=True)
class LaneState:
    """How a lane stands now; ``waiting`` includes what is under way, times by our clock."""

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


class LaneAdmin:
    """Changes lanes. Every method raises ``redis.RedisError`` when Redis does not answer."""

    def __init__(self, client: "Redis[Any]", *, clock: Callable[[], datetime] = utc_now) -> None:
        self._client = client
        self._clock = clock
        self._requeue = register(client, "requeue")
        self._abandon = register(client, "abandon")
        self._enable = register(client, "enable")

    def requeue(self, notification_id: str, lane_id: str) -> bool:
        """Put a notification into a lane (again), to be sent now; false when either is no more."""
        return bool(self._put(self._client, notification_id, lane_id))

    def send_test(self, subscriber_id: str) -> str:
        """Send a test message to a subscriber, whatever the mode of its lane; its id."""
        data = {"subscriber_id": subscriber_id, "message": "This is a test; nothing happened."}
        with self._client.pipeline(transaction=True) as pipe:
            id_ = self._pass(pipe, "tst", TEST_TYPE, data, subscriber_id + TEST)
            pipe.execute()
        return id_

    def add_alert(self, pipe: "Pipeline[Any]", subject: str, text: str) -> str:
        """Send something to the operators, as a part of somebody's transaction; its id."""
        return self._pass(pipe, "alr", ALERT_TYPE, {"subject": subject, "text": text}, OPERATORS)

    def enable(self, lane_id: str) -> None:
        """Let a lane run as if it had never failed; what waited is due at once."""
        self._enable(
            keys=[keys.lane(lane_id), keys.lane_flight(lane_id), keys.lane_state(lane_id)],
            args=[lane_id, to_ms(self._clock()), keys.deliveries("")],
        )

    def disable(self, lane_id: str) -> None:
        """Send nothing in this lane and put nothing new into it; what waits stays. Twice is once."""
        name = keys.lane_state(lane_id)

        def stop(pipe: "Pipeline[Any]") -> None:
            known: Any = pipe.hget(name, "mode")
            pipe.multi()
            if known != Mode.DISABLED.value.encode():
                pipe.hset(name, mapping={"mode": Mode.DISABLED.value, "since": to_ms(self._clock())})

        self._client.transaction(stop, name)  # type: ignore[no-untyped-call]

    def end(self, lane_id: str, *, removed: bool) -> int:
        """Attempt nothing more of what waits: it is dead, or of no interest any more; how much it was."""
        ended = 0
        while ids := self._client.zrange(keys.lane(lane_id), 0, CHUNK - 1):
            with self._client.pipeline(transaction=False) as pipe:
                for id_ in ids:
                    self._abandon(
                        keys=[*common_keys(id_.decode()), keys.lane(lane_id)],
                        args=[id_, lane_id, "cancelled" if removed else "dead"],
                        client=pipe,
                    )
                ended += sum(pipe.execute())
        if removed:
            self._client.delete(keys.lane_flight(lane_id), keys.lane_state(lane_id))
        return ended

    def states(self, lane_ids: list[str]) -> dict[str, LaneState]:
        """How lanes stand."""
        now_ms = to_ms(self._clock())
        with self._client.pipeline(transaction=False) as pipe:
            for lane_id in lane_ids:
                pipe.hgetall(keys.lane_state(lane_id))
                pipe.zcard(keys.lane(lane_id))
                pipe.zcount(keys.lane_flight(lane_id), now_ms, "+inf")
                pipe.zrange(keys.lane(lane_id), 0, 0, withscores=True)
            rows = pipe.execute() if lane_ids else []
        found = {}
        for place, lane_id in enumerate(lane_ids):
            row, *figures = rows[4 * place : 4 * place + 4]
            known = unreadable.read(
                self._client, "lane", lane_id, partial(_state, lane_id, row, *figures, now_ms=now_ms)
            )
            found[lane_id] = known or _state(lane_id, {}, *figures, now_ms=now_ms)
        return found

    def _pass(
        self, pipe: "Pipeline[Any]", prefix: str, type_: str, data: Mapping[str, Any], lane_id: str
    ) -> str:
        """Put something that passes by into a lane: it is in no list and forgotten after a week."""
        id_ = f"{prefix}_{secrets.token_hex(16)}"
        body = {"id": id_, "type": type_, "timestamp": to_iso(self._clock()), "data": data}
        text = json.dumps(body, separators=(",", ":"))
        pipe.hset(keys.notification(id_), mapping={"body": text, "connection_id": ""})
        pipe.expire(keys.notification(id_), PASSING_S)
        self._put(pipe, id_, lane_id)
        pipe.expire(keys.deliveries(id_), PASSING_S)
        return id_

    def _put(self, client: Any, id_: str, lane_id: str) -> Any:
        return self._requeue(
            keys=[
                *common_keys(id_),
                keys.lane(lane_id),
                keys.lane_flight(lane_id),
                keys.notification(id_),
                guard_of(lane_id, id_),
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
    first: list[tuple[bytes, float]],
    *,
    now_ms: int,
) -> LaneState:
    said = text_fields(row)

    def moment(name: str) -> datetime | None:
        return from_ms(int(float(said[name]))) if name in said else None

    return LaneState(
        lane_id=lane_id,
        mode=Mode(said.get("mode", Mode.ACTIVE.value)),
        since=moment("since"),
        waiting=waiting,
        under_way=under_way,
        overdue_s=max(0.0, (now_ms - first[0][1]) / 1000) if first else 0.0,
        failures=int(said.get("failures", 0)),
        failing_since=moment("failing_since"),
        delivered=int(said.get("delivered", 0)),
        dead=int(said.get("dead", 0)),
        uncertain=int(said.get("uncertain", 0)),
        last_attempt=json.loads(said["last_attempt"]) if "last_attempt" in said else None,
    )
