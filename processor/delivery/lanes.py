"""Lanes: due deliveries are claimed under a lease, attempted, and settled.

Each subscriber has a lane and a second one for its test messages; each built-in channel has one. A lease
names the process that attempts a delivery. If the process dies, the lease ends within seconds, and another
process attempts the delivery under the same id.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from processor.clock import from_ms, to_ms, utc_now
from processor.delivery import retry_schedule
from processor.delivery.channels.registry import enabled_channels, guard_key
from processor.delivery.lane import AttemptVerdict, Lane, Lease, Mode, common_keys, lane_of_tests
from processor.delivery.scripts import register
from processor.delivery.subscribers import Subscribers
from processor.settings.definitions import Settings
from processor.store import keys

LEASE = timedelta(seconds=6)
RENEW_S = 1.5
"""Interval between renewals of a lease, in seconds; several fit into one lease."""

ATTEMPTS_KEPT = 30


class Lanes:
    """Claims and settles deliveries. ``token`` names this process in its leases.

    Raises ``redis.RedisError``.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        subscribers: Subscribers,
        settings: Settings,
        token: str = "-",  # noqa: S107 - a name, no secret
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._subscribers = subscribers
        self._channels = enabled_channels(settings)
        self._token = token
        self._clock = clock
        self._claim, self._settle, self._renew, self._release = (
            register(client, name) for name in ("claim", "settle", "renew", "release")
        )

    def all(self) -> list[Lane]:
        """The lanes that can have deliveries."""
        lanes = [Lane(channel.name) for channel in self._channels]
        for subscriber in self._subscribers.all():
            lanes += [Lane(subscriber.id, subscriber), Lane(lane_of_tests(subscriber.id), subscriber)]
        return lanes

    def claim(self, room: Callable[[Lane], int]) -> tuple[list[Lease], datetime | None]:
        """Lease due deliveries; also when the next one is due (``None``: none is).

        ``room`` is the number of attempts that may be under way in a lane.
        """
        now_ms = to_ms(self._clock())
        lanes = self.all()
        with self._client.pipeline(transaction=False) as pipe:
            for lane in lanes:
                pipe.zcount(keys.lane(lane.id), "-inf", now_ms)
                pipe.zrangebyscore(keys.lane(lane.id), f"({now_ms}", "+inf", start=0, num=1, withscores=True)
                pipe.hmget(keys.lane_state(lane.id), "mode", "probe_at")
            rows = pipe.execute() if lanes else []
        due_lanes: list[Lane] = []
        due_later_ms: list[float] = []
        for index, lane in enumerate(lanes):
            due_count, next_due, (mode, probe_at) = rows[3 * index : 3 * index + 3]
            if mode and mode.decode() not in (Mode.ACTIVE, Mode.SLOW):
                continue
            due_later_ms += [score for _, score in next_due]
            if not due_count:
                continue
            if mode == b"slow" and int(float(probe_at or 0)) > now_ms:
                due_later_ms.append(float(probe_at))
            elif room(lane) > 0:
                due_lanes.append(lane)
        leases = self._claim_from(due_lanes, room, now_ms)
        return leases, from_ms(min(due_later_ms)) if due_later_ms else None

    def _claim_from(self, lanes: Sequence[Lane], room: Callable[[Lane], int], now_ms: int) -> list[Lease]:
        if not lanes:
            return []
        prefixes = (keys.deliveries(""), keys.notification(""), keys.outbox_of(""))
        with self._client.pipeline(transaction=False) as pipe:
            for lane in lanes:
                self._claim(
                    keys=[keys.lane(lane.id), keys.lane_flight(lane.id), keys.lane_state(lane.id)],
                    args=[
                        now_ms,
                        room(lane),
                        now_ms + _ms(LEASE),
                        self._token,
                        lane.id,
                        int(lane.ordered),
                        *prefixes,
                    ],
                    client=pipe,
                )
            answers = pipe.execute()
        claims = [
            (lane, id_.decode(), int(tries))
            for lane, pairs in zip(lanes, answers, strict=True)
            for id_, tries in zip(pairs[::2], pairs[1::2], strict=True)
        ]
        with self._client.pipeline(transaction=False) as pipe:
            for _, id_, _ in claims:
                pipe.hmget(keys.notification(id_), "body", "connection_id")
            rows = pipe.execute() if claims else []
        leases = []
        for (lane, id_, tries), (body, connection_id) in zip(claims, rows, strict=True):
            if body is None:
                self._forget(lane, id_)
            else:
                leases.append(
                    Lease(lane, id_, (connection_id or b"").decode(), body.decode(), tries, self._token)
                )
        return leases

    def _forget(self, lane: Lane, notification_id: str) -> None:
        """Remove an erased notification from a lane."""
        with self._client.pipeline(transaction=True) as pipe:
            pipe.zrem(keys.lane(lane.id), notification_id)
            pipe.zrem(keys.lane_flight(lane.id), f"{notification_id} {self._token}")
            pipe.execute()

    def renew(self, notification_ids: Mapping[str, Sequence[str]]) -> None:
        """Renew the leases of deliveries under way, by lane id."""
        until_ms = to_ms(self._clock() + LEASE)
        with self._client.pipeline(transaction=False) as pipe:
            for lane_id, ids in notification_ids.items():
                self._renew(
                    keys=[keys.lane(lane_id), keys.lane_flight(lane_id)],
                    args=[until_ms, self._token, *ids],
                    client=pipe,
                )
            pipe.execute()

    def release(self, lease: Lease) -> None:
        """Give back a delivery whose attempt was not completed."""
        lane_id = lease.lane.id
        self._release(
            keys=[keys.lane(lane_id), keys.lane_flight(lane_id)],
            args=[lease.notification_id, self._token, to_ms(self._clock())],
        )

    def settle(
        self,
        lease: Lease,
        verdict: AttemptVerdict,
        attempt: Mapping[str, Any],
        *,
        next_attempt_at: datetime | None = None,
        counts: bool = True,
        asked: bool = False,
    ) -> None:
        """Record an attempt and its consequences for the delivery and its lane.

        ``counts``: a failure counts against the lane. ``asked``: the receiver asked for the next attempt's
        time.
        """
        lane_id, id_ = lease.lane.id, lease.notification_id
        now = self._clock()
        self._settle(
            keys=[
                *common_keys(id_),
                keys.lane(lane_id),
                keys.lane_flight(lane_id),
                keys.lane_state(lane_id),
                keys.notification(id_),
                keys.outbox_of(lease.connection_id),
                guard_key(lane_id, id_),
            ],
            args=[
                id_,
                lane_id,
                self._token,
                to_ms(now),
                verdict.value,
                to_ms(next_attempt_at or now),
                json.dumps(attempt),
                ATTEMPTS_KEPT,
                int(counts and not lease.lane.is_test),
                retry_schedule.SLOW_AFTER,
                _ms(retry_schedule.PROBE_PAUSE),
                _ms(retry_schedule.LONGEST_PROBE_PAUSE),
                _ms(retry_schedule.PAUSE_AFTER),
                keys.deliveries(""),
                int(asked),
            ],
        )


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
