"""Records attempts: what became of deliveries, in their cells, and of lanes, in their shared state."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from redis import Redis, RedisError

from processor.clock import to_ms
from processor.delivery import retry_schedule
from processor.delivery.channels.registry import subscriber_keys
from processor.delivery.lane import CompletedAttempt, common_keys, milliseconds
from processor.delivery.lane_places import Place, keys_of
from processor.delivery.scripts import register
from processor.store import keys
from processor.store.cluster_pipelines import NOT_REACHED
from processor.store.each_cell import grouped
from processor.store.round_trip import RoundTrip

ATTEMPTS_KEPT = 30
ERASED = 0
"""The script's reply for an attempt whose notification was erased."""


@dataclass(slots=True)
class Recorded:
    """What Redis replied.

    ``refused`` are attempts that it did not record, with its errors. ``unreached`` are those of a node of a
    cluster that did not answer, and may have recorded them: recording one again changes nothing.
    ``next_ids`` are notifications that may have waited for one that was recorded, by lane and cell.
    ``erased`` are lanes and notifications that no longer exist.
    """

    refused: list[tuple[CompletedAttempt, RedisError]] = field(default_factory=list)
    unreached: list[CompletedAttempt] = field(default_factory=list)
    next_ids: dict[Place, list[str]] = field(default_factory=dict)
    erased: list[tuple[str, str]] = field(default_factory=list)


class AttemptRecorder:
    """Records the attempts of the process ``token``. Raises ``redis.RedisError``.

    What the state of a lane did not learn, because its node did not answer, is added to the next round trip.
    """

    def __init__(self, client: "Redis[Any]", token: str) -> None:
        self._client = client
        self._token = token
        self._settle, self._note = (register(client, name) for name in ("settle", "note"))
        self._to_note: dict[str, dict[int, CompletedAttempt]] = {}
        """Attempts by lane and number that are not yet in the state of their lane."""

    @property
    def scripts(self) -> tuple[Any, ...]:
        """The scripts that ``add`` calls."""
        return (self._settle, self._note)

    def add(
        self, trip: RoundTrip, completed: Sequence[CompletedAttempt], now_ms: int
    ) -> list[list[CompletedAttempt]]:
        """Add calls to ``trip``; the attempts of each of the first ones."""
        by_place = grouped(((attempt.lease.lane.id, attempt.lease.cell), attempt) for attempt in completed)
        for attempt in completed:
            self._to_note.setdefault(attempt.lease.lane.id, {})[attempt.number] = attempt
        for (lane_id, cell), batch in by_place.items():
            self._add_settling(trip, lane_id, cell, batch, now_ms)
        for lane_id, of_lane in self._to_note.items():
            self._add_note(trip, lane_id, list(of_lane.values()), now_ms)
        return list(by_place.values())

    def read(self, batches: Sequence[Sequence[CompletedAttempt]], replies: Sequence[Any]) -> Recorded:
        """What the replies to the calls of ``add`` say."""
        recorded = Recorded()
        notes = zip(tuple(self._to_note), replies[len(batches) :], strict=True)
        for lane_id, reply in notes:
            if not isinstance(reply, NOT_REACHED):
                del self._to_note[lane_id]
        for batch, reply in zip(batches, replies, strict=False):
            if isinstance(reply, NOT_REACHED):
                recorded.unreached += batch
                continue
            if isinstance(reply, RedisError):
                recorded.refused += [(attempt, reply) for attempt in batch]
                continue
            for attempt, next_id in zip(batch, reply, strict=True):
                lease = attempt.lease
                if isinstance(next_id, RedisError):
                    recorded.refused.append((attempt, next_id))
                elif next_id == ERASED:
                    recorded.erased.append((lease.lane.id, lease.notification_id))
                elif next_id:
                    place = lease.lane.id, lease.cell
                    recorded.next_ids.setdefault(place, []).append(next_id.decode())
        for lane_id, notification_id in recorded.erased:
            forget_attempt(self._client, lane_id, {notification_id})
        return recorded

    def _add_settling(
        self, trip: RoundTrip, lane_id: str, cell: int, batch: Sequence[CompletedAttempt], now_ms: int
    ) -> None:
        lane = batch[0].lease.lane
        names = [*common_keys(cell), *keys_of((lane_id, cell))]
        args = [lane_id, self._token, now_ms, ATTEMPTS_KEPT, int(lane.ordered)]
        for attempt in batch:
            id_ = attempt.lease.notification_id
            names += [
                keys.deliveries(cell, id_),
                keys.notification(cell, id_),
                keys.outbox_of(cell, attempt.lease.connection_id),
            ]
            args += [
                id_,
                attempt.verdict.value,
                to_ms(attempt.next_attempt_at) if attempt.next_attempt_at else now_ms,
                msgspec.json.encode(attempt.record),
                int(attempt.asked),
            ]
        trip.call(self._settle, names, args)

    def _add_note(
        self, trip: RoundTrip, lane_id: str, batch: Sequence[CompletedAttempt], now_ms: int
    ) -> None:
        args = [
            self._token,
            now_ms,
            retry_schedule.SLOW_AFTER,
            milliseconds(retry_schedule.PROBE_PAUSE),
            milliseconds(retry_schedule.LONGEST_PROBE_PAUSE),
            milliseconds(retry_schedule.PAUSE_AFTER),
        ]
        for attempt in sorted(batch, key=lambda attempt: attempt.number):
            args += [
                attempt.number,
                attempt.verdict.value,
                msgspec.json.encode(attempt.record),
                int(attempt.counts and not attempt.lease.lane.is_test),
            ]
        names = [keys.lane_state(lane_id), keys.subscribers_version(), *subscriber_keys(lane_id)]
        trip.call(self._note, names, args)


def forget_attempt(client: "Redis[Any]", lane_id: str, notification_ids: set[str]) -> None:
    """Remove the last attempt of a lane if it was at one of these notifications, which were erased."""
    last_attempt = client.hget(keys.lane_state(lane_id), "last_attempt")
    if last_attempt is not None and json.loads(last_attempt).get("id") in notification_ids:
        client.hdel(keys.lane_state(lane_id), "last_attempt")
