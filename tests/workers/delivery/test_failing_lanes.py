"""Lanes whose receiver fails are slowed and paused, and recover."""

from datetime import timedelta
from itertools import pairwise

from processor.clock import to_iso
from processor.delivery import retry_schedule
from processor.delivery.lane import AttemptVerdict, CompletedAttempt, Mode
from processor.store import keys
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import MakeReceiver, status


def until_probe_s(post: Post, lane_id: str) -> float:
    """Seconds until a slow lane is tried again."""
    probe_at_ms = float(post.client.hget(keys.lane_state(lane_id), "probe_at") or 0)
    return probe_at_ms / 1000 - post.clock().timestamp()


def test_a_lane_that_keeps_failing_is_only_probed(post: Post, receiver: MakeReceiver) -> None:
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
        pauses.append(round(until_probe_s(post, mine.id)))
        post.forward(pauses[-1] - 1)
        dispatcher.run_once()
        assert len(heard.received) == before
        post.forward(until_probe_s(post, mine.id))
        dispatcher.run_once()
        assert len(heard.received) == before + 1
        before += 1
    assert heard.most_at_once == 1
    assert all(earlier <= later for earlier, later in pairwise(pauses))
    assert pauses[-1] == retry_schedule.LONGEST_PROBE_PAUSE.total_seconds()


def test_one_success_brings_the_lane_back_to_its_pace(post: Post, receiver: MakeReceiver) -> None:
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


def test_a_recovery_is_kept_until_what_waited_is_brought_forward(post: Post) -> None:
    mine = post.subscribe("http://127.0.0.1:9/")
    id_ = post.decide()
    post.fan_out()
    lanes = post.lanes()
    (lease,) = lanes.look(lambda _: 10).leases
    record = {"at": to_iso(post.clock()), "id": id_, "duration_ms": 1}
    later = post.clock() + timedelta(hours=1)
    lanes.look(lambda _: 10, [CompletedAttempt(lease, AttemptVerdict.AGAIN, record, later)])
    post.client.hset(keys.lane_state(mine.id), "recovered", 1)
    post.client.set(keys.lane_flight(post.cell, mine.id), "of another type")
    assert lanes.look(lambda _: 10).error is not None
    post.client.delete(keys.lane_flight(post.cell, mine.id))

    lanes.look(lambda _: 10)

    assert [lease.notification_id for lease in lanes.look(lambda _: 10).leases] == [id_]
    assert not post.client.hexists(keys.lane_state(mine.id), "recovered")


def test_five_days_without_success_pause_the_lane(post: Post, receiver: MakeReceiver) -> None:
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
    post.lane_admin.enable(mine.id)
    dispatcher.run_once()
    assert post.status(new, mine.id) == "delivered"
    assert post.waiting(mine.id) == {}
    assert post.mode(mine.id) is Mode.ACTIVE


def test_a_quiet_week_between_successes_pauses_nobody(post: Post, receiver: MakeReceiver) -> None:
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


def test_disabled_nothing_new_waits_and_what_waited_stays(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver(status(500))
    mine = post.subscribe(heard.url)
    old = post.decide("connection-1")
    dispatcher = post.dispatcher()
    dispatcher.run_once()
    post.lane_admin.disable(mine.id)
    new = post.decide("connection-2")
    post.forward(3600)
    assert dispatcher.run_once() == 0

    heard.always = status(204)
    post.lane_admin.enable(mine.id)
    dispatcher.run_once()

    assert (post.status(old, mine.id), post.status(new, mine.id)) == ("delivered", None)


def test_after_a_recovery_nothing_waits_for_a_retry_of_its_own(post: Post, receiver: MakeReceiver) -> None:
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
    post.forward(until_probe_s(post, mine.id))
    dispatcher.run_once()
    assert {post.status(id_, mine.id) for id_ in ids} == {"delivered"}


def test_a_pause_that_the_receiver_asked_for_outlasts_its_recovery(
    post: Post, receiver: MakeReceiver
) -> None:
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


def test_enabling_a_subscriber_sends_what_waited_for_its_next_try(post: Post, receiver: MakeReceiver) -> None:
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
    post.lane_admin.disable(mine.id)
    heard.always = status(204)
    post.lane_admin.enable(mine.id)
    dispatcher.run_once()
    assert post.status(id_, mine.id) == "delivered"
