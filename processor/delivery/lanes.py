"""Lanes: due deliveries are claimed under a lease, attempted, and settled.

Each subscriber has a lane and a second one for its test messages; each built-in channel has one. A lease
names the process that attempts a delivery. If the process dies, the lease ends within seconds, and another
process attempts the delivery under the same id.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from redis import Redis, RedisError

from processor.clock import from_ms, to_ms, utc_now
from processor.delivery import retry_schedule
from processor.delivery.channels.registry import BUILT_IN, enabled_channels, guard_key
from processor.delivery.lane import CompletedAttempt, Lane, Lease, common_keys, lane_of_tests
from processor.delivery.scripts import RoundTrip, register
from processor.delivery.subscribers import SubscriberCache
from processor.settings.definitions import Settings
from processor.store import keys

LEASE = timedelta(seconds=6)
RENEW_S = 1.5
"""Interval between renewals of a lease, in seconds; several fit into one lease."""

ATTEMPTS_KEPT = 30


@dataclass(frozen=True, slots=True)
class Look:
    """The result of a look at the lanes.

    ``next_due_at``: when another look finds something, as far as is known. ``refused``: the attempts that
    Redis did not record, with its errors. ``error``: the first one at a claim.
    """

    leases: Sequence[Lease]
    next_due_at: datetime | None
    refused: Sequence[tuple[CompletedAttempt, RedisError]]
    error: RedisError | None


class Lanes:
    """Claims and settles deliveries. ``token`` names this process in its leases.

    One thread calls ``look`` at a time. Raises ``redis.RedisError``.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        subscribers: SubscriberCache,
        settings: Settings,
        token: str = "-",  # noqa: S107 - a name, no secret
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._subscribers = subscribers
        self._channels = enabled_channels(settings)
        self._token = token
        self._clock = clock
        self._claim, self._read, self._settle, self._renew, self._release = (
            register(client, name) for name in ("claim", "read", "settle", "renew", "release")
        )
        self._version: object = self
        self._lanes: dict[str, Lane] = {}
        self._ready: set[str] = set()
        self._due_ms: dict[str, float] = {}

    def look(
        self,
        room: Callable[[Lane], int],
        completed: Sequence[CompletedAttempt] = (),
        *,
        touched: Iterable[str] = (),
        everywhere: bool = True,
    ) -> Look:
        """Record attempts and lease due deliveries, in two round trips.

        ``room`` is the number of attempts that may be under way in a lane. A look is at the lanes in
        ``touched`` and those that have something due as far as this process knows, or ``everywhere``.
        """
        if self._version is self:
            self._know(self._client.get(keys.subscribers_version()))
        now_ms = to_ms(self._clock())
        self._ready.update(self._lanes if everywhere else touched)
        self._ready.update(attempt.lease.lane.id for attempt in completed)
        for lane_id in [lane_id for lane_id, due_ms in self._due_ms.items() if due_ms <= now_ms]:
            del self._due_ms[lane_id]  # where there is no room, the end of an attempt leads to the next look
            self._ready.add(lane_id)
        lanes = [lane for lane_id, lane in self._lanes.items() if lane_id in self._ready and room(lane) > 0]
        trip = RoundTrip(self._client, self._claim, self._settle, self._renew)
        batches = self._add_settling(trip, completed, now_ms)
        for lane in lanes:
            self._add_claim(trip, lane, room(lane), now_ms)
        trip.add("GET", keys.subscribers_version())
        replies = trip.execute()
        refused = [
            (attempt, reply)
            for batch, reply in zip(batches, replies, strict=False)
            if isinstance(reply, RedisError)
            for attempt in batch
        ]
        *replies, version = replies[len(batches) :]
        claims = self._claims(lanes, replies)
        error = next((reply for reply in (*replies, version) if isinstance(reply, RedisError)), None)
        changed = version != self._version and not isinstance(version, RedisError)
        if changed:
            self._know(version)
        next_ms = now_ms if changed else min(self._due_ms.values(), default=None)
        next_due_at = None if next_ms is None else from_ms(next_ms)
        return Look(self._leases(claims), next_due_at, refused, error)

    def forget_subscribers(self) -> None:
        """The next look asks for the subscribers first."""
        self._version = self

    def renew(self, notification_ids: Mapping[str, Sequence[str]]) -> None:
        """Renew the leases of deliveries under way, by lane id."""
        until_ms = to_ms(self._clock() + LEASE)
        trip = RoundTrip(self._client, self._claim, self._settle, self._renew)
        for lane_id, ids in notification_ids.items():
            trip.call(
                self._renew, [keys.lane(lane_id), keys.lane_flight(lane_id)], [until_ms, self._token, *ids]
            )
        for reply in trip.execute():
            if isinstance(reply, RedisError):
                raise reply

    def release(self, lease: Lease) -> None:
        """Give back a delivery whose attempt was not completed."""
        lane_id = lease.lane.id
        self._release(
            keys=[keys.lane(lane_id), keys.lane_flight(lane_id)],
            args=[lease.notification_id, self._token, to_ms(self._clock())],
        )

    def _know(self, version: object) -> None:
        """Know the subscribers of this version; any lane may have something due."""
        lanes = [Lane(channel.name) for channel in self._channels]
        for subscriber in self._subscribers.at(version):
            lanes += [Lane(subscriber.id, subscriber), Lane(lane_of_tests(subscriber.id), subscriber)]
        self._version, self._lanes = version, {lane.id: lane for lane in lanes}
        self._ready, self._due_ms = set(self._lanes), {}

    def _add_claim(self, trip: RoundTrip, lane: Lane, room: int, now_ms: int) -> None:
        lane_key = keys.lane(lane.id)
        guard = lane_key if lane.id in BUILT_IN else guard_key(lane.id, "")
        args = [now_ms, room, now_ms + _ms(LEASE), self._token, lane.rate_per_s]
        if lane.ordered:
            args += [lane.id, keys.deliveries(""), keys.notification(""), keys.outbox_of("")]
        trip.call(self._claim, [lane_key, keys.lane_flight(lane.id), keys.lane_state(lane.id), guard], args)

    def _claims(self, lanes: Sequence[Lane], replies: Sequence[Any]) -> list[tuple[str, str]]:
        """Lane and notification of each claimed delivery; notes what is known about the lanes now."""
        claims = []
        for lane, reply in zip(lanes, replies, strict=True):
            if isinstance(reply, RedisError):
                continue
            next_due, more, *ids = reply
            claims += [(lane.id, id_.decode()) for id_ in ids]
            if not more:
                self._ready.discard(lane.id)
            self._due_ms.pop(lane.id, None)
            if next_due:
                self._due_ms[lane.id] = float(next_due)
        return claims

    def _leases(self, claims: Sequence[tuple[str, str]]) -> list[Lease]:
        """The leases with what the senders need; deliveries of erased notifications are removed."""
        lanes_of: dict[str, list[str]] = {}
        for lane_id, id_ in claims:
            lanes_of.setdefault(id_, []).append(lane_id)
        if not lanes_of:
            return []
        rows = self._read(
            keys=[key for id_ in lanes_of for key in (keys.notification(id_), keys.deliveries(id_))],
            args=["".join(f"{lane_id} " for lane_id in lane_ids) for lane_ids in lanes_of.values()],
        )
        leases = []
        for (id_, lane_ids), row in zip(lanes_of.items(), rows, strict=True):
            if not row:
                for lane_id in lane_ids:
                    self._forget(lane_id, id_)
                continue
            body, connection_id, *tries = row
            leases += [
                Lease(lane, id_, (connection_id or b"").decode(), body.decode(), int(number), self._token)
                for lane_id, number in zip(lane_ids, tries, strict=True)
                if (lane := self._lanes.get(lane_id))
            ]
        return leases

    def _forget(self, lane_id: str, notification_id: str) -> None:
        """Remove an erased notification from a lane."""
        with self._client.pipeline(transaction=True) as pipe:
            pipe.zrem(keys.lane(lane_id), notification_id)
            pipe.zrem(keys.lane_flight(lane_id), f"{notification_id} {self._token}")
            pipe.execute()

    def _add_settling(
        self, trip: RoundTrip, completed: Sequence[CompletedAttempt], now_ms: int
    ) -> list[list[CompletedAttempt]]:
        """Add a call for each lane to ``trip``; the attempts that each of them records."""
        batches: dict[str, list[CompletedAttempt]] = {}
        for attempt in completed:
            batches.setdefault(attempt.lease.lane.id, []).append(attempt)
        for lane_id, batch in batches.items():
            lane = batch[0].lease.lane
            script_keys = [
                *common_keys(),
                keys.lane(lane_id),
                keys.lane_flight(lane_id),
                keys.lane_state(lane_id),
            ]
            args = [
                lane_id,
                self._token,
                now_ms,
                ATTEMPTS_KEPT,
                retry_schedule.SLOW_AFTER,
                _ms(retry_schedule.PROBE_PAUSE),
                _ms(retry_schedule.LONGEST_PROBE_PAUSE),
                _ms(retry_schedule.PAUSE_AFTER),
                keys.deliveries(""),
                int(lane.ordered),
            ]
            for attempt in batch:
                id_ = attempt.lease.notification_id
                script_keys += [
                    keys.deliveries(id_),
                    keys.notification(id_),
                    keys.outbox_of(attempt.lease.connection_id),
                    guard_key(lane_id, id_),
                ]
                args += [
                    id_,
                    attempt.verdict.value,
                    to_ms(attempt.next_attempt_at) if attempt.next_attempt_at else now_ms,
                    msgspec.json.encode(attempt.record),
                    int(attempt.counts and not lane.is_test),
                    int(attempt.asked),
                ]
            trip.call(self._settle, script_keys, args)
        return list(batches.values())


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
