"""Counts of all processes in rings that never grow, and what is normal at this time of the day."""

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis, RedisError

from processor.store import keys, trends
from processor.store.metrics import HANDLING, RECEIVED, Metrics, parse
from processor.store.trends import HOURS, LANE_HOURS, MINUTES, Series

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)


def hand_over(client: Redis, metrics: Metrics, now: datetime) -> None:
    with client.pipeline(transaction=False) as pipe, metrics.staged(pipe, now):
        pipe.execute()


def accepted(count: int) -> Metrics:
    metrics = Metrics()
    metrics.received(["accepted"] * count)
    return metrics


def test_what_several_processes_counted_is_added_up(client: Redis) -> None:
    first, second = Metrics(), Metrics()
    first.received(["accepted", "duplicate"])
    first.handled([0.02, 700.0], failed=1, told=3)
    second.received(["quarantined"])
    second.handled([0.02], failed=0, told=0)
    for metrics in (first, second):
        hand_over(client, metrics, NOON)
        assert metrics.is_empty
    counters, histograms = parse(client.hgetall(keys.metrics()))
    assert counters[RECEIVED.name] == {("accepted",): 1, ("duplicate",): 1, ("quarantined",): 1}
    histogram = histograms[HANDLING.name][()]
    assert (sum(histogram.counts), histogram.counts[-1]) == (3, 1)
    assert histogram.sum == pytest.approx(700.04)
    slots = trends.read(client, MINUTES, 60, NOON)
    last = MINUTES.slot(NOON)
    assert slots[last] == {"accepted": 2, "handled": 3, "lag_ms": 700_040, "failures": 1, "told": 3}


def test_counts_that_redis_did_not_take_are_handed_over_the_next_time(client: Redis) -> None:
    metrics = accepted(2)
    with (
        pytest.raises(RedisError),
        client.pipeline(transaction=False) as pipe,
        metrics.staged(pipe, NOON),
    ):
        raise RedisError
    assert client.keys(f"{keys.PREFIX}*metrics*") == []
    hand_over(client, metrics, NOON)
    assert parse(client.hgetall(keys.metrics()))[0][RECEIVED.name] == {("accepted",): 2}


@pytest.mark.parametrize("ring", [MINUTES, HOURS, LANE_HOURS], ids=lambda ring: ring.name)
def test_a_part_expires_after_its_last_slot_and_before_its_place_is_used_again(ring: trends.Ring) -> None:
    span = timedelta(seconds=ring.step_s * ring.slots)
    assert span + ring.ttl == span * (ring.parts - 1)  # one is spare: counts may be written late


def test_a_ring_has_a_fixed_number_of_fields(client: Redis) -> None:
    for step in range(0, 3 * 24 * 60, 7):
        hand_over(client, accepted(1), NOON + timedelta(minutes=step))
    parts = client.keys(f"{keys.PREFIX}*trend:minutes:*")
    assert len(parts) <= MINUTES.parts
    assert all(client.hlen(part) <= MINUTES.slots * len(Series) for part in parts)
    assert all(0 < client.ttl(part) <= MINUTES.ttl.total_seconds() for part in parts)
    assert all(client.object("ENCODING", part) == b"listpack" for part in parts)  # small


def test_normal_is_the_median_of_the_same_hour_of_the_days_before(client: Redis) -> None:
    assert trends.normal(trends.read(client, HOURS, 8 * 24, NOON), Series.ACCEPTED, NOON) is None
    hand_over(client, accepted(1), NOON - timedelta(days=3, hours=1))
    for days, count in ((3, 10), (2, 40), (1, 20)):
        hand_over(client, accepted(count), NOON - timedelta(days=days))
    half_past = NOON + timedelta(minutes=29, seconds=30)
    hours = trends.read(client, HOURS, 8 * 24, half_past)
    assert trends.normal(hours, Series.ACCEPTED, half_past) == pytest.approx(10.0)
    assert trends.normal(hours, Series.TOLD, half_past) == 0.0
    assert sum(trends.values(hours, Series.ACCEPTED, last=HOURS.slot(NOON), count=4, width=24)) == 71


def test_a_lane_has_a_trend_of_its_own(client: Redis) -> None:
    metrics = Metrics()
    metrics.attempted("sub_1", "webhook", "delivered", 0.2, 0.5)
    metrics.attempted("sub_1", "webhook", "again", 0.4, None)
    metrics.attempted("sub_2", "webhook", "delivered", 0.1, 0.1)
    hand_over(client, metrics, NOON)
    lanes = trends.read_lanes(client, ["sub_1", "sub_3"], 24, NOON)
    slot = LANE_HOURS.slot(NOON)
    assert lanes == {"sub_1": {slot: {"delivered": 1, "failures": 1, "attempt_ms": 600}}, "sub_3": {}}
