"""When Redis was away: kept for some days, and told once however many clocks saw it."""

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from processor.store import keys, outages
from processor.store.outages import Outage

START = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


@pytest.fixture
def store(redis_url):
    with Redis.from_url(redis_url) as client:
        yield client


def away(begin_s, end_s, *, refused=False):
    return Outage(START + timedelta(seconds=begin_s), START + timedelta(seconds=end_s), refused)


def test_the_newest_stands_first(store):
    for item in (away(0, 10), away(20, 30)):
        outages.record(store, item)
    assert outages.recent(store, START + timedelta(days=1)) == [away(20, 30), away(0, 10)]


def test_what_two_clocks_saw_of_one_is_one(store):
    for item in (away(0, 10), away(100, 131, refused=True), away(99, 132), away(101, 102), away(99, 132)):
        outages.record(store, item)
    assert outages.recent(store, START) == [away(99, 132), away(0, 10)]


def test_they_are_kept_for_a_week_and_are_never_many(store):
    outages.record(store, away(0, 10))
    assert 0 < store.ttl(keys.interruptions()) <= outages.RETENTION.total_seconds()
    assert outages.recent(store, START + timedelta(days=8)) == []
    for number in range(50):
        outages.record(store, away(100 * number, 100 * number + 1))
    assert store.zcard(keys.interruptions()) == outages.MAX_OUTAGES
    late = 8 * 86_400
    outages.record(store, away(late, late + 1))
    assert store.zcard(keys.interruptions()) == 1
