"""The most requests a second that a subscriber is sent, counted under a clock that only the test moves."""

import pytest

from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import MakeReceiver

ROOM = 1_000


def subscribed(post: Post, rate_per_s: float, *, waiting: int = 500) -> str:
    """A subscriber with this rate for which so many notifications wait; its id."""
    subscriber = post.subscribe("http://127.0.0.1:9/", rate_per_s=rate_per_s)
    for number in range(waiting):
        post.decide(f"connection-{number}")
    post.fan_out()
    return subscriber.id


def test_ten_a_second_are_one_every_hundred_milliseconds(post: Post) -> None:
    subscribed(post, 10)
    lanes = post.lanes()
    counts = []
    for _ in range(20):
        look = lanes.look(lambda _: ROOM)
        counts.append(len(look.leases))
        assert look.next_due_at is not None
        assert (look.next_due_at - post.clock()).total_seconds() == pytest.approx(
            0.05 if counts[-1] == 0 else 0.1
        )
        post.forward(0.05)
    assert counts == [1, 0] * 10


def test_what_was_not_used_is_not_made_up_for(post: Post) -> None:
    subscribed(post, 10)
    lanes = post.lanes()
    assert len(lanes.look(lambda _: ROOM).leases) == 1
    post.forward(5)
    assert len(lanes.look(lambda _: ROOM).leases) == 1


@pytest.mark.parametrize("pause_s", [0.02, 0.1, 0.3])
def test_a_high_rate_is_kept_however_often_it_is_looked(post: Post, pause_s: float) -> None:
    """Between looks at most a tenth of a second is saved up."""
    subscribed(post, 200)
    lanes, count, began = post.lanes(), 0, post.clock()
    while (passed_s := (post.clock() - began).total_seconds()) < 1.2:
        count += len(lanes.look(lambda _: ROOM).leases)
        assert count <= 200 * (passed_s + 0.1) + 1
        post.forward(pause_s)
    assert count >= 200 * min(1.2, 1.2 * 0.1 / pause_s) - 20


def test_all_processes_together_keep_the_rate(post: Post) -> None:
    subscribed(post, 10)
    first, second = post.lanes("one"), post.lanes("two")
    for _ in range(5):
        assert len(first.look(lambda _: ROOM).leases) + len(second.look(lambda _: ROOM).leases) == 1
        post.forward(0.1)


def test_a_changed_rate_counts_at_once_and_0_is_no_limit(post: Post) -> None:
    id_ = subscribed(post, 10, waiting=30)
    lanes = post.lanes()
    lanes.look(lambda _: ROOM)
    post.subscribers.change(id_, rate_per_s=0)
    lanes.look(lambda _: 0)  # it learns of the change
    assert len(lanes.look(lambda _: ROOM).leases) == 29


def test_a_test_message_is_not_held_back(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver()
    mine = post.subscribe(heard.url, rate_per_s=0.01)
    for number in range(3):
        post.decide(f"connection-{number}")
    dispatcher = post.dispatcher()
    assert dispatcher.run_once() == 1
    post.lane_admin.send_test(mine.id)
    assert dispatcher.run_once() == 1
    post.forward(100)
    assert dispatcher.run_once() == 1
