"""Lanes: due deliveries are claimed under a lease, attempted, and settled.

Each subscriber has a lane and a second one for its test messages; each built-in channel has one. The
deliveries of a lane lie in the cells of their connections; its state is shared. A lease names the process
that attempts a delivery. If the process dies, the lease ends within seconds, and another process attempts the
delivery under the same id.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis, RedisError

from processor.clock import from_ms, to_ms
from processor.delivery.attempt_recorder import AttemptRecorder
from processor.delivery.channels.registry import enabled_channels
from processor.delivery.claims import Claims, DueDelivery, LanePlan
from processor.delivery.lane import LEASE, CompletedAttempt, Lane, Lease, Mode, lane_of_tests
from processor.delivery.lane_places import LanePlaces, Place, keys_of
from processor.delivery.scripts import register
from processor.delivery.subscriber_cache import SubscriberCache
from processor.settings.definitions import Settings
from processor.store import keys
from processor.store.cluster_pipelines import NOT_REACHED
from processor.store.each_cell import grouped
from processor.store.round_trip import RoundTrip

RENEW_S = 1.5
"""Interval between renewals of a lease, in seconds; several fit into one lease."""

ORDERED_AT_ONCE = 100
"""Due deliveries of an ordered lane that are looked at in a cell: some wait for older ones."""

FEWEST = 10
"""Due deliveries of a lane that are looked at in a cell, at least, when it shares the room with others."""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """The result of a look at the lanes.

    ``next_due_at``: when another look finds something, as far as is known. ``refused``: the attempts that
    Redis did not record, with its errors. ``unreached``: those that have to be recorded again, because a node
    of a cluster did not answer. ``error``: the first one at a claim, or of such a node.
    """

    leases: Sequence[Lease]
    next_due_at: datetime | None
    refused: Sequence[tuple[CompletedAttempt, RedisError]]
    unreached: Sequence[CompletedAttempt]
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
        token: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._subscribers = subscribers
        self._channels = enabled_channels(settings)
        self._token = token
        self._clock = clock
        self._recorder = AttemptRecorder(client, token)
        self._peek, self._renew, self._release = (
            register(client, name) for name in ("peek", "renew", "release")
        )
        self._places = LanePlaces()
        self._claims = Claims(client, token, self._places)
        self._version: object = self
        self._lanes: dict[str, Lane] = {}

    def look(
        self,
        room: Callable[[Lane], int],
        completed: Sequence[CompletedAttempt] = (),
        *,
        touched: Iterable[Place] = (),
        everywhere: bool = True,
    ) -> ClaimResult:
        """Record attempts and lease due deliveries, in two round trips.

        A lane that is slow, ordered, has a rate or has just recovered takes one or two more. ``room`` is the
        number of attempts that may be under way in a lane. A look is at the places in ``touched`` and those
        that have something due as far as this process knows, or ``everywhere``.
        """
        if self._version is self:
            self._know(self._client.get(keys.subscribers_version()))
        now_ms = to_ms(self._clock())
        ready = self._places.ready
        ready.update(self._everywhere() if everywhere else touched)
        ready.update((attempt.lease.lane.id, attempt.lease.cell) for attempt in completed)
        self._places.note_time(now_ms)
        counts = Counter(lane_id for lane_id, _ in ready if lane_id in self._lanes)
        plans = {
            lane_id: LanePlan(self._lanes[lane_id], limit, self._most(lane_id, limit, count))
            for lane_id, count in counts.items()
            if (limit := room(self._lanes[lane_id])) > 0
        }
        trip = RoundTrip(self._client, *self._recorder.scripts, self._peek)
        batches = self._recorder.add(trip, completed, now_ms)
        recording = len(trip)
        cells = self._add_peeks(trip, plans, now_ms)
        trip.add("GET", keys.subscribers_version())
        *replies, version = trip.execute()
        recorded = self._recorder.read(batches, replies[:recording])
        errors: list[RedisError] = [
            reply for reply in replies[: len(batches)] if isinstance(reply, NOT_REACHED)
        ]
        errors += [reply for reply in (*replies[len(batches) :], version) if isinstance(reply, RedisError)]
        states = replies[recording : recording + len(plans)]
        self._read_peeks(plans, cells, replies[recording + len(plans) :], errors)
        self._read_states(plans, states)
        changed = version != self._version and not isinstance(version, RedisError)
        if changed:
            self._know(version)
            plans = {lane_id: plan for lane_id, plan in plans.items() if lane_id in self._lanes}
            for lane_id, plan in plans.items():
                plan.lane = self._lanes[lane_id]
        leases = self._claims.claim(plans, recorded.next_ids, now_ms, errors)
        next_ms = now_ms if changed else self._places.next_due_ms
        next_due_at = None if next_ms is None else from_ms(max(next_ms, now_ms))
        error = next(iter(errors), None)
        return ClaimResult(leases, next_due_at, recorded.refused, recorded.unreached, error)

    def forget_subscribers(self) -> None:
        """The next look asks for the subscribers first."""
        self._version = self

    def renew(self, leases: Iterable[Lease]) -> None:
        """Renew the leases of deliveries under way."""
        until_ms = to_ms(self._clock() + LEASE)
        ids = grouped(((lease.lane.id, lease.cell), lease.notification_id) for lease in leases)
        trip = RoundTrip(self._client, self._renew)
        for place, of_place in ids.items():
            trip.call(self._renew, keys_of(place), [until_ms, self._token, *of_place])
        trip.results()

    def release(self, lease: Lease) -> None:
        """Give back a delivery whose attempt was not completed."""
        self._release(
            keys=keys_of((lease.lane.id, lease.cell)),
            args=[lease.notification_id, self._token, to_ms(self._clock())],
        )

    def _know(self, version: object) -> None:
        """Know the subscribers of this version; any lane may have something due."""
        lanes = [Lane(channel.name) for channel in self._channels]
        for subscriber in self._subscribers.at(version):
            lanes += [Lane(subscriber.id, subscriber), Lane(lane_of_tests(subscriber.id), subscriber)]
        self._version, self._lanes = version, {lane.id: lane for lane in lanes}
        self._places.reset(self._everywhere())

    def _everywhere(self) -> Iterable[Place]:
        """All places; test messages are in one cell."""
        for lane in self._lanes.values():
            for cell in (keys.UNLISTED,) if lane.is_test else keys.cells():
                yield lane.id, cell

    def _most(self, lane_id: str, limit: int, places: int) -> int:
        """How many due deliveries of a lane to read in a cell, where so many places share the limit."""
        return ORDERED_AT_ONCE if self._lanes[lane_id].ordered else max(FEWEST, 2 * limit // places)

    def _add_peeks(self, trip: RoundTrip, plans: Mapping[str, LanePlan], now_ms: int) -> dict[int, list[str]]:
        """Add reads of the states of lanes, and of their ready places; the lanes of each cell."""
        for lane_id in plans:
            trip.add("HMGET", keys.lane_state(lane_id), "mode", "recovered")
        cells = grouped((cell, lane_id) for lane_id, cell in self._places.ready if lane_id in plans)
        for cell, lane_ids in cells.items():
            names = [key for lane_id in lane_ids for key in keys_of((lane_id, cell))]
            trip.call(self._peek, names, [now_ms, *(plans[lane_id].most for lane_id in lane_ids)])
        return cells

    def _read_peeks(
        self,
        plans: Mapping[str, LanePlan],
        cells: Mapping[int, Sequence[str]],
        replies: Sequence[Any],
        errors: list[RedisError],
    ) -> None:
        """Read what is due."""
        for (cell, lane_ids), reply in zip(cells.items(), replies, strict=True):
            rows = [] if isinstance(reply, RedisError) else reply
            for lane_id, row in zip(lane_ids, rows, strict=False):
                if isinstance(row, RedisError):
                    errors.append(row)
                    continue
                under_way, later, due = row
                plan = plans[lane_id]
                plan.due += [
                    DueDelivery(float(due_ms), cell, id_.decode())
                    for id_, due_ms in zip(due[::2], due[1::2], strict=True)
                ]
                more = len(due) >= 2 * plan.most
                later_ms = float(later) if later else None
                self._places.note_peek((lane_id, cell), under_way, later_ms, more=more)

    def _read_states(self, plans: Mapping[str, LanePlan], states: Sequence[Any]) -> None:
        """Read the modes of lanes, and decide how many deliveries to claim."""
        for (lane_id, plan), state in zip(plans.items(), states, strict=True):
            mode, recovered = (Mode.PAUSED, None) if isinstance(state, RedisError) else state
            plan.due.sort()
            plan.is_slow, plan.has_recovered = mode == b"slow", recovered is not None
            if mode not in (None, b"active", b"slow"):
                plan.due = []
                for cell in keys.cells():
                    self._places.forget_due((lane_id, cell))
            under_way = self._places.under_way(lane_id)
            plan.room = max(0, min(len(plan.due), plan.limit - under_way))
