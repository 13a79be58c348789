"""The operators' pages: is it broken, since when, what to do, and what happened to this merchant?"""

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
    forms,
    text_of,
    told_of,
)
from tests.processor.web.v1.filling import CANCELLED, START, Filling

NOW = str(int(START.timestamp()))
PAGES = ["/ops", "/ops/connections", "/ops/events", "/ops/notifications", "/ops/subscribers", "/ops/search"]


# Overview


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
    warning = {"kind": "consumer", "what": "Codat is <silent>.", "since": to_iso(START)}
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
    store.zadd(keys.lane(lane), {"ntf_1": to_ms(START)})
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


# Search


def test_the_search_leads_to_whatever_has_the_id(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    told = filling.container.reader.list_notifications(connection_id=None, limit=1, cursor=None).items[0]
    notification_id, subscriber_id = told["body"]["id"], add_subscriber(filling)
    for wanted, address in (
        ("xero", "/ops/connections/xero"),
        ("  xero ", "/ops/connections/xero"),
        ("c1", "/ops/companies/c1"),
        ("m-c1", "/ops/companies/c1"),
        ("msg_1", "/ops/events/msg_1"),
        (notification_id, f"/ops/notifications/{notification_id}"),
        (subscriber_id, f"/ops/subscribers/{subscriber_id}"),
    ):
        answer = operator.open("/ops/search", q=wanted)
        assert (answer.status_code, answer.headers.get("Location")) == (302, address)
        assert operator.open(address).status_code == 200


@pytest.mark.parametrize(
    "wanted", ["nobody", "<script>alert(1)</script>", "a" * 5000, "\x00", "ü/../x", "💥"]
)
def test_the_search_says_plainly_that_nothing_is_known(operator: Operator, wanted: str) -> None:
    answer = operator.open("/ops/search", q=wanted)
    assert answer.status_code == 200
    assert "Nothing is known by this id, name or e-mail address" in answer.text
    assert "<script" not in answer.text


def test_an_empty_search_says_what_to_enter(operator: Operator) -> None:
    assert "Enter the whole id" in operator.read("/ops/search", q=" ")


def test_an_id_that_several_things_have_is_a_choice(operator: Operator, filling: Filling) -> None:
    filling.tell("connection.created", "twice", company="twice")
    filling.drain()
    answer = operator.open("/ops/search", q="twice")
    assert "Several things have this id" in answer.text
    assert 'href="/ops/connections/twice"' in answer.text
    assert 'href="/ops/companies/twice"' in answer.text


def test_the_search_shows_every_company_of_a_merchant(operator: Operator, filling: Filling) -> None:
    filling.tell("company.deleted", company="c1")
    reference = {"id": "c2", "name": "Toft", "tags": {"merchantId": "m-c1"}}
    filling.tell("company.created", company="c2", referenceCompany=reference)
    filling.drain()
    shown = operator.read("/ops/search", q="m-c1")
    assert "c2 : a company of this merchant c1 : a company of this merchant, deleted" in shown


def test_the_search_says_that_a_company_was_erased(operator: Operator, store: Redis) -> None:
    store.set(keys.erased("c-gone"), to_iso(START))
    shown = operator.read("/ops/search", q="c-gone")
    assert shown.startswith("This company was erased")
    assert "22 Nov 2026, 15:00:00 UTC" in shown


# Connections and companies


def test_a_connection_shows_why_it_is_in_its_state(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    answer = operator.open("/ops/connections/xero")
    shown = text_of(answer)
    assert shown.startswith("Xero: ready")
    assert "Why: authorized → ready" in shown
    assert "read.completed.initial" in shown
    assert "bills FetchError" in shown
    assert 'href="/ops/events/msg_3"' in answer.text
    assert 'href="/ops/companies/c1"' in answer.text
    assert "initial_sync.completed" in shown
    assert "connection.authorized" in shown


def test_a_failed_attempt_shows_what_codat_said(operator: Operator, filling: Filling) -> None:
    filling.tell("connection.created")
    filling.tell("connection.failed", said={"dataConnectionErrors": [CANCELLED]})
    filling.drain()
    shown = operator.read("/ops/connections/xero")
    assert shown.startswith("Xero: authorization_failed")
    assert "Codat said: 403 · User cancelled linking · User cancelled" in shown


def test_a_long_timeline_is_paged(operator: Operator, filling: Filling) -> None:
    for _ in range(4):
        filling.tell("connection.created")
    filling.drain()
    first = operator.open("/ops/connections/xero", limit="3")
    assert text_of(first).count("connection.created") == 3
    assert "Older" in first.text
    cursor = first.text.partition("cursor=")[2].partition('"')[0]
    second = operator.read("/ops/connections/xero", limit="3", cursor=cursor)
    assert second.count("event msg_") == 1


def test_connections_are_listed_by_state_and_paged(operator: Operator, filling: Filling) -> None:
    for number in range(3):
        filling.tell("connection.created", f"n{number}")
    filling.make_ready()
    assert "xero ready" in operator.read("/ops/connections").replace("Connection ", "").replace("State ", "")
    pending = operator.open("/ops/connections", state="pending", limit="2")
    assert [name in pending.text for name in ("/n0", "/n1", "/n2", "/xero")] == [False, True, True, False]
    cursor = pending.text.partition("cursor=")[2].partition('"')[0].partition("&")[0]
    rest = operator.open("/ops/connections", state="pending", limit="2", cursor=cursor)
    assert [name in rest.text for name in ("/n0", "/n1", "/n2")] == [True, False, False]
    assert "There is none" in operator.read("/ops/connections", state="deleted")
    assert "There is none" in operator.read("/ops/connections", merchant_id="nobody")


def test_a_company_shows_its_connections_and_makes_a_link(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    filling.make_ready()
    store.hset(keys.company("c1"), "contact_email", "owner@shop.example")
    shown = operator.read("/ops/companies/c1")
    assert shown.startswith("Toft störes")
    assert "owner@shop.example" in shown
    assert "Tag region uk" in shown
    assert "xero" in shown
    assert "Messages, newest first" in shown
    assert "msg_3 processed read.completed.initial" in shown
    assert "/connect/" not in operator.open("/ops/companies/c1").text
    answer = operator.send("/ops/companies/c1")
    assert answer.status_code == 200
    link = answer.text.partition('readonly value="')[2].partition('"')[0]
    path = "/connect/" + link.partition("/connect/")[2]
    page = filling.app.test_client().get(path)
    assert page.status_code != 404
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_deleted_company_says_so_and_gives_no_link(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    filling.tell("company.deleted")
    filling.drain()
    answer = operator.open("/ops/companies/c1")
    assert "Deleted at Codat" in answer.text
    assert forms(answer) == []


# Events


def test_events_are_listed_by_status_with_their_errors(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    filling.accept(b"no JSON", "odd")
    filling.let_die()
    everything = operator.read("/ops/events")
    assert all(id_ in everything for id_ in ("msg_1", "odd", "broken"))
    dead = operator.read("/ops/events", status="dead")
    assert "broken" in dead
    assert "msg_1" not in dead
    assert "JSONDecodeError" in dead
    assert "odd" in operator.read("/ops/events", status="quarantined")


def test_a_dead_event_shows_its_traceback_and_its_body(operator: Operator, filling: Filling) -> None:
    filling.let_die()
    shown = operator.read("/ops/events/broken")
    assert "Nothing more happens by itself" in shown
    assert "Traceback (most recent call last)" in shown
    assert "nothing of ours" in shown


def test_the_body_of_an_event_is_pretty_and_escaped(operator: Operator, filling: Filling) -> None:
    event_id = filling.tell("connection.created", said={"platformName": "<b>Xero</b>"})
    answer = operator.open(f"/ops/events/{event_id}")
    assert "&#34;eventType&#34;: &#34;connection.created&#34;" in answer.text
    assert "&lt;b&gt;Xero&lt;/b&gt;" in answer.text
    assert "<b>" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00",
        b'{"a": "\\ud800"}',
        b'{"a": "\\u0000"}',
        b"[" * 5000,
        b'{"a": NaN}',
        b"9" * 5000,
        b"null",
    ],
)
def test_an_odd_body_is_shown_somehow(operator: Operator, filling: Filling, body: bytes) -> None:
    assert operator.open(f"/ops/events/{filling.accept(body)}").status_code == 200


def test_of_a_very_large_body_the_beginning_is_shown(operator: Operator, filling: Filling) -> None:
    event_id = filling.accept(json.dumps({"a": list(range(100_000))}).encode())
    answer = operator.open(f"/ops/events/{event_id}")
    assert "Only the beginning is shown" in answer.text
    assert len(answer.text) < 2 * copy.SHOWN_CHARS


def test_a_dead_event_is_replayed(operator: Operator, filling: Filling) -> None:
    filling.let_die()
    said = operator.follow(operator.send("/ops/events/broken"))
    assert said.startswith("It waits in the inbox again")
    assert "pending" in said
    filling.drain()
    assert "failed" in operator.read("/ops/events/broken")


def test_what_is_still_not_understood_is_refused_with_the_reason(
    operator: Operator, filling: Filling
) -> None:
    event_id = filling.accept(b"no JSON")
    answer = operator.send(f"/ops/events/{event_id}")
    assert answer.status_code == 422
    assert "still not understood" in answer.text


def test_a_page_of_dead_events_is_replayed_at_once(operator: Operator, filling: Filling) -> None:
    ids = [filling.let_die(f"broken-{number}") for number in range(3)]
    operator.filling.container.inbox.requeue(ids[0], status="dead", shard=0, only_if=True)
    answer = operator.send("/ops/events?status=dead", status="dead", event_id=[*ids, "none"])
    said = text_of(answer)
    assert "2 replayed, 2 not:" in said
    assert f"{ids[0]} : The event is pending, not dead." in said
    assert "none : There is no event with this id" in said
    counts = filling.container.reader.stats([])["events"]
    assert (counts["pending"], counts["dead"]) == (3, 0)


def test_quarantine_can_be_closed(operator: Operator, filling: Filling, store: Redis) -> None:
    """A message of no use to anybody kept the overview amber for 30 days: nothing could close it.

    It is kept and shown with its reason, ends the condition, and can still be replayed.
    """
    everybody_lives(store)
    ids = [filling.accept(b"no JSON at all", f"odd-{number}") for number in range(3)]
    path = "/ops/events?status=quarantined"
    form = next(form for form in forms(operator.open(path)) if 'value="discard"' in form)
    assert all(f'value="{id_}"' in form for id_ in ids)
    said = operator.follow(operator.send(f"/ops/events/{ids[0]}", action="discard"))
    assert said.startswith("It is discarded")
    answer = operator.send(path, status="quarantined", event_id=[*ids, "none"], action="discard")
    assert "3 discarded, 1 not: none : There is no event" in text_of(answer)
    listed = operator.read("/ops/events", status="discarded")
    assert all(id_ in listed for id_ in ids)
    assert "the body is not JSON" in listed
    assert operator.read("/ops").startswith("All is well")
    assert filling.container.reader.stats([])["events"]["quarantined"] == 0
    assert (
        operator.send("/ops/events", status="processed", action="discard", seal=operator.seal()).status_code
        == 422
    )


def test_events_are_listed_by_company(operator: Operator, filling: Filling) -> None:
    ours = filling.tell("connection.created", company="c1")
    theirs = filling.tell("connection.created", "stripe", company="c2")
    filling.drain()
    shown = operator.read("/ops/events", company_id="c1")
    assert (ours in shown, theirs in shown) == (True, False)
    assert "Only those that name company c1" in shown
    assert "There is none" in operator.read("/ops/events", company_id="c1", status="dead")
    assert ours in operator.read("/ops/events", company_id="c1", status="processed")
    assert operator.open("/ops/events", company_id="c" * 600).status_code == 422


# Notifications and subscribers


def test_notifications_are_listed_and_shown(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    assert "initial_sync.completed" in operator.read("/ops/notifications", status="published")
    assert "There is none" in operator.read("/ops/notifications", status="dead")
    listed = operator.read("/ops/notifications", connection_id="xero")
    assert "connection.authorized" in listed
    shown = operator.read(f"/ops/notifications/{told_of(filling)}")
    assert shown.startswith("initial_sync.completed: published")
    assert '"state": "ready"' in shown
    assert "nobody had subscribed" in shown


def test_a_notification_is_sent_again(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    path = f"/ops/notifications/{told_of(filling)}"
    assert "There is nobody to send it to" in operator.read(path)
    answer = operator.send(path, seal=operator.seal())
    assert answer.status_code == 409
    assert "nobody to send it to" in answer.text
    lane = add_subscriber(filling)
    assert operator.follow(operator.send(path)).startswith("It is being sent again")
    assert "To 127.0.0.1:9 pending" in operator.read(path)
    assert "No attempt yet" in operator.read(path)
    assert operator.follow(operator.send(path, lane=lane)).startswith("It is being sent again")
    assert operator.send(path, lane="nobody").status_code == 404


def test_each_attempt_is_shown(operator: Operator, filling: Filling, store: Redis) -> None:
    filling.make_ready()
    id_ = told_of(filling)
    attempt = {
        "at": to_iso(START),
        "outcome": "failed",
        "status_code": 500,
        "duration_ms": 12,
        "error": "It answered 500",
        "answer": "<h1>boom</h1>",
    }
    lane = add_subscriber(filling)
    row = {
        f"{lane}:status": "dead",
        f"{lane}:total": 1,
        f"{lane}:attempt:1": json.dumps(attempt),
        "n:dead": 1,
    }
    store.hset(keys.deliveries(id_), mapping=row)
    answer = operator.open(f"/ops/notifications/{id_}")
    assert "&lt;h1&gt;boom&lt;/h1&gt;" in answer.text
    assert "It answered 500" in answer.text
    assert "12 ms" in answer.text
    assert "It answered 500" in operator.open("/ops/connections/xero").text, "the last one, in its row"


def test_a_subscriber_is_disabled_and_enabled(operator: Operator, filling: Filling, store: Redis) -> None:
    assert "Nobody subscribes" in operator.read("/ops/subscribers")
    id_ = add_subscriber(filling)
    shown = operator.read("/ops/subscribers")
    assert "http://127.0.0.1:9/hook active" in shown
    assert "<b>" not in shown, "a query may hold a secret"
    assert "http://127.0.0.1:9/hook?<b> active" in operator.read(f"/ops/subscribers/{id_}")
    said = operator.follow(operator.send(f"/ops/subscribers/{id_}", action="disable"))
    assert said.startswith("The subscriber is disabled")
    assert "active" not in said
    assert store.hget(keys.lane_state(id_), "mode") == b"disabled"
    said = operator.follow(operator.send(f"/ops/subscribers/{id_}", action="enable"))
    assert said.startswith("The subscriber is enabled")
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
    answer = operator.send("/ops/subscribers", url="http://127.0.0.1:9/in?k=v", description="CRM", types=[])
    assert answer.status_code == 200
    (id_,) = (member.decode() for member in store.zrange(keys.subscribers(), 0, -1))
    secret = store.hget(keys.subscriber(id_), "secret").decode()
    assert f'value="{secret}"' in answer.text
    path = f"/ops/subscribers/{id_}"
    assert secret not in operator.open(path).text
    assert operator.follow(operator.send(path, action="test")).startswith("A test message is being sent")
    assert store.zcard(keys.lane(id_ + ".test")) == 1
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


# What all pages have


@pytest.mark.parametrize("path", PAGES)
def test_a_page_may_be_loaded_again_by_itself_and_that_can_be_stopped(operator: Operator, path: str) -> None:
    still = operator.open(path).text
    assert "http-equiv" not in still
    assert 'href="?refresh=30"' in still
    moving = operator.open(path, refresh="30").text
    assert '<meta http-equiv="refresh" content="30; url=?refresh=30">' in moving
    assert 'href="?">Stop' in moving
    assert "http-equiv" not in operator.open(path, refresh="0; url=http://evil.example").text


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_one_title_a_language_and_headed_tables(
    operator: Operator, filling: Filling, path: str
) -> None:
    filling.make_ready()
    add_subscriber(filling)
    text = operator.open(path).text
    assert text.count("<h1") == 1
    assert '<html lang="en">' in text
    assert text.count("<th ") + text.count("<th>") == text.count('scope="')
    assert "<script" not in text
    assert "style=" not in text
    assert " on" + "click" not in text


def test_an_unknown_page_is_404_in_words(operator: Operator) -> None:
    for path in ("/ops/nowhere", "/ops/events/none", "/ops/connections/none", "/ops/a/b/c"):
        answer = operator.open(path)
        assert answer.status_code == 404
        assert answer.mimetype == "text/html"


def test_what_was_done_is_only_said_in_words_of_ours(operator: Operator) -> None:
    assert "hello" not in operator.open("/ops/events", done="hello", at=NOW).text
    said = operator.read("/ops/events", done="replayed-several", count="<b>", at=NOW)
    assert said.startswith("0 wait in the inbox again. At 22 Nov 2026, 15:00:00 UTC Events")
