"""Claims of due deliveries, and what is asked before in lanes that are not simple."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import msgspec
from redis import Redis, RedisError

from processor.delivery.lane import LEASE, Lane, Lease, milliseconds
from processor.delivery.lane_places import LanePlaces, Place, keys_of
from processor.delivery.scripts import register
from processor.store import keys, records, unreadable
from processor.store.decoding import text, texts
from processor.store.round_trip import RoundTrip

MOST_BROUGHT_FORWARD = 1_000
"""Retries of a lane in a cell that are due at once after a recovery."""


class DueDelivery(NamedTuple):
    """A delivery that may be claimed; the earliest is the smallest."""

    due_ms: float
    cell: int
    notification_id: str


@dataclass(slots=True)
class LanePlan:
    """What a look does in a lane.

    Up to ``limit`` attempts may be under way, and ``most`` due deliveries are read in a cell. Up to ``room``
    of ``due`` are claimed.
    """

    lane: Lane
    limit: int
    most: int
    due: list[DueDelivery] = field(default_factory=list)
    room: int = 0
    is_slow: bool = False
    has_recovered: bool = False


class Claims:
    """Leases deliveries to the process ``token``, and notes in ``places`` what is left."""

    def __init__(self, client: "Redis[Any]", token: str, places: LanePlaces) -> None:
        self._client = client
        self._token = token
        self._places = places
        self._scripts = [register(client, name) for name in ("claim", "permit", "bring_forward")]
        self._claim, self._permit, self._bring_forward = self._scripts

    def claim(
        self,
        plans: Mapping[str, LanePlan],
        next_ids: Mapping[Place, Sequence[str]],
        now_ms: int,
        errors: list[RedisError],
    ) -> list[Lease]:
        """Claim what is planned, and bring forward what waited for an older one, or for a recovery.

        Appends to ``errors``.
        """
        self._limit(plans, now_ms, errors)
        connections, forward = self._ask(plans, now_ms, errors)
        for place, ids in next_ids.items():
            forward[place] = [*forward.get(place, ()), *ids]
        trip = self._trip()
        for place, ids in forward.items():
            self._add_forward(trip, place, ids, now_ms)
        calls = []
        for lane_id, plan in plans.items():
            for cell in dict.fromkeys(row.cell for row in plan.due[: plan.room]):
                calls.append((plan.lane, cell, self._add_claim(trip, plan, cell, connections, now_ms)))
            self._note_left(lane_id, plan.due[plan.room :])
        replies = trip.execute()
        errors += [reply for reply in replies if isinstance(reply, RedisError)]
        refused = {
            lane_id
            for (lane_id, _), reply in zip(forward, replies, strict=False)
            if isinstance(reply, RedisError)
        }
        for lane_id, plan in plans.items():
            if plan.has_recovered and lane_id not in refused:
                self._client.hdel(keys.lane_state(lane_id), "recovered")
        leases: list[Lease] = []
        for (lane, cell, ids), rows in zip(calls, replies[len(forward) :], strict=True):
            if not isinstance(rows, RedisError):
                leases += self._leases(lane, cell, zip(ids, rows, strict=True), now_ms, errors)
        return leases

    def _trip(self) -> RoundTrip:
        return RoundTrip(self._client, *self._scripts)

    def _limit(self, plans: Mapping[str, LanePlan], now_ms: int, errors: list[RedisError]) -> None:
        """Ask how many may begin in lanes that are slow or have a rate."""
        trip = self._trip()
        limited = {
            lane_id: plan
            for lane_id, plan in plans.items()
            if plan.room and (plan.is_slow or plan.lane.rate_per_s)
        }
        until_ms = now_ms + milliseconds(LEASE)
        for lane_id, plan in limited.items():
            under_way = self._places.under_way(lane_id)
            args = [now_ms, plan.room, until_ms, plan.lane.rate_per_s, under_way]
            trip.call(self._permit, [keys.lane_state(lane_id)], args)
        for (lane_id, plan), reply in zip(limited.items(), trip.execute(), strict=True):
            if isinstance(reply, RedisError):
                errors.append(reply)
                reply = (0, b"")
            room, again = reply
            if again:
                for row in plan.due[room:]:
                    self._places.note_left((lane_id, row.cell), float(again))
                if not plan.lane.ordered:  # which looks at more of them than it claims
                    del plan.due[room:]
            plan.room = room

    def _ask(
        self, plans: Mapping[str, LanePlan], now_ms: int, errors: list[RedisError]
    ) -> tuple[dict[DueDelivery, str], dict[Place, Sequence[str]]]:
        """The connections of ordered deliveries, and the waiting retries of lanes that have recovered.

        What cannot be read is left for another look: without its connection a delivery has no order.
        """
        trip = self._trip()
        ordered = [row for plan in plans.values() if plan.room and plan.lane.ordered for row in plan.due]
        for row in ordered:
            trip.add("GET", keys.notification(row.cell, row.notification_id))
        places = [
            (lane_id, cell) for lane_id, plan in plans.items() if plan.has_recovered for cell in keys.cells()
        ]
        for lane_id, cell in places:
            limit = ("LIMIT", 0, MOST_BROUGHT_FORWARD)
            trip.add("ZRANGEBYSCORE", keys.lane(cell, lane_id), f"({now_ms}", "+inf", *limit)
        replies = trip.execute()
        errors += [reply for reply in replies if isinstance(reply, RedisError)]
        connections = {
            row: records.notification_parts(row.notification_id, reply or b"")[1]
            for row, reply in zip(ordered, replies, strict=False)
            if not isinstance(reply, RedisError)
        }
        for lane_id, plan in plans.items():
            if plan.room and plan.lane.ordered:
                self._note_left(lane_id, [row for row in plan.due if row not in connections])
                plan.due = [row for row in plan.due if row in connections]
        forward: dict[Place, Sequence[str]] = {}
        for place, reply in zip(places, replies[len(ordered) :], strict=True):
            if isinstance(reply, RedisError):
                plans[place[0]].has_recovered = False  # as far as this look goes
            elif reply:
                forward[place] = texts(reply)
        return connections, forward

    def _note_left(self, lane_id: str, left: Sequence[DueDelivery]) -> None:
        for row in left:
            self._places.note_left((lane_id, row.cell), None)

    def _add_forward(self, trip: RoundTrip, place: Place, ids: Sequence[str], now_ms: int) -> None:
        lane_id, cell = place
        names = [*keys_of(place), *(keys.deliveries(cell, id_) for id_ in ids)]
        trip.call(self._bring_forward, names, [lane_id, now_ms, *ids])
        self._places.note_due(place, now_ms)

    def _add_claim(
        self, trip: RoundTrip, plan: LanePlan, cell: int, connections: Mapping[DueDelivery, str], now_ms: int
    ) -> list[str]:
        """Add a claim to ``trip``; the deliveries that it may lease."""
        lane, rows = plan.lane, [row for row in plan.due[: plan.room] if row.cell == cell]
        args = [lane.id, now_ms, now_ms + milliseconds(LEASE), self._token, len(rows), int(lane.ordered)]
        if lane.ordered:  # some may have to wait for older ones
            rows = [row for row in plan.due if row.cell == cell]
        names = keys_of((lane.id, cell))
        for row in rows:
            names += [
                keys.notification(cell, row.notification_id),
                keys.deliveries(cell, row.notification_id),
            ]
            if lane.ordered:
                names.append(keys.outbox_of(cell, connections[row]))
        ids = [row.notification_id for row in rows]
        trip.call(self._claim, names, [*args, *ids])
        return ids

    def _leases(
        self, lane: Lane, cell: int, rows: Iterable[tuple[str, Any]], now_ms: int, errors: list[RedisError]
    ) -> Iterable[Lease]:
        """The leases of a claim. A notification that cannot be read is noted, and waits."""
        place, ends_ms = (lane.id, cell), now_ms + milliseconds(LEASE)
        for id_, row in rows:
            if isinstance(row, RedisError):
                errors.append(row)
            elif isinstance(row, int):
                self._places.note_due(place, row)
            elif row:
                lease = unreadable.read(
                    self._client, records.NOTIFICATION, id_, partial(self._lease, lane, cell, id_, *row)
                )
                if lease is None:
                    self._client.zrem(keys_of(place)[1], f"{id_} {self._token}")
                    self._places.note_due(place, ends_ms)
                else:
                    self._places.note_claim(place, ends_ms)
                    yield lease

    def _lease(self, lane: Lane, cell: int, id_: str, record: bytes, tries: bytes) -> Lease:
        """A lease, with what the senders need. Raises one of ``unreadable.FAULTS``."""
        document, connection_id = records.notification_parts(id_, record)
        body = msgspec.json.decode(document)
        if not body.keys() >= records.NOTIFICATION_FIELDS or not isinstance(body["data"], dict):
            raise ValueError("not a notification")
        return Lease(lane, cell, id_, connection_id, text(document), int(tries), self._token)
