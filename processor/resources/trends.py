"""The figures of the last hour with what is normal, and the trends of an hour, a day and 30 days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from redis import Redis

from processor.clock import from_ms
from processor.store import trends
from processor.store.trends import HOURS, LANE_HOURS, MINUTES, Ring, Series, Slots, averages, values


class Window(StrEnum):
    """A span of time that trends show."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Figure:
    """A count of the last hour, and what is normal at this time of the day (``None``: not known yet)."""

    name: str
    count: int
    normal: float | None


@dataclass(frozen=True, slots=True)
class Trend:
    """The values of one curve, oldest first; ``None`` where there is none. ``unit`` is empty for counts."""

    id: str
    title: str
    unit: str
    values: Sequence[float | None]

    @property
    def newest(self) -> float | None:
        return next((value for value in reversed(self.values) if value is not None), None)

    @property
    def highest(self) -> float:
        """The highest value; 0 without one."""
        return max((value for value in self.values if value is not None), default=0)


@dataclass(frozen=True, slots=True)
class TrendSet:
    """Several curves over the same time: the beginning and the length of each step."""

    starts: Sequence[datetime]
    step: timedelta
    curves: Sequence[Trend]


@dataclass(frozen=True, slots=True)
class _Resolution:
    """``count`` steps, each of ``width`` slots of a ring."""

    ring: Ring
    count: int
    width: int

    def sums(self, slots: Slots, series: Series, now: datetime) -> list[int]:
        return values(slots, series, last=self.ring.slot(now), count=self.count, width=self.width)

    def trends(self, now: datetime, *curves: Trend) -> TrendSet:
        """The curves, with the beginnings of the steps until ``now``."""
        first = self.ring.slot(now) + 1 - self.count * self.width
        slots = range(first, first + self.count * self.width, self.width)
        starts = [from_ms(slot * self.ring.step_s * 1000) for slot in slots]
        return TrendSet(starts, timedelta(seconds=self.ring.step_s * self.width), curves)


RESOLUTIONS = {
    Window.HOUR: _Resolution(MINUTES, 60, 1),
    Window.DAY: _Resolution(MINUTES, 96, 15),
    Window.MONTH: _Resolution(HOURS, 120, 6),
}
LANE_WEEK = _Resolution(LANE_HOURS, 56, 3)


def figures(client: "Redis[Any]", now: datetime) -> list[Figure]:
    """Accepted, handled and told in the last hour. Raises ``redis.RedisError``."""
    minutes = trends.read(client, MINUTES, 60, now)
    hours = trends.read(client, HOURS, 24 * (trends.NORMAL_DAYS + 1), now)
    last = MINUTES.slot(now)
    return [
        Figure(series.value, values(minutes, series, last=last, count=1, width=60)[0], normal)
        for series in (Series.ACCEPTED, Series.HANDLED, Series.TOLD)
        for normal in (trends.normal(hours, series, now),)
    ]


def read(client: "Redis[Any]", window: Window, now: datetime) -> TrendSet:
    """The curves of a window. Raises ``redis.RedisError``."""
    resolution = RESOLUTIONS[window]
    slots = trends.read(client, resolution.ring, resolution.count * resolution.width, now)

    def sums(series: Series) -> list[int]:
        return resolution.sums(slots, series, now)

    lag = averages(sums(Series.LAG_MS), sums(Series.HANDLED))
    latency = averages(sums(Series.CODAT_MS), sums(Series.CODAT_CALLS))
    return resolution.trends(
        now,
        Trend("accepted", "Accepted", "", sums(Series.ACCEPTED)),
        Trend("lag", "Lag, receipt to commit", "ms", lag),
        Trend("delivered", "Deliveries", "", sums(Series.DELIVERED)),
        Trend("failures", "Failed attempts", "", sums(Series.FAILURES)),
        Trend("codat-latency", "Codat's latency", "ms", latency),
        Trend("codat-errors", "Codat's errors", "", sums(Series.CODAT_ERRORS)),
    )


def of_lane(client: "Redis[Any]", lane_id: str, now: datetime) -> TrendSet:
    """Success rate and latency of a lane for a week, in steps of three hours. Raises ``redis.RedisError``."""
    slots = trends.read_lanes(client, [lane_id], LANE_HOURS.slots * 7, now)[lane_id]
    delivered, failed, spent_ms = (
        LANE_WEEK.sums(slots, series, now)
        for series in (Series.DELIVERED, Series.FAILURES, Series.ATTEMPT_MS)
    )
    attempts = [ok + bad for ok, bad in zip(delivered, failed, strict=True)]
    return LANE_WEEK.trends(
        now,
        Trend("success", "Success rate", "%", averages([100 * ok for ok in delivered], attempts)),
        Trend("latency", "Latency", "ms", averages(spent_ms, attempts)),
        Trend("attempts", "Attempts", "", attempts),
    )
