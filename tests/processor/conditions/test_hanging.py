"""Work that hangs, and deliveries that nobody makes, are conditions."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from processor.conditions import deliveries
from processor.conditions.evaluation import current
from processor.conditions.facts import Facts, StoreFacts
from processor.delivery.lane import LaneState, Mode
from processor.settings.loading import load
from processor.store import heartbeats
from tests.support.serving import ENVIRON

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)

LANE = LaneState(
    lane_id="sub_1",
    mode=Mode.ACTIVE,
    since=None,
    waiting=1_844,
    under_way=0,
    overdue_s=120.0,
    failures=0,
    failing_since=None,
    delivered=65,
    dead=0,
    uncertain=0,
    last_attempt=None,
)


@pytest.fixture
def store(redis_url: str) -> Iterator["Redis[Any]"]:
    with Redis.from_url(redis_url) as client:
        yield client


def subjects(store: "Redis[Any]", code: str) -> list[str]:
    result = current(store, load(ENVIRON), now=datetime.now(UTC))
    return [item.subject for item in result if item.code == code]


def test_a_drain_that_makes_no_progress_is_named_though_other_workers_live(store: Any) -> None:
    """A hung drain was hidden by the processes beside it, which all count as workers."""
    heartbeats.record(store, "worker", "poll-1")
    heartbeats.record(store, "worker", "drain-1", silent_ms=heartbeats.MISSED_AFTER_MS + 1_000)
    assert subjects(store, "worker_hangs") == ["drain-1"]
    assert subjects(store, "no_worker") == []

    heartbeats.record(store, "worker", "drain-1")
    assert subjects(store, "worker_hangs") == []


@pytest.mark.parametrize(
    ("change", "stalls"),
    [
        ({}, True),
        ({"under_way": 1}, False),
        ({"overdue_s": 5.0}, False),
        ({"mode": Mode.PAUSED}, False),
    ],
)
def test_deliveries_that_are_due_and_that_nobody_makes_are_told(change: Any, stalls: bool) -> None:
    """1,844 notifications were due for two minutes at zero load, and everything said that all was well."""
    facts = Facts(
        now=NOW, redis_now=NOW, store=StoreFacts(), answers=True, lanes=[dataclasses.replace(LANE, **change)]
    )
    assert ("deliveries_stalled" in [condition.code for condition in deliveries.conditions(facts)]) is stalls
