"""The pages of subscribers."""

import json
from datetime import timedelta
from typing import Any

from redis import Redis

from processor.clock import to_iso, to_ms
from processor.store import keys
from processor.store.metrics import Metrics
from tests.processor.web.ops.operating import (
    Operator,
    add_subscriber,
    everybody_lives,
    text_of,
    told_of,
)
from tests.processor.web.v1.filling import START, Filling
from tests.support import cells


def test_a_subscriber_is_disabled_and_enabled(operator: Operator, filling: Filling, store: Redis) -> None:
    assert "Nobody subscribes" in operator.read("/ops/subscribers")
    id_ = add_subscriber(filling)
    shown = operator.read("/ops/subscribers")
    assert "http://127.0.0.1:9/hook active" in shown
    assert "<b>" not in shown, "a query may hold a secret"
    assert "http://127.0.0.1:9/hook?<b> active" in operator.read(f"/ops/subscribers/{id_}")
    text = operator.follow(operator.send(f"/ops/subscribers/{id_}", action="disable"))
    assert text.startswith("The subscriber is disabled")
    assert "active" not in text
    assert store.hget(keys.lane_state(id_), "mode") == b"disabled"
    text = operator.follow(operator.send(f"/ops/subscribers/{id_}", action="enable"))
    assert text.startswith("The subscriber is enabled")
    assert store.hget(keys.lane_state(id_), "mode") == b"active"
    assert operator.send(f"/ops/subscribers/{id_}", action="explode").status_code == 422


def test_a_subscriber_that_always_fails_looks_like_it(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    """A receiver failed every attempt for 17 minutes under a green badge "active"."""
    everybody_lives(store)
    id_ = add_subscriber(filling, description="Loan engine")
    store.hset(keys.lane_state(id_), mapping={"failures": 10, "failing_since": to_ms(START)})
    for path in ("/ops/subscribers", f"/ops/subscribers/{id_}"):
        answer = operator.open(path)
        assert '<span class="badge wait">failing</span>' in answer.text
        assert "Failing since 22 Nov 2026, 15:00:00 UTC" in text_of(answer)
        assert "Success rate since then 0 % of 10 attempts" in text_of(answer)
    overview = operator.read("/ops")
    assert "Deliveries to Loan engine fail: 10 attempts in a row" in overview


def test_a_subscriber_is_added_tested_rotated_and_removed_on_the_pages(
    operator: Operator, store: Redis
) -> None:
    """The page could only disable a subscriber; everything else needed the command line or the API."""
    form: dict[str, Any] = {
        "url": "http://127.0.0.1:9/in?k=v",
        "description": "CRM",
        "types": [],
        "rate_per_s": "2.5",
    }
    assert operator.send("/ops/subscribers", **{**form, "rate_per_s": "fast"}).status_code == 422
    answer = operator.send("/ops/subscribers", **form)
    assert answer.status_code == 200
    (id_,) = (member.decode() for member in store.zrange(keys.subscribers(), 0, -1))
    secret = store.hget(keys.subscriber(id_), "secret").decode()
    assert f'value="{secret}"' in answer.text
    assert "Requests a second at most 2.5" in text_of(answer)
    path = f"/ops/subscribers/{id_}"
    assert secret not in operator.open(path).text
    assert operator.follow(operator.send(path, action="test")).startswith("A test message is being sent")
    assert store.zcard(keys.lane(keys.UNLISTED, id_ + ".test")) == 1
    answer = operator.send(path, action="rotate")
    new = store.hget(keys.subscriber(id_), "secret").decode()
    assert new != secret
    assert f'value="{new}"' in answer.text
    assert secret not in answer.text
    asks = operator.open(path).text.partition("Remove CRM")[2]
    assert "Its address and its secret are forgotten" in asks
    assert operator.follow(operator.send(path, action="remove")).startswith("The subscriber is removed")
    assert not store.exists(keys.subscriber(id_))
    refused = operator.send("/ops/subscribers", url="no address")
    assert refused.status_code == 422
    assert store.zcard(keys.subscribers()) == 0


def test_the_last_attempt_of_a_subscriber_is_shown(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    id_ = add_subscriber(filling)
    attempt = {
        "at": to_iso(START),
        "outcome": "failed",
        "status_code": None,
        "duration_ms": 3,
        "error": "refused",
    }
    store.hset(
        keys.lane_state(id_), mapping={"mode": "slow", "failures": 9, "last_attempt": json.dumps(attempt)}
    )
    shown = operator.read(f"/ops/subscribers/{id_}")
    assert "only probed from time to time" in shown
    assert "refused" in shown


def test_the_page_of_a_subscriber_has_its_week_its_failures_and_sends_what_it_missed(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    lane = add_subscriber(filling)
    metrics = Metrics()
    for result in ("delivered", "delivered", "delivered", "again"):
        metrics.attempted(lane, "webhook", result, 0.25, None)
    with store.pipeline(transaction=False) as pipe, metrics.staged(pipe, filling.now):
        pipe.execute()
    operator.send(f"/ops/subscribers/{lane}", action="disable")
    filling.make_ready()
    since = filling.now - timedelta(hours=1)
    operator.send(f"/ops/subscribers/{lane}", action="enable")
    shown = operator.read(f"/ops/subscribers/{lane}")
    assert "Success rate 75 %" in shown
    assert "Latency 250 ms" in shown
    assert "None among the newest notifications." in shown
    missed = told_of(filling)
    assert cells.score(store, keys.lane, missed, lane) is None
    answer = operator.send(f"/ops/subscribers/{lane}", action="send_missed", since=f"{since:%Y-%m-%dT%H:%M}")
    assert "are being sent again" in operator.follow(answer)
    assert cells.score(store, keys.lane, missed, lane) is not None
    attempt = {
        "at": to_iso(filling.now),
        "outcome": "failed",
        "status_code": 500,
        "duration_ms": 9,
        "error": "answered 500",
        "answer": "out of order",
    }
    store.hset(
        cells.deliveries(store, missed),
        mapping={f"{lane}:total": 1, f"{lane}:attempt:1": json.dumps(attempt)},
    )
    assert "answered 500 out of order" in operator.read(f"/ops/subscribers/{lane}")
    refused = operator.send(f"/ops/subscribers/{lane}", action="send_missed", since="yesterday")
    assert refused.status_code == 422
