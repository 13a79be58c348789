"""Metrics of one process, and how they reach the store, where those of all processes are added up.

A process counts in memory and hands its counts to a pipeline that it sends every few seconds anyway (its
heartbeat, or that of the receipts), so counting costs no round trip. A process that is killed loses the
counts of its last two seconds. See decision 33.
"""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import RedisError
from redis.client import Pipeline

from processor.store import keys, trends
from processor.store.decoding import text
from processor.store.trends import Series

SUM = "sum"
_SEPARATOR = "|"
MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A counter, or, with ``buckets`` (upper bounds), a histogram; named as Prometheus has it."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)

RECEIVED = MetricDefinition(
    "codat_received_messages", "Authentic messages by what was answered.", ("status",)
)
HANDLING = MetricDefinition(
    "codat_handling_seconds", "From the receipt of a message to the commit of its decisions.", (), _SECONDS
)
REPLAY_HANDLING = MetricDefinition(
    "codat_replay_handling_seconds", "The same of replays, which new messages overtake.", (), _SECONDS
)
DELIVERY = MetricDefinition(
    "codat_delivery_seconds",
    "From the commit that decided a notification to its delivery.",
    ("channel",),
    (*_SECONDS, 3600.0),
)
ATTEMPTS = MetricDefinition(
    "codat_delivery_attempts", "Attempts to deliver by receiver and result.", ("lane", "result")
)
ATTEMPT_SECONDS = MetricDefinition(
    "codat_delivery_attempt_seconds", "How long an attempt took.", ("channel",), _SECONDS
)
CODAT_CALL = MetricDefinition(
    "codat_api_call_seconds", "How long Codat took to answer.", ("call", "status"), _SECONDS
)
WAKE_UPS = MetricDefinition("codat_wake_ups", "Wake-up calls to workers by queue.", ("queue",))
POOL_USE = MetricDefinition(
    "codat_redis_pool_use_ratio",
    "Largest share of its connections that a process used at once, sampled with each flush.",
    ("role",),
    (0.25, 0.5, 0.75, 0.9, 1.0),
)
DEFINITIONS = (
    RECEIVED,
    HANDLING,
    REPLAY_HANDLING,
    DELIVERY,
    ATTEMPTS,
    ATTEMPT_SECONDS,
    CODAT_CALL,
    WAKE_UPS,
    POOL_USE,
)
RESULTS = ("delivered", "again", "dead", "uncertain", "gone")
"""Values of the label ``result`` of ``ATTEMPTS``."""


class Metrics:
    """Counts of this process since they were last handed over. Thread-safe; bounded by the labels."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: Counter[str] = Counter()
        self._trends: Counter[str] = Counter()
        self._lanes: Counter[tuple[str, str]] = Counter()

    def received(self, statuses: Iterable[str]) -> None:
        """Count the answers to a batch of messages: ``accepted``, ``duplicate``, ``quarantined``."""
        counts = Counter(statuses)
        with self._lock:
            for status, count in counts.items():
                self._totals[_field(RECEIVED, status)] += count
            self._trends[Series.ACCEPTED] += counts["accepted"] + counts["quarantined"]

    def handled(self, lags_s: Sequence[float], *, failed: int, told: int, replays: bool = False) -> None:
        """Count a committed batch: the lag of each message of Codat's, failures, and notifications.

        ``replays``: of the lane of replays.
        """
        metric = REPLAY_HANDLING if replays else HANDLING
        with self._lock:
            if lags_s:
                self._observe(metric, lags_s)
            self._trends[Series.HANDLED] += len(lags_s)
            self._trends[Series.LAG_MS] += sum(int(max(0.0, lag_s) * 1000) for lag_s in lags_s)
            self._trends[Series.FAILURES] += failed
            self._trends[Series.TOLD] += told

    def attempted(self, lane_id: str, channel: str, result: str, seconds: float, lag_s: float | None) -> None:
        """Count an attempt to deliver; ``lag_s``: since the decision, where it was delivered."""
        with self._lock:
            self._totals[_field(ATTEMPTS, lane_id, result)] += 1
            self._observe(ATTEMPT_SECONDS, [seconds], channel)
            ok = result == "delivered"
            if lag_s is not None:
                self._observe(DELIVERY, [lag_s], channel)
            self._trends[Series.DELIVERED if ok else Series.FAILURES] += 1
            self._lanes[lane_id, Series.DELIVERED if ok else Series.FAILURES] += 1
            self._lanes[lane_id, Series.ATTEMPT_MS] += int(seconds * 1000)

    def asked_codat(self, call: str, status: str, seconds: float, *, failed: bool) -> None:
        """Count a call to Codat: its method and path without ids, and the status of the answer."""
        with self._lock:
            self._observe(CODAT_CALL, [seconds], call, status)
            self._trends[Series.CODAT_CALLS] += 1
            self._trends[Series.CODAT_MS] += int(seconds * 1000)
            self._trends[Series.CODAT_ERRORS] += int(failed)

    def woke(self, queue: str) -> None:
        """Count a wake-up call."""
        with self._lock:
            self._totals[_field(WAKE_UPS, queue)] += 1

    def pool_used(self, role: str, share: float) -> None:
        """Note the largest share of the connections that was in use since the last call."""
        with self._lock:
            self._observe(POOL_USE, [share], role)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted."""
        return not self._totals and not any(self._trends.values())

    @contextmanager
    def staged(self, pipe: "Pipeline[Any]", now: datetime) -> Iterator[None]:
        """Add the counts to ``pipe``, which the caller sends inside; what failed is counted again."""
        with self._lock:
            totals, counts, lanes = self._totals, self._trends, self._lanes
            self._totals, self._trends, self._lanes = Counter(), Counter(), Counter()
        for name, count in totals.items():
            pipe.hincrby(keys.metrics(), name, count)
        trends.write(pipe, counts, now)
        trends.write_lanes(pipe, lanes, now)
        try:
            yield
        except RedisError:
            with self._lock:
                self._totals.update(totals)
                self._trends.update(counts)
                self._lanes.update(lanes)
            raise

    def _observe(self, definition: MetricDefinition, values: Sequence[float], *labels: str) -> None:
        for bucket, count in Counter(bisect_left(definition.buckets, value) for value in values).items():
            self._totals[_field(definition, *labels, str(bucket))] += count
        micros = sum(int(max(0.0, value) * MICROS) for value in values)
        self._totals[_field(definition, *labels, SUM)] += micros


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of observations in each bucket (the last one has no bound), and the sum of their values."""

    counts: list[int]
    sum: float


def parse(
    row: Mapping[bytes, bytes],
) -> tuple[dict[str, dict[tuple[str, ...], int]], dict[str, dict[tuple[str, ...], Histogram]]]:
    """Counters and histograms by name and values of their labels, from the hash as stored."""
    counters: dict[str, dict[tuple[str, ...], int]] = {}
    histograms: dict[str, dict[tuple[str, ...], Histogram]] = {}
    definitions = {definition.name: definition for definition in DEFINITIONS}
    for field, value in row.items():
        name, *labels = text(field).split(_SEPARATOR)
        definition = definitions.get(name)
        if definition is None:
            continue  # of another version
        if not definition.buckets:
            counters.setdefault(name, {})[tuple(labels)] = int(value)
            continue
        *labels, part = labels
        empty = Histogram([0] * (len(definition.buckets) + 1), 0.0)
        histogram = histograms.setdefault(name, {}).setdefault(tuple(labels), empty)
        if part == SUM:
            histograms[name][tuple(labels)] = Histogram(histogram.counts, int(value) / MICROS)
        elif int(part) < len(histogram.counts):
            histogram.counts[int(part)] = int(value)
    return counters, histograms


def forget_lane(pipe: "Pipeline[Any]", lane_id: str) -> None:
    """Stage the removal of the counts of a lane, so that removed receivers leave nothing."""
    pipe.hdel(keys.metrics(), *(_field(ATTEMPTS, lane_id, result) for result in RESULTS))


def _field(definition: MetricDefinition, *labels: str) -> str:
    return _SEPARATOR.join((definition.name, *labels))
