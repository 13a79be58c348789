"""The overview: what is wrong, since when, and what to do."""

import json
import time
from datetime import timedelta

import pytest
from redis import Redis

from processor.clock import from_ms, to_iso, to_ms
from processor.store import heartbeats, keys, outages
from processor.store.outages import Outage
from processor.web.ops import copy
from tests.processor.web.ops.operating import (
    Operator,
    add_subscriber,
    everybody_lives,
    text_of,
)
from tests.processor.web.v1.filling import START, Filling


def test_all_is_well(operator: Operator, store: Redis) -> None:
    everybody_lives(store)
    shown = operator.read("/ops")
    assert shown.startswith("All is well")
    assert "worker worker-1" in shown
    assert "clock clock-1" in shown
    assert "What is wrong" not in shown


@pytest.mark.parametrize("path", ["/ops", "/ops/"])
def test_an_empty_store_has_an_overview(operator: Operator, path: str) -> None:
    shown = operator.read(path)
    assert "A part of it does not work" in shown
    assert "no worker was seen in the last 20 s: messages are kept and wait" in shown
    assert "codat-processor worker" in shown
    assert "no clock was seen" in shown


def test_a_missing_worker_is_told_with_the_time_when_it_was_last_seen(
    operator: Operator, store: Redis
) -> None:
    """A worker that was killed stayed among the processes that run for 100 seconds."""
    heartbeats.record(store, "worker", "worker-1", silent_ms=60_000)
    last_ms = store.zscore(keys.alive("worker"), "worker-1")
    assert last_ms is not None
    shown = operator.read("/ops")
    assert "no worker was seen" in shown
    assert f"Since {copy.date(to_iso(from_ms(int(last_ms))))}" in shown
    assert "worker none was seen in the last 20 s" in shown
    assert "worker-1" not in shown


def test_of_the_processes_those_that_run_are_named(operator: Operator, store: Redis) -> None:
    heartbeats.record(store, "worker", "worker-killed", silent_ms=heartbeats.MISSED_AFTER_MS + 1000)
    heartbeats.record(store, "worker", "worker-runs")
    processes = operator.read("/ops").partition("Last seen")[2]
    assert "worker worker-runs" in processes
    assert "worker-killed" not in processes


def test_a_full_redis_is_named_with_what_to_do(operator: Operator, store: Redis) -> None:
    everybody_lives(store)
    used = store.info("memory")["used_memory"]
    store.config_set("maxmemory", used // 2)
    try:
        answer = operator.open("/ops")
    finally:
        store.config_set("maxmemory", 0)
    assert answer.status_code == 200
    assert text_of(answer).startswith("Messages cannot be kept")
    assert "Redis is full" in answer.text
    assert "Give it more memory" in answer.text


def test_what_waits_failed_or_is_not_understood_is_told_and_linked(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    everybody_lives(store)
    filling.make_ready()
    filling.accept(b"no JSON at all")
    filling.let_die()
    answer = operator.open("/ops")
    shown = text_of(answer)
    assert "1 message could not be handled (dead letter)." in shown
    assert "1 authentic message is in quarantine" in shown
    assert 'href="/ops/events?status=dead"' in answer.text
    assert 'href="/ops/events?status=quarantined"' in answer.text
    assert "ready 1" in shown
    assert "Last message from Codat 22 Nov 2026" in shown


def test_a_message_that_waits_for_long_is_told(operator: Operator, store: Redis) -> None:
    everybody_lives(store)
    long_ago_ms = int(time.time() * 1000) - 600_000
    store.xadd(keys.inbox(0), {"id": "x"}, id=f"{long_ago_ms}-0")
    shown = operator.read("/ops")
    assert "1 message waits in the inbox, the oldest for 10 min." in shown


def test_what_is_wrong_with_codats_messages_is_told_with_since_when(operator: Operator, store: Redis) -> None:
    everybody_lives(store)
    warning = {"kind": "consumer", "what": "Codat is <silent>.", "advice": "Look.", "since": to_iso(START)}
    store.hset(keys.warnings(), "consumer", json.dumps(warning))
    paused = to_iso(START + timedelta(days=4000))
    store.set(keys.polling_paused(), paused)
    reset_ms = to_ms(START + timedelta(days=4000))
    store.hset(keys.quota(), mapping={"limit": 1000, "remaining": 7, "resets_ms": reset_ms})
    answer = operator.open("/ops")
    shown = text_of(answer)
    assert "Codat is &lt;silent&gt;." in answer.text
    assert "Since 22 Nov 2026, 15:00:00 UTC" in shown
    assert f"Nothing is asked of Codat in the background until {copy.date(paused)}" in shown
    assert "7 of 1000 left" in shown


def test_a_lane_that_does_not_run_is_told(operator: Operator, filling: Filling, store: Redis) -> None:
    everybody_lives(store)
    lane = add_subscriber(filling)
    store.hset(keys.lane_state(lane), mapping={"mode": "paused", "failing_since": to_ms(START)})
    shown = operator.read("/ops")
    assert shown.startswith("It works, and something needs you")
    assert "Deliveries to 127.0.0.1:9: paused, 0 wait." in shown
    assert "enable it: what waits is sent" in shown


def test_a_lane_that_was_disabled_and_forgotten_is_told_without_looking_broken(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    """Disabled in the evening, forgotten by the morning: the overview said that all is well."""
    everybody_lives(store)
    lane = add_subscriber(filling, description="Loan engine")
    store.zadd(keys.lane(3, lane), {"ntf_1": to_ms(START)})
    operator.send(f"/ops/subscribers/{lane}", action="disable")
    shown = operator.read("/ops")
    assert shown.startswith("It works, and something is switched off")
    assert "What is wrong" not in shown
    assert "Nothing is sent to Loan engine: it is disabled." in shown
    assert "What is decided meanwhile does not wait for it. 1 delivery from before waits" in shown
    assert f"redeliver --since {to_iso(filling.now)} --undelivered --subscriber {lane}" in shown
    assert f"Since {copy.date(filling.now)}" in shown
    store.hdel(keys.lane_state(lane), "since")
    assert "--since TIME" in operator.read("/ops")
    operator.send(f"/ops/subscribers/{lane}", action="enable")
    assert operator.read("/ops").startswith("All is well")


def test_what_is_broken_goes_before_what_is_switched_off(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    store.hset(keys.lane_state(add_subscriber(filling)), "mode", "disabled")
    shown = operator.read("/ops")
    assert shown.startswith("A part of it does not work")
    assert shown.index("no worker was seen") < shown.index("Good to know") < shown.index("it is disabled")


def test_that_redis_was_away_is_told_afterwards(operator: Operator, filling: Filling, store: Redis) -> None:
    """A minute after Redis was back nothing said that it had been away, or since when."""
    everybody_lives(store)
    assert "Redis was away" not in operator.read("/ops")
    for minutes in (300, 200):
        began = START - timedelta(minutes=minutes)
        outages.record(store, Outage(began, began + timedelta(minutes=3), refused=False))
    shown = operator.read("/ops")
    assert shown.startswith("All is well")
    assert (
        "Redis was away from 22 Nov 2026, 11:40:00 UTC to 22 Nov 2026, 11:43:00 UTC (3 min). It is over."
        in shown
    )
    assert "Before that: from 22 Nov 2026, 10:00:00 UTC to 22 Nov 2026, 10:03:00 UTC (3 min)." in shown
    filling.now += timedelta(days=8)
    assert "Redis was away" not in operator.read("/ops")
