"""``/metrics`` as Prometheus reads it."""

from datetime import UTC, datetime, timedelta

import redis
from prometheus_client.parser import text_string_to_metric_families

from processor.clock import to_ms
from processor.delivery.subscribers import Subscribers
from processor.store import keys
from tests.support.serving import serving


def test_prometheus_can_read_every_number(redis_url: str) -> None:
    answer = serving(redis_url).get("/metrics")
    assert answer.status_code == 200
    families = {
        family.name: family for family in text_string_to_metric_families(answer.get_data(as_text=True))
    }
    states = {sample.labels["state"]: sample.value for sample in families["codat_connections"].samples}
    assert states["ready"] == 0
    assert len(states) == 9
    assert families["codat_inbox_depth"].samples[0].value == 0


def test_what_was_counted_is_shown_and_times_are_not(redis_url: str) -> None:
    caller = serving(redis_url)
    with redis.Redis.from_url(redis_url) as store:
        store.hset(keys.counters(0), mapping={"processed": 3, "last_commit_ms": 1})
    text = caller.get("/metrics").get_data(as_text=True)
    assert 'codat_happenings_total{what="processed"} 3.0' in text
    assert "last_commit_ms" not in text


def test_lanes_what_is_missing_and_the_quota_are_shown(redis_url: str) -> None:
    caller = serving(redis_url)
    tomorrow = to_ms(datetime.now(UTC) + timedelta(days=1))
    with redis.Redis.from_url(redis_url) as store:
        lane = Subscribers(store, allow_private=False).add(url="https://example.com/hook").id
        assert "codat_quota_remaining" not in caller.get("/metrics").get_data(as_text=True)
        store.hset(keys.quota(), mapping={"limit": 1000, "remaining": 7, "resets_ms": tomorrow})
        store.zadd(keys.dead_deliveries(), {"ntf_1 sub_1": 1})
    text = caller.get("/metrics").get_data(as_text=True)
    assert f'codat_lane_waiting{{channel="webhook",lane="{lane}"}} 0.0' in text
    assert f'codat_lane_overdue_seconds{{channel="webhook",lane="{lane}"}} 0.0' in text
    for line in (
        "codat_dead_deliveries 1.0",
        "codat_missing_messages 0.0",
        "codat_warnings 0.0",
        "codat_quota_remaining 7.0",
    ):
        assert line in text.splitlines()
