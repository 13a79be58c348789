"""Leases: who may attempt a delivery, and what becomes of it when a process ends."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from processor.clock import to_iso
from processor.delivery.lane import LEASE, AttemptVerdict, CompletedAttempt, Mode
from processor.store import keys
from tests.support.service import until
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import WAIT_S, MakeReceiver


def test_what_a_dead_process_had_taken_is_taken_over_when_its_lease_ends(
    post: Post, receiver: MakeReceiver
) -> None:
    heard = receiver()
    mine = post.subscribe(heard.url)
    id_ = post.decide()
    dead = post.lanes("dead")
    post.fan_out()
    (claimed,) = dead.look(lambda _: 10).leases
    assert claimed.notification_id == id_

    dispatcher = post.dispatcher(token="alive")
    post.forward(LEASE.total_seconds() - 0.001)
    assert dispatcher.run_once() == 0
    post.forward(0.001)
    assert dispatcher.run_once() == 1
    assert post.status(id_, mine.id) == "delivered"


def test_a_lease_that_is_renewed_is_not_taken_over(post: Post) -> None:
    post.subscribe("http://127.0.0.1:9/")
    post.decide()
    busy = post.lanes("busy")
    post.fan_out()
    leases = busy.look(lambda _: 10).leases
    assert len(leases) == 1
    for _ in range(5):
        post.forward(LEASE.total_seconds() - 1)
        busy.renew(leases)
        assert post.lanes("other").look(lambda _: 10).leases == []


def test_leases_are_renewed_while_somebody_takes_his_time(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver()
    heard.gate.clear()
    mine = post.subscribe(heard.url)
    post.decide()
    # No look between the end of a lease and its renewal.
    dispatcher = post.dispatcher(renew_s=0.01, look_every_s=WAIT_S)
    renewed, began = threading.Event(), post.clock()
    real = dispatcher._lanes.renew

    def renew(flying: Any) -> None:
        later = post.clock() > began
        real(flying)
        if later:
            renewed.set()

    dispatcher._lanes.renew = renew  # type: ignore[assignment]
    dispatcher.start()
    try:
        heard.wait_for(1)
        post.forward(60)
        assert renewed.wait(WAIT_S)
        assert min(post.waiting(mine.id).values()) > 0
    finally:
        heard.gate.set()
        dispatcher.stop()
    assert len(heard.received) == 1


def test_an_attempt_whose_lease_ended_meanwhile_is_not_made_twice(post: Post, receiver: MakeReceiver) -> None:
    """Redis was away for longer than a lease: everything under way was posted again."""
    heard = receiver()
    heard.gate.clear()
    mine, id_ = post.subscribe(heard.url), post.decide()
    dispatcher = post.dispatcher(renew_s=WAIT_S)
    dispatcher.start()
    try:
        heard.wait_for(1)
        post.forward(LEASE.total_seconds())
        dispatcher.wake()
        until(lambda: post.waiting(mine.id).get(id_, 0) > 0)  # leased again
    finally:
        heard.gate.set()
        dispatcher.stop()
    assert heard.ids == [id_]


def test_a_fault_while_leases_are_renewed_ends_nothing(
    post: Post, receiver: MakeReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """A task that ends without a word would let others make the same attempt again and again."""
    heard = receiver()
    heard.gate.clear()
    post.subscribe(heard.url)
    post.decide()
    dispatcher = post.dispatcher(renew_s=0.01)
    calls, again = [], threading.Event()

    def renew(_: object) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("on purpose")
        again.set()

    dispatcher._lanes.renew = renew  # type: ignore[assignment]
    dispatcher.start()
    try:
        assert again.wait(WAIT_S)
    finally:
        heard.gate.set()
        dispatcher.stop()
    assert "on purpose" in caplog.text


def test_who_lost_his_lease_writes_his_attempt_down_and_moves_nothing(post: Post) -> None:
    mine = post.subscribe("http://127.0.0.1:9/")
    id_ = post.decide()
    late, quick = post.lanes("late"), post.lanes("quick")
    post.fan_out()
    (lease,) = late.look(lambda _: 10).leases
    post.forward(LEASE.total_seconds())
    (two,) = quick.look(lambda _: 10).leases
    at = {"at": "2026-03-04T12:00:00Z", "outcome": "failed"}
    again = post.clock() + timedelta(days=1)

    late.look(lambda _: 0, [CompletedAttempt(lease, AttemptVerdict.AGAIN, at, again)])
    assert post.waiting(mine.id)[id_] == LEASE.total_seconds()
    quick.look(lambda _: 0, [CompletedAttempt(two, AttemptVerdict.DELIVERED, at | {"outcome": "delivered"})])
    late.look(lambda _: 0, [CompletedAttempt(lease, AttemptVerdict.AGAIN, at, again)])

    assert post.status(id_, mine.id) == "delivered"
    assert post.waiting(mine.id) == {}
    assert post.client.hget(keys.deliveries(post.cell, id_), f"{mine.id}:total") == b"3"


def test_an_attempt_that_is_written_down_twice_counts_once(post: Post) -> None:
    """The client sends again what Redis did when the connection broke before its answer."""
    mine = post.subscribe("http://127.0.0.1:9/")
    lanes = post.lanes()
    for number in range(10):
        id_ = post.decide(f"connection-{number}")
        post.fan_out()
        (lease,) = lanes.look(lambda _: 10).leases
        attempt = {"at": to_iso(post.clock()), "outcome": "failed"}
        again = post.clock() + timedelta(days=1)
        completed = CompletedAttempt(lease, AttemptVerdict.AGAIN, attempt, again)
        for _ in range(2):
            lanes.look(lambda _: 0, [completed])
        post.forward(1)
    state = post.lane_admin.states([mine.id])[mine.id]
    assert (state.failures, state.mode) == (10, Mode.SLOW)
    assert post.client.hget(keys.deliveries(post.cell, id_), f"{mine.id}:tries") == b"1"


def test_stopping_gives_back_what_is_under_way(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver()
    heard.gate.clear()
    mine = post.subscribe(heard.url)
    id_ = post.decide()
    dispatcher = post.dispatcher(grace_s=0.05)
    dispatcher.start()
    heard.wait_for(1)
    dispatcher.stop()
    heard.gate.set()

    assert post.waiting(mine.id) == {id_: 0.0}
    post.dispatcher(token="next").run_once()
    assert heard.ids == [id_, id_]
    assert post.status(id_, mine.id) == "delivered"


def test_of_a_subscriber_that_is_removed_while_attempts_are_under_way_nothing_is_left(
    post: Post, receiver: MakeReceiver
) -> None:
    heard = receiver()
    heard.gate.clear()
    mine = post.subscribe(heard.url)
    id_ = post.decide()
    dispatcher = post.dispatcher()
    dispatcher.start()
    try:
        heard.wait_for(1)
        post.subscribers.remove(mine.id)
        post.lane_admin.abandon(mine.id, removed=True)
    finally:
        heard.gate.set()
        dispatcher.stop()

    assert list(post.client.scan_iter(f"*{mine.id}*")) == []
    assert post.status(id_, mine.id) == "delivered"
