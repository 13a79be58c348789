"""Lanes: who gets what, how much at a time, in which order, and what happens where nothing succeeds."""

import threading
from datetime import timedelta
from itertools import pairwise

import pytest

from handlers.milestones import NotificationType
from processor.clock import to_iso
from processor.delivery import retry_schedule
from processor.delivery.lane import AttemptVerdict, Mode
from processor.delivery.lanes import LEASE
from processor.resources import queries
from processor.store import keys
from tests.workers.delivery.receiving import WAIT_S, status
from workers.delivery import dispatcher as dispatcher_module


def test_each_subscriber_gets_the_types_it_wants(post, receiver):
    everything, some = receiver(), receiver()
    post.subscribe(everything.url)
    post.subscribe(some.url, types=["connection.deauthorized"])
    one, two = post.decide(), post.decide(type_=NotificationType.DEAUTHORIZED)

    post.dispatcher().run_once()

    assert sorted(everything.ids) == [one, two]
    assert some.ids == [two]


def test_what_was_decided_before_it_subscribed_does_not_come(post, receiver):
    heard = receiver()
    post.decide()
    post.lanes().divide()
    post.subscribe(heard.url)

    assert post.dispatcher().run_once() == 0
    assert heard.received == []


def test_without_subscribers_a_notification_stays_published(post):
    id_ = post.decide()
    post.dispatcher().run_once()

    assert post.client.llen(keys.fan_out()) == 0
    assert post.client.exists(keys.deliveries(id_)) == 0


def test_dividing_twice_tells_nobody_twice(post, receiver):
    heard = receiver()
    post.subscribe(heard.url)
    id_ = post.decide()
    post.client.rpush(keys.fan_out(), id_, id_)

    post.dispatcher().run_once()

    assert heard.ids == [id_]
    assert post.client.llen(keys.fan_out()) == 0


def test_a_notification_that_was_erased_meanwhile_goes_to_nobody(post, receiver):
    heard = receiver()
    mine = post.subscribe(heard.url)
    before, between = post.decide("connection-1"), post.decide("connection-2")
    post.client.delete(keys.notification(before))
    post.lanes().divide()
    post.client.delete(keys.notification(between))

    assert post.dispatcher().run_once() == 0
    assert (heard.received, post.waiting(mine.id)) == ([], {})


def test_up_to_ten_are_under_way_in_a_lane(post, receiver):
    heard = receiver()
    heard.gate.clear()
    mine = post.subscribe(heard.url)
    ids = [post.decide(f"connection-{number}") for number in range(25)]
    dispatcher = post.dispatcher()
    dispatcher.start()
    try:
        heard.wait_for(10)
        assert post.control.states([mine.id])[mine.id].under_way == 10
        heard.gate.set()
        heard.wait_for(25)
    finally:
        dispatcher.stop()

    assert heard.most_at_once == 10
    assert sorted(heard.ids) == ids


def test_two_processes_together_have_ten_under_way_and_send_nothing_twice(post, receiver):
    heard = receiver()
    heard.gate.clear()
    post.subscribe(heard.url)
    ids = [post.decide(f"connection-{number}") for number in range(40)]
    couriers = [post.dispatcher(token=token) for token in ("one", "two")]
    for dispatcher in couriers:
        dispatcher.start()
    try:
        heard.wait_for(10)
        heard.gate.set()
        heard.wait_for(40)
    finally:
        for dispatcher in couriers:
            dispatcher.stop()

    assert heard.most_at_once <= 10
    assert sorted(heard.ids) == ids


def test_who_does_not_answer_delays_nobody_else(post, receiver):
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
        assert post.control.states([slow.id])[slow.id].under_way == 10
        assert post.status(late, slow.id) == "pending"
    finally:
        silent.gate.set()
        dispatcher.stop()
    assert post.control.states([fast.id])[fast.id].waiting == 0


# Order


def test_ordered_never_lets_one_connection_overtake_itself(post, receiver):
    heard = receiver()
    mine = post.subscribe(heard.url, ordered=True)
    first, second, third = (post.decide("connection-1") for _ in range(3))
    other = post.decide("connection-2")
    heard.always = lambda handler: status(500 if failing(handler) else 204)(handler)

    def failing(handler):
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


def test_ordered_holds_while_many_are_under_way(post, receiver):
    heard = receiver()
    post.subscribe(heard.url, ordered=True)
    ids = {name: [post.decide(name) for _ in range(6)] for name in ("a", "b", "c", "d")}
    more = [post.decide(f"connection-{number}") for number in range(20)]

    post.dispatcher().run_once()

    got = heard.ids
    for line in ids.values():
        assert [id_ for id_ in got if id_ in line] == line
    assert len(got) == 24 + len(more)


def test_after_a_dead_letter_the_next_of_the_connection_goes(post, receiver):
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

    assert [post.status(one, mine.id) for one in (first, second)] == ["dead", "delivered"]


def test_unordered_does_not_wait(post, receiver):
    heard = receiver()
    heard.answers.append(status(500))
    mine = post.subscribe(heard.url)
    for _ in range(2):
        post.decide()

    post.dispatcher().run_once()

    assert len(heard.received) == 2
    assert len(post.waiting(mine.id)) == 1


# The breaker


def test_a_lane_that_keeps_failing_is_only_probed(post, receiver):
    heard = receiver(status(500))
    mine = post.subscribe(heard.url)
    for number in range(50):
        post.decide(f"connection-{number}")
    dispatcher = post.dispatcher()

    dispatcher.run_once()

    assert post.mode(mine.id) is Mode.SLOW
    before = len(heard.received)
    # Those that were under way when the last failure that counts came in fail as well.
    assert retry_schedule.SLOW_AFTER <= before < retry_schedule.SLOW_AFTER + retry_schedule.AT_ONCE
    dispatcher.run_once()
    assert len(heard.received) == before
    heard.most_at_once = 0
    pauses = []
    for _ in range(8):
        waited = 0
        while len(heard.received) == before:
            post.forward(1)
            waited += 1
            dispatcher.run_once()
        pauses.append(waited)
        before = len(heard.received)
    assert heard.most_at_once == 1
    assert all(earlier <= later for earlier, later in pairwise(pauses))
    assert pauses[-1] == retry_schedule.LONGEST_PROBE_PAUSE.total_seconds()


def test_one_success_brings_the_lane_back_to_its_pace(post, receiver):
    heard = receiver(status(500))
    mine = post.subscribe(heard.url)
    ids = [post.decide(f"connection-{number}") for number in range(50)]
    dispatcher = post.dispatcher()
    dispatcher.run_once()
    heard.always = status(204)
    post.forward(retry_schedule.LONGEST_PROBE_PAUSE.total_seconds())

    dispatcher.run_once()

    assert post.mode(mine.id) is Mode.ACTIVE
    assert {post.status(id_, mine.id) for id_ in ids} == {"delivered"}


def test_five_days_without_success_pause_the_lane(post, receiver):
    heard = receiver(status(500))
    mine = post.subscribe(heard.url)
    for number in range(12):
        post.decide(f"connection-{number}")
    dispatcher = post.dispatcher()
    dispatcher.run_once()
    for day in range(5):
        assert post.mode(mine.id) is Mode.SLOW
        post.forward(86_400)
        post.decide(f"connection-of-day-{day}")
        dispatcher.run_once()

    assert post.mode(mine.id) is Mode.PAUSED
    attempts = len(heard.received)
    waiting = len(post.waiting(mine.id))
    new = post.decide("connection-new")
    post.forward(86_400)
    dispatcher.run_once()
    assert len(heard.received) == attempts
    assert len(post.waiting(mine.id)) == waiting + 1

    heard.always = status(204)
    post.control.enable(mine.id)
    dispatcher.run_once()
    assert post.status(new, mine.id) == "delivered"
    assert post.waiting(mine.id) == {}
    assert post.mode(mine.id) is Mode.ACTIVE


def test_a_quiet_week_between_successes_pauses_nobody(post, receiver):
    heard = receiver()
    mine = post.subscribe(heard.url)
    for number in range(3):
        post.decide(f"connection-{number}")
        heard.answers.append(status(500))
        dispatcher = post.dispatcher()
        dispatcher.run_once()
        post.forward(5)
        dispatcher.run_once()
        post.forward(7 * 86_400)
    assert post.mode(mine.id) is Mode.ACTIVE


def test_disabled_nothing_new_waits_and_what_waited_stays(post, receiver):
    heard = receiver(status(500))
    mine = post.subscribe(heard.url)
    old = post.decide("connection-1")
    dispatcher = post.dispatcher()
    dispatcher.run_once()
    post.control.disable(mine.id)
    new = post.decide("connection-2")
    post.forward(3600)
    assert dispatcher.run_once() == 0

    heard.always = status(204)
    post.control.enable(mine.id)
    dispatcher.run_once()

    assert (post.status(old, mine.id), post.status(new, mine.id)) == ("delivered", None)


# Tests


@pytest.mark.parametrize("mode", ["active", "disabled"])
def test_a_test_message_is_sent_once_whatever_the_mode(post, receiver, mode):
    heard = receiver()
    mine = post.subscribe(heard.url, types=["connection.deleted"], enabled=mode == "active")
    id_ = post.control.send_test(mine.id)

    post.dispatcher().run_once()

    assert heard.ids == [id_]
    assert post.status(id_, mine.id + ".test") == "delivered"
    assert post.client.ttl(keys.notification(id_)) > 0
    assert post.client.ttl(keys.deliveries(id_)) > 0
    assert post.client.zcard(keys.outbox()) == 0


def test_a_test_message_that_fails_is_not_repeated_and_speaks_against_nobody(post, receiver):
    heard = receiver(status(410))
    mine = post.subscribe(heard.url)
    for _ in range(20):
        post.control.send_test(mine.id)
    dispatcher = post.dispatcher()
    dispatcher.run_once()
    post.forward(86_400)

    assert dispatcher.run_once() == 0
    assert len(heard.received) == 20
    assert post.mode(mine.id) is Mode.ACTIVE
    assert post.client.zcard(keys.dead_deliveries()) == 0


# Leases


def test_what_a_dead_process_had_taken_is_taken_over_when_its_lease_ends(post, receiver):
    heard = receiver()
    mine = post.subscribe(heard.url)
    id_ = post.decide()
    dead = post.lanes("dead")
    dead.divide()
    (claimed,), _ = dead.take(lambda _: 10)
    assert claimed.notification_id == id_

    dispatcher = post.dispatcher(token="alive")
    post.forward(LEASE.total_seconds() - 0.001)
    assert dispatcher.run_once() == 0
    post.forward(0.001)
    assert dispatcher.run_once() == 1
    assert post.status(id_, mine.id) == "delivered"


def test_a_lease_that_is_renewed_is_not_taken_over(post):
    mine = post.subscribe("http://127.0.0.1:9/")
    id_ = post.decide()
    busy = post.lanes("busy")
    busy.divide()
    busy.take(lambda _: 10)
    for _ in range(5):
        post.forward(LEASE.total_seconds() - 1)
        busy.renew({mine.id: [id_]})
        assert post.lanes("other").take(lambda _: 10)[0] == []


def test_leases_are_renewed_while_somebody_takes_his_time(post, receiver, monkeypatch):
    monkeypatch.setattr(dispatcher_module, "RENEW_S", 0.01)
    monkeypatch.setattr(
        dispatcher_module, "LOOK_AT_LEAST_S", WAIT_S
    )  # not between the end of a lease and its renewal
    heard = receiver()
    heard.gate.clear()
    mine = post.subscribe(heard.url)
    post.decide()
    dispatcher = post.dispatcher()
    renewed, began = threading.Event(), post.clock()
    real = dispatcher._lanes.renew

    def renew(flying):
        later = post.clock() > began
        real(flying)
        if later:
            renewed.set()

    dispatcher._lanes.renew = renew
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


def test_a_fault_while_leases_are_renewed_ends_nothing(post, receiver, monkeypatch, caplog):
    """A task that ends without a word would let others make the same attempt again and again."""
    monkeypatch.setattr(dispatcher_module, "RENEW_S", 0.01)
    heard = receiver()
    heard.gate.clear()
    post.subscribe(heard.url)
    post.decide()
    dispatcher = post.dispatcher()
    calls, again = [], threading.Event()

    def renew(_):
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("on purpose")
        again.set()

    dispatcher._lanes.renew = renew
    dispatcher.start()
    try:
        assert again.wait(WAIT_S)
    finally:
        heard.gate.set()
        dispatcher.stop()
    assert "on purpose" in caplog.text


def test_a_channel_that_cannot_be_made_ready_stops_the_start(post, monkeypatch):
    """It used to keep the process waiting for ever."""
    dispatcher = post.dispatcher()

    def prepare():
        raise OSError("no certificates")

    monkeypatch.setattr(dispatcher._channels["webhook"], "prepare", prepare)
    with pytest.raises(OSError, match="no certificates"):
        dispatcher.start()
    assert not dispatcher.running


def test_a_courier_whose_thread_has_ended_leaves_the_work_to_wake_up_calls(
    post, receiver, monkeypatch, caplog
):
    heard = receiver()
    post.subscribe(heard.url)
    dispatcher = post.dispatcher()

    async def look():
        raise ValueError("on purpose")

    with monkeypatch.context() as broken:
        broken.setattr(dispatcher, "_look_safely", look)
        dispatcher.start()
        dispatcher._thread.join(WAIT_S)
    assert "on purpose" in caplog.text
    assert not dispatcher.running

    post.decide()
    assert dispatcher.run_once() == 1
    dispatcher.stop()


def test_who_lost_his_lease_writes_his_attempt_down_and_moves_nothing(post):
    mine = post.subscribe("http://127.0.0.1:9/")
    id_ = post.decide()
    late, quick = post.lanes("late"), post.lanes("quick")
    late.divide()
    (one,), _ = late.take(lambda _: 10)
    post.forward(LEASE.total_seconds())
    (two,), _ = quick.take(lambda _: 10)
    at = {"at": "2026-03-04T12:00:00Z", "outcome": "failed"}
    again = post.clock() + timedelta(days=1)

    late.settle(one, AttemptVerdict.AGAIN, at, again_at=again)
    assert post.waiting(mine.id)[id_] == LEASE.total_seconds()
    quick.settle(two, AttemptVerdict.DELIVERED, at | {"outcome": "delivered"})
    late.settle(one, AttemptVerdict.AGAIN, at, again_at=again)

    assert post.status(id_, mine.id) == "delivered"
    assert post.waiting(mine.id) == {}
    assert post.client.hget(keys.deliveries(id_), f"{mine.id}:total") == b"3"


def test_an_attempt_that_is_written_down_twice_counts_once(post):
    """The client sends again what Redis did when the connection broke before its answer."""
    mine = post.subscribe("http://127.0.0.1:9/")
    lanes = post.lanes()
    for number in range(10):
        id_ = post.decide(f"connection-{number}")
        lanes.divide()
        (one,), _ = lanes.take(lambda _: 10)
        attempt = {"at": to_iso(post.clock()), "outcome": "failed"}
        again = post.clock() + timedelta(days=1)
        for _ in range(2):
            lanes.settle(one, AttemptVerdict.AGAIN, attempt, again_at=again)
        post.forward(1)
    state = post.control.states([mine.id])[mine.id]
    assert (state.failures, state.mode) == (10, Mode.SLOW)
    assert post.client.hget(keys.deliveries(id_), f"{mine.id}:tries") == b"1"


def test_stopping_gives_back_what_is_under_way(post, receiver, monkeypatch):
    monkeypatch.setattr(dispatcher_module, "PATIENCE_S", 0.05)
    heard = receiver()
    heard.gate.clear()
    mine = post.subscribe(heard.url)
    id_ = post.decide()
    dispatcher = post.dispatcher()
    dispatcher.start()
    heard.wait_for(1)
    dispatcher.stop()
    heard.gate.set()

    assert post.waiting(mine.id) == {id_: 0.0}
    post.dispatcher(token="next").run_once()
    assert heard.ids == [id_, id_]
    assert post.status(id_, mine.id) == "delivered"


def test_a_fault_of_ours_is_not_the_subscribers(post, receiver):
    mine = post.subscribe(receiver().url)
    id_ = post.decide()
    dispatcher = post.dispatcher()
    dispatcher._channels["webhook"] = None

    dispatcher.run_once()

    assert post.waiting(mine.id) == {id_: 5.0}
    assert post.control.states([mine.id])[mine.id].failures == 0


def test_of_a_subscriber_that_is_removed_while_attempts_are_under_way_nothing_is_left(post, receiver):
    heard = receiver()
    heard.gate.clear()
    mine = post.subscribe(heard.url)
    id_ = post.decide()
    dispatcher = post.dispatcher()
    dispatcher.start()
    try:
        heard.wait_for(1)
        post.subscribers.forget(mine.id)
        post.control.end(mine.id, removed=True)
    finally:
        heard.gate.set()
        dispatcher.stop()

    assert list(post.client.scan_iter(f"*{mine.id}*")) == []
    assert post.status(id_, mine.id) == "delivered"


def test_after_a_recovery_nothing_waits_for_a_retry_of_its_own(post, receiver):
    """A receiver was well again, and one of twelve notifications waited five minutes for its own next try."""
    heard = receiver(status(500))
    mine = post.subscribe(heard.url)
    ids = [post.decide(f"connection-{number}") for number in range(12)]
    dispatcher = post.dispatcher()
    dispatcher.run_once()
    while max(post.waiting(mine.id).values()) < 300:  # a probe fails a second time: it waits for five minutes
        post.forward(10)
        dispatcher.run_once()
    assert post.mode(mine.id) is Mode.SLOW

    heard.always = status(204)
    probe_at = float(post.client.hget(keys.lane_state(mine.id), "probe_at")) / 1000
    post.forward(probe_at - post.clock().timestamp())
    dispatcher.run_once()
    assert {post.status(id_, mine.id) for id_ in ids} == {"delivered"}


def test_a_pause_that_the_receiver_asked_for_outlasts_its_recovery(post, receiver):
    """It said when it wants that one again: a success of another one does not take that back."""
    heard = receiver(status(500))
    heard.answers.append(status(503, Retry_After="3600"))
    mine = post.subscribe(heard.url)
    asked = post.decide("connection-asked")
    post.dispatcher().run_once()
    for number in range(12):
        post.decide(f"connection-{number}")
    dispatcher = post.dispatcher()
    dispatcher.run_once()
    heard.always = status(204)
    post.forward(300)
    dispatcher.run_once()
    assert list(post.waiting(mine.id)) == [asked]


def test_enabling_a_subscriber_sends_what_waited_for_its_next_try(post, receiver):
    """Operators enabled a subscriber that was well again, and what had failed before came hours later."""
    heard = receiver(status(500))
    mine = post.subscribe(heard.url)
    id_ = post.decide()
    dispatcher = post.dispatcher()
    for pause_s in (5, 300, 1800):
        dispatcher.run_once()
        post.forward(pause_s)
    dispatcher.run_once()
    assert post.waiting(mine.id) == {id_: 7200}
    post.control.disable(mine.id)
    heard.always = status(204)
    post.control.enable(mine.id)
    dispatcher.run_once()
    assert post.status(id_, mine.id) == "delivered"


@pytest.mark.parametrize("later", [False, True])
def test_a_notification_with_a_dead_delivery_is_listed_as_dead_while_another_waits(post, receiver, later):
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

    def listed(wanted, **of):
        return [
            one["id"] for one in queries.notifications(post.reader, status=wanted, limit=9, **of)["items"]
        ]

    for of in ({}, {"connection_id": "connection-1"}):
        assert listed("dead", **of) == [id_]
        assert listed("pending", **of) == ([] if later else [id_])
        assert listed("delivered", **of) == []
    assert queries.notification(post.reader, id_)["status"] == "dead"


def test_every_line_about_a_delivery_names_the_message_that_led_to_it(post, receiver, caplog):
    """Support asked what became of a message: its id ended in the log where it was accepted."""
    caplog.set_level("INFO")
    heard = receiver(status(204))
    heard.answers.append(status(500))
    post.subscribe(heard.url)
    post.decide(event_id="msg_support")
    dispatcher = post.dispatcher()
    dispatcher.run_once()
    post.forward(5)
    dispatcher.run_once()
    lines = [record for record in caplog.records if record.name == "workers.delivery.dispatcher"]
    assert [record.message for record in lines] == ["a delivery failed", "a notification was delivered"]
    assert {record.event_id for record in lines} == {"msg_support"}
