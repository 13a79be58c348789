"""``/metrics`` as Prometheus reads it."""

from datetime import UTC, datetime, timedelta

import redis
from prometheus_client.parser import text_string_to_metric_families

from processor.clock import to_ms
from processor.delivery.subscribers import Subscribers
from processor.store import keys
from processor.store.metrics import DEFINITIONS, Metrics
from tests.support import messages
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
        store.zadd(keys.dead_deliveries(3), {"ntf_1 sub_1": 1})
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


def test_histograms_and_counters_of_all_processes_are_shown(redis_url: str) -> None:
    caller = serving(redis_url)
    metrics = Metrics()
    metrics.handled([0.02, 0.02, 700.0], failed=0, told=1)
    metrics.asked_codat("GET /companies/*", "200", 0.3, failed=False)
    metrics.attempted("sub_1", "webhook", "delivered", 0.2, 0.5)
    with (
        redis.Redis.from_url(redis_url) as store,
        store.pipeline(transaction=False) as pipe,
        metrics.staged(pipe, datetime.now(UTC)),
    ):
        pipe.execute()
    families = {
        family.name: family
        for family in text_string_to_metric_families(caller.get("/metrics").get_data(as_text=True))
    }
    assert {definition.name for definition in DEFINITIONS} <= families.keys()
    buckets = {
        sample.labels["le"]: sample.value
        for sample in families["codat_handling_seconds"].samples
        if sample.name == "codat_handling_seconds_bucket"
    }
    assert (buckets["0.01"], buckets["0.025"], buckets["600.0"], buckets["+Inf"]) == (0, 2, 2, 3)
    call = families["codat_api_call_seconds"].samples[-1]
    assert call.labels == {"call": "GET /companies/*", "status": "200"}
    attempt = families["codat_delivery_attempts"].samples[0]
    assert (attempt.labels, attempt.value) == ({"lane": "sub_1", "result": "delivered"}, 1)
    assert families["codat_redis_memory_bytes"].samples[0].value > 0


def test_what_codat_sent_and_what_was_handled_is_counted(redis_url: str) -> None:
    caller = serving(redis_url)
    body = messages.connected("company-1", "connection-1")
    for status in (202, 200):
        answer = caller.post("/webhooks/codat", data=body, headers=messages.signed(body, "msg_1"))
        assert answer.status_code == status
    text = caller.get("/metrics").get_data(as_text=True)
    assert 'codat_received_messages_total{status="accepted"} 1.0' in text
    assert 'codat_received_messages_total{status="duplicate"} 1.0' in text
    assert 'codat_wake_ups_total{queue="drain"} 1.0' in text
