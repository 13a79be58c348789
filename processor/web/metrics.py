"""``/metrics`` for Prometheus, read from the counters in Redis: every process answers the same.

The histograms and counters of :mod:`processor.store.metrics` are sums over all processes (decision 33).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

from processor.alerts.signature import RefusalReason
from processor.conditions.registry import DEFINITIONS
from processor.resources import queries
from processor.store import keys
from processor.store.metrics import DEFINITIONS as DEFINITIONS_OF_PROCESSES
from processor.store.metrics import Histogram, MetricDefinition, parse
from processor.web.dependencies import conditions, get_container

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def metrics() -> Response:
    """The numbers of ``/v1/stats`` in Prometheus' text format."""
    container = get_container()
    stats = queries.stats(container.reader, container.redis, conditions())
    with container.redis.pipeline(transaction=False) as pipe:
        pipe.hgetall(keys.metrics())
        pipe.info("memory")
        row, memory = pipe.execute()
    reading = _Reading((*_of_stats(stats), *_of_processes(row, memory)))
    return Response(generate_latest(reading), content_type=CONTENT_TYPE_LATEST)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One reading of all metrics, as ``generate_latest`` takes them."""

    metrics: Sequence[Metric]

    def collect(self) -> Sequence[Metric]:
        """The metrics."""
        return self.metrics


def _of_stats(stats: Mapping[str, Any]) -> Iterator[Metric]:
    """Every figure of the statistics."""
    yield _by_label("codat_connections", "Connections by state.", "state", stats["connections"])
    yield _by_label("codat_events", "Kept messages by status.", "status", stats["events"])
    inbox = stats["inbox"]
    codat, dead, uncertain = stats["codat"], stats["dead_deliveries"], stats["uncertain_deliveries"]
    for name, text, value in (
        ("codat_inbox_depth", "Messages that wait.", inbox["depth"]),
        ("codat_inbox_age_seconds", "How long the oldest message has waited.", inbox["age_s"]),
        ("codat_questions", "Questions that wait to be put to Codat.", stats["questions"]),
        ("codat_dead_deliveries", "Notifications that a receiver never took.", dead),
        (
            "codat_uncertain_deliveries",
            "Notifications of which a delivery was sent and not answered.",
            uncertain,
        ),
        ("codat_missing_messages", "Changes that no message told of lately.", codat["missing_now"]),
        ("codat_warnings", "Warnings that hold now.", len(codat["warnings"])),
    ):
        yield GaugeMetricFamily(name, text, value=value)
    for key, name, text in (
        ("depth", "codat_inbox_lane_depth", "Messages that wait, by lane of the inbox."),
        (
            "age_s",
            "codat_inbox_lane_age_seconds",
            "How long the oldest of them has waited.",
        ),
    ):
        values = {lane: row[key] for lane, row in inbox["lanes"].items()}
        yield _by_label(name, text, "lane", values)
    yield _by_lane("codat_lane_waiting", "Notifications that wait for a receiver.", stats, "waiting")
    yield _by_lane("codat_lane_overdue_seconds", "How late the oldest of them is.", stats, "overdue_s")
    yield _conditions(stats["conditions"])
    yield from _codat(codat)
    if codat["quota"] is not None:
        yield GaugeMetricFamily(
            "codat_quota_remaining",
            "Requests left until Codat resets.",
            value=codat["quota"]["remaining"],
        )
    counter = CounterMetricFamily("codat_happenings", "What happened how often.", labels=["what"])
    for name, count in stats["counters"].items():
        if not name.endswith("_ms"):
            counter.add_metric([name], count)
    yield counter


def _of_processes(row: Mapping[bytes, bytes], memory: Mapping[str, Any]) -> Iterator[Metric]:
    """What all processes counted, also without a sample yet, and the memory of Redis."""
    counters, histograms = parse(row)
    for definition in DEFINITIONS_OF_PROCESSES:
        if definition.buckets:
            yield _histogram(definition, histograms.get(definition.name, {}))
            continue
        counter = CounterMetricFamily(definition.name, definition.text, labels=definition.labels)
        for labels, count in sorted(counters.get(definition.name, {}).items()):
            counter.add_metric(labels, count)
        yield counter
    for name, text, field in (
        ("codat_redis_memory_bytes", "Memory that Redis uses.", "used_memory"),
        ("codat_redis_max_memory_bytes", "Its limit; 0: none.", "maxmemory"),
    ):
        yield GaugeMetricFamily(name, text, value=memory.get(field, 0))


def _histogram(
    definition: MetricDefinition, histograms: Mapping[tuple[str, ...], Histogram]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(definition.name, definition.text, labels=definition.labels)
    bounds = (*map(floatToGoString, definition.buckets), "+Inf")
    for labels, histogram in sorted(histograms.items()):
        buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
        family.add_metric(labels, buckets, histogram.sum)
    return family


def _codat(codat: Mapping[str, Any]) -> Iterator[Metric]:
    """Calls to Codat and refused messages; every reason is exported from the start, so that rates work."""
    calls = codat["calls"]
    counter = CounterMetricFamily("codat_api_requests", "Calls to Codat by status.", labels=["status"])
    duration = SummaryMetricFamily("codat_api_request_seconds", "How long they took.", labels=["status"])
    for status, count in calls["by_status"].items():
        counter.add_metric([status], count)
        duration.add_metric([status], count, calls["seconds_by_status"].get(status, 0.0))
    yield counter
    yield duration
    refused = CounterMetricFamily("codat_refused_messages", "Refused messages by reason.", labels=["reason"])
    for reason in RefusalReason:
        refused.add_metric([reason.value], codat["refused"]["by_reason"].get(reason.value, 0))
    yield refused


def _by_label(name: str, text: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _conditions(conditions: Sequence[Mapping[str, Any]]) -> GaugeMetricFamily:
    """The conditions by code and severity as they hold; 0 for a code that does not hold, as it is usual."""
    counts = Counter((condition["code"], condition["severity"]) for condition in conditions)
    usual = ((definition.code, definition.severity.value) for definition in DEFINITIONS)
    family = GaugeMetricFamily("codat_condition", "Conditions that hold now.", labels=["code", "severity"])
    for labels in dict.fromkeys((*usual, *counts)):
        family.add_metric(labels, counts[labels])
    return family


def _by_lane(name: str, text: str, stats: Mapping[str, Any], figure: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["lane", "channel"])
    for lane in stats["lanes"]:
        family.add_metric([lane["id"], lane["channel"]], lane[figure])
    return family
