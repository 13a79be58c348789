"""Round trips and commands of deliveries, and what is noticed although it is remembered."""

from datetime import timedelta

import pytest

from processor.clock import to_iso
from processor.delivery.lane import AttemptVerdict, CompletedAttempt, Lease
from processor.delivery.lanes import Lanes
from processor.store import keys
from tests.support.counting import RoundTrips, commands
from tests.workers.delivery.post import Post


@pytest.fixture
def trips(post: Post, redis_url: str) -> RoundTrips:
    """Counts the round trips of everything that is made of ``post`` from now on."""
    trips = RoundTrips()
    post.client = trips.client(redis_url)
    return trips


def completed(
    post: Post, lease: Lease, verdict: AttemptVerdict = AttemptVerdict.DELIVERED
) -> CompletedAttempt:
    record = {
        "at": to_iso(post.clock()),
        "outcome": "delivered",
        "id": lease.notification_id,
        "duration_ms": 1,
    }
    return CompletedAttempt(lease, verdict, record, post.clock() + timedelta(seconds=5))


def warm(post: Post, lanes: Lanes) -> None:
    """One delivery from its claim to its end, so that the scripts are loaded and the subscribers known."""
    post.decide("connection-warm")
    post.fan_out()
    lanes.look(lambda _: 1, [completed(post, lease) for lease in lanes.look(lambda _: 1).leases])


def commands_of_a_success(post: Post) -> dict[str, int]:
    """How often each command runs for the look that records a success, when the scripts are loaded."""
    lanes = post.lanes()
    warm(post, lanes)
    post.decide()
    post.fan_out()
    (lease,) = lanes.look(lambda _: 10).leases
    before = commands(post.client)
    lanes.look(lambda _: 10, [completed(post, lease)], everywhere=False)
    after = commands(post.client)
    return {name: count - before.get(name, 0) for name, count in after.items()}


@pytest.mark.parametrize("subscribers", [1, 5])
def test_ten_webhooks_cost_two_round_trips_and_the_last_ones_a_third(
    post: Post, trips: RoundTrips, subscribers: int
) -> None:
    """Each claim records what was completed before it: in a long run it is two for each ten."""
    for number in range(subscribers):
        post.subscribe(f"http://127.0.0.1:9/{number}")
    lanes = post.lanes()
    warm(post, lanes)
    for number in range(10 // subscribers):
        post.decide(f"connection-{number}")
    post.fan_out()
    trips.reset()

    leases = lanes.look(lambda _: 10).leases
    assert (len(leases), trips.count) == (10, 2)
    assert lanes.look(lambda _: 10, [completed(post, lease) for lease in leases]).leases == []
    assert trips.count == 3
    assert all(post.status(lease.notification_id, lease.lane.id) == "delivered" for lease in leases)


def test_a_hundred_notifications_are_fanned_out_with_four_round_trips(post: Post, trips: RoundTrips) -> None:
    for number in range(3):
        post.subscribe(f"http://127.0.0.1:9/{number}")
    fan_out = post._fan_out()
    post.decide("connection-warm")
    fan_out.run()
    for number in range(100):
        post.decide(f"connection-{number}")
    trips.reset()
    assert len(fan_out.run()) == 3
    assert trips.count == 4, "which there are, their bodies, the stream, and the lanes"


def test_a_look_after_an_attempt_is_at_its_lane_only(post: Post) -> None:
    for number in range(30):
        post.subscribe(f"http://127.0.0.1:9/{number}", types=["connection.deleted"])
    post.subscribe("http://127.0.0.1:9/")
    assert commands_of_a_success(post)["evalsha"] == 3, "the delivery, its lane, and what is due there"


DELIVERED = {"evalsha": 3, "get": 1, "zrem": 5, "hmget": 4, "exists": 2, "hset": 4, "hincrby": 4, "hdel": 2,
             "hget": 2, "zscore": 1, "zadd": 1, "zrangebyscore": 2, "zcount": 1}  # fmt: skip
"""The commands that the engine runs to record a success, and to claim from the lane, which is empty then."""


def test_the_commands_that_record_a_success(post: Post) -> None:
    post.subscribe("http://127.0.0.1:9/")
    counts = commands_of_a_success(post)
    assert {name: count for name, count in counts.items() if count and name != "info"} == DELIVERED


def test_a_lane_without_room_is_not_due_again_and_again(post: Post) -> None:
    """Its next look follows the end of an attempt, not the time of a delivery that cannot begin."""
    post.subscribe("http://127.0.0.1:9/")
    lanes = post.lanes()
    post.decide("connection-1")
    post.fan_out()
    (lease,) = lanes.look(lambda _: 1).leases
    again = completed(post, lease, AttemptVerdict.AGAIN)
    assert lanes.look(lambda _: 1, [again]).next_due_at == again.next_attempt_at
    post.forward(5)
    assert lanes.look(lambda _: 0, everywhere=False).next_due_at is None
    assert len(lanes.look(lambda _: 1, everywhere=False).leases) == 1


def test_who_was_removed_or_disabled_gets_nothing_more(post: Post) -> None:
    removed, disabled = (post.subscribe(f"http://127.0.0.1:9/{number}") for number in range(2))
    lanes, fan_out = post.lanes(), post._fan_out()
    warm(post, lanes)
    post.decide("connection-1")
    fan_out.run()
    post.subscribers.remove(removed.id)
    post.lane_admin.disable(disabled.id)
    assert lanes.look(lambda _: 10).leases == []
    second = post.decide("connection-2")
    fan_out.run()
    assert (post.status(second, removed.id), post.status(second, disabled.id)) == (None, None)


def test_what_was_changed_counts_from_the_next_claim(post: Post) -> None:
    """The subscribers are remembered, and each look asks whether they have changed."""
    mine = post.subscribe("http://127.0.0.1:9/old")
    lanes = post.lanes()
    warm(post, lanes)
    post.subscribers.change(mine.id, url="http://127.0.0.1:9/new")
    secret = post.subscribers.rotate(mine.id).secret
    post.decide()
    post.fan_out()
    (lease,) = lanes.look(lambda _: 10).leases
    assert lease.lane.subscriber is not None
    assert (lease.lane.subscriber.url, lease.lane.subscriber.secret) == ("http://127.0.0.1:9/new", secret)


def test_a_new_subscriber_is_told_by_a_process_that_runs(post: Post) -> None:
    lanes, fan_out = post.lanes(), post._fan_out()
    warm(post, lanes)
    fan_out.run()
    mine = post.subscribe("http://127.0.0.1:9/")
    post.decide()
    assert fan_out.run() == {(mine.id, post.cell)}
    assert (
        lanes.look(lambda _: 10, touched=[(mine.id, post.cell)], everywhere=False).next_due_at == post.clock()
    )
    assert len(lanes.look(lambda _: 10, everywhere=False).leases) == 1


def test_after_a_restart_of_redis_attempts_are_recorded_before_the_next_claim(post: Post) -> None:
    """A script that Redis does not know is called again: the claim would come first, and find no room."""
    post.subscribe("http://127.0.0.1:9/")
    lanes = post.lanes()
    for number in range(2):
        post.decide(f"connection-{number}")
    post.fan_out()
    (first,) = lanes.look(lambda _: 1).leases
    post.client.script_flush()
    (second,) = lanes.look(lambda _: 1, [completed(post, first)]).leases
    assert first.notification_id != second.notification_id


def test_a_lane_that_cannot_be_read_does_not_keep_the_others(post: Post) -> None:
    first, second = (post.subscribe(f"http://127.0.0.1:9/{number}") for number in range(2))
    lanes = post.lanes()
    post.decide()
    post.fan_out()
    post.client.set(keys.lane_flight(post.cell, first.id), "damaged")
    result = lanes.look(lambda _: 10)
    assert [lease.lane.id for lease in result.leases] == [second.id]
    assert "WRONGTYPE" in str(result.error)


def test_one_attempt_that_redis_refuses_does_not_keep_the_others(post: Post) -> None:
    first, second = (post.subscribe(f"http://127.0.0.1:9/{number}") for number in range(2))
    lanes = post.lanes()
    id_ = post.decide()
    post.fan_out()
    leases = lanes.look(lambda _: 10).leases
    post.client.set(keys.lane_flight(post.cell, first.id), "damaged")
    result = lanes.look(lambda _: 10, [completed(post, lease) for lease in leases])
    assert [attempt.lease.lane.id for attempt, _ in result.refused] == [first.id]
    assert [post.status(id_, lane.id) for lane in (first, second)] == ["pending", "delivered"]
