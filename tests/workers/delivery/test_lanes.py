"""Lanes: who gets what, how much at a time, in which order, and what happens where nothing succeeds."""

from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from processor.delivery import in_flight, retry_schedule
from processor.delivery.in_flight import MOST_AT_ONCE
from processor.delivery.lane import Mode
from processor.delivery.retry_schedule import AT_ONCE
from processor.resources import queries
from processor.store import keys
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import MakeReceiver, status


def test_up_to_ten_are_under_way_in_a_lane_of_which_nothing_is_known(
    post: Post, receiver: MakeReceiver
) -> None:
    heard = receiver()
    heard.gate.clear()
    mine = post.subscribe(heard.url)
    ids = [post.decide(f"connection-{number}") for number in range(25)]
    dispatcher = post.dispatcher()
    dispatcher.start()
    try:
        heard.wait_for(10)
        assert post.lane_admin.states([mine.id])[mine.id].under_way == 10
        heard.gate.set()
        heard.wait_for(25)
    finally:
        dispatcher.stop()

    assert heard.most_at_once <= MOST_AT_ONCE
    assert sorted(heard.ids) == ids


def test_a_quick_receiver_is_given_more_and_a_failing_one_less(
    post: Post, receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_flight, "QUICK_MS", 1_000_000)  # however slow this machine is
    monkeypatch.setattr(in_flight, "SLOW_MS", 1_000_000)
    heard = receiver()
    mine = post.subscribe(heard.url)
    dispatcher = post.dispatcher()
    for number in range(100):
        post.decide(f"connection-{number}")
    dispatcher.run_once()
    assert AT_ONCE < dispatcher._limits[mine.id].value <= MOST_AT_ONCE
    assert heard.most_at_once <= MOST_AT_ONCE

    heard.answers.extend([status(500)] * 3)
    for number in range(3):
        post.decide(f"connection-{number}")
    dispatcher.run_once()
    assert dispatcher._limits[mine.id].value == AT_ONCE


def test_two_processes_together_have_no_more_under_way_and_send_nothing_twice(
    post: Post, receiver: MakeReceiver
) -> None:
    heard = receiver()
    heard.gate.clear()
    post.subscribe(heard.url)
    ids = [post.decide(f"connection-{number}") for number in range(40)]
    dispatchers = [post.dispatcher(token=token) for token in ("one", "two")]
    for dispatcher in dispatchers:
        dispatcher.start()
    try:
        heard.wait_for(10)
        heard.gate.set()
        heard.wait_for(40)
    finally:
        for dispatcher in dispatchers:
            dispatcher.stop()

    assert heard.most_at_once <= MOST_AT_ONCE
    assert sorted(heard.ids) == ids


def test_who_does_not_answer_delays_nobody_else(post: Post, receiver: MakeReceiver) -> None:
    """All of the silent one's attempts are under way when the other's are made."""
    silent, quick = receiver(), receiver()
    silent.gate.clear()
    slow, fast = post.subscribe(silent.url), post.subscribe(quick.url)
    for number in range(30):
        post.decide(f"connection-{number}")
    dispatcher = post.dispatcher()
    dispatcher.start()
    try:
        quick.wait_for(30)
        late = post.decide("connection-30")
        dispatcher.wake()
        assert quick.wait_for(31)[-1].id == late
        assert post.lane_admin.states([slow.id])[slow.id].under_way == 10
        assert post.status(late, slow.id) == "pending"
    finally:
        silent.gate.set()
        dispatcher.stop()
    assert post.lane_admin.states([fast.id])[fast.id].waiting == 0


def test_ordered_never_lets_one_connection_overtake_itself(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver()
    mine = post.subscribe(heard.url, ordered=True)
    first, second, third = (post.decide("connection-1") for _ in range(3))
    other = post.decide("connection-2")
    heard.always = lambda handler: status(500 if failing(handler) else 204)(handler)

    def failing(handler: BaseHTTPRequestHandler) -> Any:
        return handler.headers["webhook-id"] == first and heard.ids.count(first) == 1

    dispatcher = post.dispatcher()

    dispatcher.run_once()
    assert sorted(heard.ids) == [first, other]
    assert sorted(post.waiting(mine.id)) == [first, second, third]

    post.forward(4.999)
    assert dispatcher.run_once() == 0
    post.forward(0.001)
    assert dispatcher.run_once() == 3
    assert heard.ids[2:] == [first, second, third]
    assert post.waiting(mine.id) == {}


def test_ordered_holds_while_many_are_under_way(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver()
    post.subscribe(heard.url, ordered=True)
    ids = {name: [post.decide(name) for _ in range(6)] for name in ("a", "b", "c", "d")}
    more = [post.decide(f"connection-{number}") for number in range(20)]

    post.dispatcher().run_once()

    got = heard.ids
    for line in ids.values():
        assert [id_ for id_ in got if id_ in line] == line
    assert len(got) == 24 + len(more)


def test_after_a_dead_letter_the_next_of_the_connection_goes(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver(status(500))
    mine = post.subscribe(heard.url, ordered=True)
    first, second = post.decide(), post.decide()
    dispatcher = post.dispatcher()
    for _ in range(len(retry_schedule.RETRIES)):
        dispatcher.run_once()
        assert set(heard.ids) == {first}
        post.forward(post.waiting(mine.id)[first])
    heard.always = status(204)
    heard.answers.append(status(500))
    dispatcher.run_once()

    assert [post.status(item, mine.id) for item in (first, second)] == ["dead", "delivered"]


def test_unordered_does_not_wait(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver()
    heard.answers.append(status(500))
    mine = post.subscribe(heard.url)
    for _ in range(2):
        post.decide()

    post.dispatcher().run_once()

    assert len(heard.received) == 2
    assert len(post.waiting(mine.id)) == 1


@pytest.mark.parametrize("mode", ["active", "disabled"])
def test_a_test_message_is_sent_once_whatever_the_mode(post: Post, receiver: MakeReceiver, mode: str) -> None:
    heard = receiver()
    mine = post.subscribe(heard.url, types=["connection.deleted"], enabled=mode == "active")
    id_ = post.lane_admin.send_test(mine.id)

    post.dispatcher().run_once()

    assert heard.ids == [id_]
    assert post.status(id_, mine.id + ".test") == "delivered"
    assert post.client.ttl(keys.notification(keys.UNLISTED, id_)) > 0
    assert post.client.ttl(keys.deliveries(keys.UNLISTED, id_)) > 0
    assert post.client.zcard(keys.outbox(keys.UNLISTED)) == 0


def test_a_test_message_that_fails_is_not_repeated_and_speaks_against_nobody(
    post: Post, receiver: MakeReceiver
) -> None:
    heard = receiver(status(410))
    mine = post.subscribe(heard.url)
    for _ in range(20):
        post.lane_admin.send_test(mine.id)
    dispatcher = post.dispatcher()
    dispatcher.run_once()
    post.forward(86_400)

    assert dispatcher.run_once() == 0
    assert len(heard.received) == 20
    assert post.mode(mine.id) is Mode.ACTIVE
    assert post.client.zcard(keys.dead_deliveries(keys.UNLISTED)) == 0


@pytest.mark.parametrize("later", [False, True])
def test_a_notification_with_a_dead_delivery_is_listed_as_dead_while_another_waits(
    post: Post, receiver: MakeReceiver, later: bool
) -> None:
    """The line "1 delivery failed" led to "There is none": another receiver of it was still retried."""
    gone, failing = receiver(status(410)), receiver(status(500))
    first, second = post.subscribe(gone.url), post.subscribe(failing.url)
    id_ = post.decide()
    post.dispatcher().run_once()
    if later:
        failing.always = status(204)
        post.forward(5)
        post.dispatcher().run_once()
    assert post.status(id_, first.id) == "dead"
    assert post.status(id_, second.id) == ("delivered" if later else "pending")

    def listed(wanted: str, **of: Any) -> Any:
        return [
            item["id"] for item in queries.notifications(post.reader, status=wanted, limit=9, **of)["items"]
        ]

    for of in ({}, {"connection_id": "connection-1"}):
        assert listed("dead", **of) == [id_]
        assert listed("pending", **of) == ([] if later else [id_])
        assert listed("delivered", **of) == []
    assert queries.notification(post.reader, id_)["status"] == "dead"
