"""Trends: counts per minute for a day and per hour for 30 days, in rings of a fixed number of small hashes.

A ring is divided into parts, each a hash with the slots of its span of time. A part expires after its last
slot is too old, and before its place in the ring is used again, so nothing is ever cleared or grows.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.store import keys
from processor.store.decoding import text


class Series(StrEnum):
    """What is counted in each slot. The times are sums in milliseconds."""

    ACCEPTED = "accepted"
    HANDLED = "handled"
    LAG_MS = "lag_ms"
    TOLD = "told"
    DELIVERED = "delivered"
    FAILURES = "failures"
    CODAT_CALLS = "codat_calls"
    CODAT_MS = "codat_ms"
    CODAT_ERRORS = "codat_errors"
    ATTEMPT_MS = "attempt_ms"


@dataclass(frozen=True, slots=True)
class Ring:
    """``parts`` hashes, each with ``slots`` of ``step_s`` seconds, that expire after ``ttl``."""

    name: str
    step_s: int
    slots: int
    parts: int
    ttl: timedelta

    def slot(self, now: datetime) -> int:
        """The number of the slot of a time."""
        return int(now.timestamp()) // self.step_s

    def place(self, slot: int) -> tuple[int, int]:
        """The part of a slot, and its number in that part."""
        return slot // self.slots % self.parts, slot % self.slots


MINUTES = Ring("minutes", 60, 30, 50, timedelta(hours=24))
HOURS = Ring("hours", 3600, 24, 32, timedelta(days=30))
LANE_HOURS = Ring("lane-hours", 3600, 24, 9, timedelta(days=7))
"""A day of minutes in 50 hashes of half an hour, 30 days of hours in 32 of a day; a week for each lane.

One part more than is needed: what is counted late, or by a clock that is behind, postpones the expiry."""

NORMAL_DAYS = 7

Slots = Mapping[int, Mapping[str, int]]
"""Counts by slot and series; a slot without counts is missing."""


def write(pipe: "Pipeline[Any]", counts: Mapping[str, int], now: datetime) -> None:
    """Stage the counts of one process."""
    for ring in (MINUTES, HOURS):
        part, number = ring.place(ring.slot(now))
        _write(pipe, keys.trend(ring.name, part), number, counts, ring)


def write_lanes(pipe: "Pipeline[Any]", counts: Mapping[tuple[str, str], int], now: datetime) -> None:
    """Stage the counts of lanes, by lane and series."""
    part, number = LANE_HOURS.place(LANE_HOURS.slot(now))
    by_lane: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (lane_id, series), count in counts.items():
        by_lane[lane_id][series] = count
    for lane_id, of_lane in by_lane.items():
        _write(pipe, keys.lane_trend(lane_id, part), number, of_lane, LANE_HOURS)


def read(client: "Redis[Any]", ring: Ring, slots: int, now: datetime) -> Slots:
    """The newest ``slots`` of a ring. Raises ``redis.RedisError``."""
    return _read(client, [lambda part: keys.trend(ring.name, part)], ring, slots, now)[0]


def read_lanes(client: "Redis[Any]", lane_ids: Sequence[str], slots: int, now: datetime) -> dict[str, Slots]:
    """The newest ``slots`` hours of lanes. Raises ``redis.RedisError``."""
    names = [lambda part, lane_id=lane_id: keys.lane_trend(lane_id, part) for lane_id in lane_ids]
    return dict(zip(lane_ids, _read(client, names, LANE_HOURS, slots, now), strict=True))


def values(slots: Slots, series: str, *, last: int, count: int, width: int = 1) -> list[int]:
    """``count`` sums of a series, each over ``width`` slots, oldest first; ``last`` is the newest slot."""
    first = last - count * width + 1
    return [
        sum(slots.get(slot, {}).get(series, 0) for slot in range(at, at + width))
        for at in range(first, last + 1, width)
    ]


def averages(sums: Sequence[int], counts: Sequence[int]) -> list[float | None]:
    """The average of each slot; ``None`` where nothing was counted."""
    return [total / count if count else None for total, count in zip(sums, counts, strict=True)]


def normal(hours: Slots, series: str, now: datetime) -> float | None:
    """Median over the last seven days of the sum in the hour that ended at this time of the day.

    ``None`` in the first day of the store. A slot of the ring is a whole hour, so two are shared out.
    """
    slot = HOURS.slot(now)
    share = now.timestamp() % HOURS.step_s / HOURS.step_s
    first = min(hours, default=slot)
    days = [
        hours.get(at, {}).get(series, 0) * share + hours.get(at - 1, {}).get(series, 0) * (1 - share)
        for at in range(slot - 24, slot - 24 * NORMAL_DAYS - 1, -24)
        if at - 1 >= first
    ]
    return median(days) if days else None


def _write(pipe: "Pipeline[Any]", name: str, number: int, counts: Mapping[str, int], ring: Ring) -> None:
    staged = {series: count for series, count in counts.items() if count}
    for series, count in staged.items():
        pipe.hincrby(name, f"{number} {series}", count)
    if staged:
        pipe.expire(name, ring.ttl)


def _read(client: "Redis[Any]", names: Sequence[Any], ring: Ring, slots: int, now: datetime) -> list[Slots]:
    last = ring.slot(now)
    spans = range((last - slots + 1) // ring.slots, last // ring.slots + 1)
    with client.pipeline(transaction=False) as pipe:
        for name in names:
            for span in spans:
                pipe.hgetall(name(span % ring.parts))
        rows = iter(pipe.execute())
    results: list[Slots] = []
    for _ in names:
        of_name: dict[int, dict[str, int]] = {}
        for span in spans:
            for field, count in next(rows).items():
                number, _, series = text(field).partition(" ")
                slot = span * ring.slots + int(number)
                if last - slots < slot <= last:
                    of_name.setdefault(slot, {})[series] = int(count)
        results.append(of_name)
    return results
