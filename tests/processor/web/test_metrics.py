"""``/metrics`` as Prometheus reads it."""

import redis
from prometheus_client.parser import text_string_to_metric_families

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
        store.hset(keys.counters(), mapping={"processed": 3, "last_commit_ms": 1})
    text = caller.get("/metrics").get_data(as_text=True)
    assert 'codat_happenings_total{what="processed"} 3.0' in text
    assert "last_commit_ms" not in text
