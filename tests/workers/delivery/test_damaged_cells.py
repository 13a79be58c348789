"""A key of another type in one cell: that cell waits and operators are told, and the others go on."""

import contextlib

import pytest
from redis.exceptions import NoPermissionError

from processor.delivery.fan_out import BATCH, MOST_FOLLOWING, REMEMBERED
from processor.resources import serializers
from processor.store import keys, wakeups
from tests.support.workbench import company_in
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import MakeReceiver

DAMAGED = {
    "fan_out": keys.fan_out,
    "published": keys.published,
    "closed_lanes": keys.closed_lanes,
}
"""A key of a cell by the kind that the note of operators names when it has another type."""


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_cell_waits_until_it_is_mended_and_the_others_go_on(
    post: Post, receiver: MakeReceiver, kind: str
) -> None:
    """One such key stopped the deliveries of all cells."""
    heard = receiver()
    post.subscribe(heard.url)
    damaged, kept = DAMAGED[kind](post.cell), "kept"
    before = post.decide()
    if post.client.exists(damaged):
        post.client.rename(damaged, kept)
    post.client.set(damaged, "garbage")
    post.cell = other = next(cell for cell in keys.cells() if cell != post.cell)
    after = post.decide(company_id=company_in(other))
    assert wakeups.claim_due_delivery_run(post.client)

    assert post.dispatcher().run_once() == 1
    assert heard.ids == [after]
    condition = post.says("record_unreadable")
    assert condition is not None
    assert f" {kind} " in condition.sentence

    post.client.delete(damaged)
    if post.client.exists(kept):
        post.client.rename(kept, damaged)
    assert post.dispatcher().run_once() == 1
    assert heard.ids == [after, before]
    assert post.client.xlen(keys.stream()) == 2


@pytest.mark.parametrize("fault", ["another type", "no permission"])
def test_a_stream_that_refuses_stops_no_due_delivery(post: Post, receiver: MakeReceiver, fault: str) -> None:
    """The look ended before it claimed anything, and operators read of cells, not of the stream."""
    heard = receiver()
    post.subscribe(heard.url)
    due = post.decide("connection-1")
    post.fan_out()
    new = post.decide("connection-2")
    post.client.rename(keys.stream(), "kept")
    if fault == "another type":
        post.client.set(keys.stream(), "garbage")
    else:
        post.client.acl_setuser("default", enabled=True, keys=["codat:[^n]*"], reset_keys=True)
    try:
        with contextlib.suppress(NoPermissionError):
            post.dispatcher().run_once()
        assert heard.ids == [due]
    finally:
        post.client.acl_setuser("default", enabled=True, keys=["*"])
    if fault == "another type":
        condition = post.says("record_unreadable")
        assert condition is not None
        assert f"stream {keys.stream()}" in condition.sentence

    post.client.rename("kept", keys.stream())
    post.dispatcher().run_once()
    assert heard.ids == [due, new]
    assert post.client.xlen(keys.stream()) == 2


def test_a_process_that_starts_beside_a_damaged_cell_leaves_nothing_of_the_others(
    post: Post, receiver: MakeReceiver
) -> None:
    """It learnt how far a cell was, and took that for the end of what it could do."""
    damaged = post.cell
    post.cell = next(cell for cell in keys.cells() if cell != damaged)
    for number in range(MOST_FOLLOWING + 1):
        post.decide(f"connection-{number}", company_id=company_in(post.cell))
    post.fan_out()
    heard = receiver()
    post.subscribe(heard.url)
    after = post.decide(company_id=company_in(post.cell))
    post.client.set(keys.closed_lanes(damaged), "garbage")
    post.cell = damaged
    post.decide()

    assert post.dispatcher().run_once() == 1
    assert heard.ids == [after]


def test_a_lane_that_refuses_a_notification_does_not_keep_the_others_from_it(post: Post) -> None:
    """The others never got it: it had left the fan-out by then."""
    lanes = [keys.lane(post.cell, post.subscribe(f"http://127.0.0.1:9/{number}").id) for number in range(3)]
    for damaged in lanes:
        post.client.delete(*lanes)
        post.client.set(damaged, "garbage")
        id_ = post.decide()
        post.fan_out()
        assert [post.client.zcard(lane) for lane in lanes if lane != damaged] == [1, 1]
        assert post.client.hget(keys.deliveries(post.cell, id_), "n:pending") == b"3"
    assert post.says("record_unreadable") is not None


def test_a_damaged_notification_or_company_keeps_no_other_notification(
    post: Post, receiver: MakeReceiver
) -> None:
    """A record that could not be unpacked, and a company of another type, stopped all of them."""
    heard = receiver()
    post.subscribe(heard.url)
    post.set(smtp_url="smtp://127.0.0.1")
    post.client.set(keys.company("company-1"), "garbage")
    ids = [post.decide(f"connection-{number}") for number in range(5)]
    for id_, damage in zip(ids, (b"garbage", b"{}", b"\n[]", b"\xff\n{}"), strict=False):
        post.client.set(keys.notification(post.cell, id_), damage)

    assert post.dispatcher().run_once() == 1
    assert heard.ids == ids[-1:]
    condition = post.says("record_unreadable")
    assert condition is not None
    assert condition.sentence.startswith("5 records cannot be read")


@pytest.mark.parametrize("count", ["garbage", "9" * 5_000])
def test_a_damaged_number_of_deliveries_is_counted_anew_and_keeps_no_notification(
    post: Post, receiver: MakeReceiver, count: str
) -> None:
    """It ended the fan-out of all cells, and the attempts that were recorded together with its own."""
    heard = receiver()
    for _ in range(2):
        post.subscribe(heard.url)
    ids = [post.decide(f"connection-{number}") for number in range(3)]
    names = [keys.deliveries(post.cell, id_) for id_ in ids]
    post.client.hset(names[0], "n:pending", count)
    post.fan_out()
    assert post.client.hget(names[0], "n:pending") == b"2"
    assert post.says("record_unreadable") is not None

    post.client.hset(names[1], mapping={"n:pending": count, "n:dead": "garbage"})
    row = post.reader.notification(ids[1])
    assert row is not None
    assert serializers.notification(row)["status"] in ("published", "pending")
    assert post.dispatcher().run_once() == 6
    assert sorted(heard.ids) == sorted(2 * ids)
    assert [post.client.hmget(name, "n:pending", "n:delivered") for name in names] == 3 * [[b"0", b"2"]]
    assert post.client.zcard(keys.outbox_with(post.cell, "delivered")) == 3
    assert post.client.zcard(keys.outbox_with(post.cell, "pending")) == 0


@pytest.mark.parametrize("number", ["garbage", "9" * 5_000])
def test_damage_to_a_delivery_in_a_lane_costs_no_other_one(
    post: Post, receiver: MakeReceiver, number: str
) -> None:
    """It ended each look, or its garbage was posted every six seconds."""
    heard = receiver()
    lane = post.subscribe(heard.url).id
    tries, total, next_at, damaged, kept = (post.decide(f"connection-{at}") for at in range(5))
    post.fan_out()
    for id_, name in ((tries, "tries"), (total, "total"), (next_at, "next")):
        post.client.hset(keys.deliveries(post.cell, id_), f"{lane}:{name}", number)
    post.client.set(keys.notification(post.cell, damaged), "garbage")
    assert post.reader.notification(next_at) is None

    assert post.dispatcher().run_once() == 4
    assert sorted(heard.ids) == sorted([tries, total, next_at, kept])
    assert [len(post.attempts(id_)) for id_ in (tries, total, next_at, kept)] == [1, 1, 1, 1]
    assert post.status(damaged, lane) == "pending"
    assert post.lane_admin.states([lane])[lane].under_way == 0
    condition = post.says("record_unreadable")
    assert condition is not None
    assert damaged in condition.sentence


def test_what_cannot_leave_its_fan_out_is_not_published_again(post: Post) -> None:
    """The stream forgets what it got long ago, but not what is still in a fan-out."""
    lane = post.subscribe("http://127.0.0.1:9/").id
    stuck = post.decide()
    post.client.set(keys.deliveries(post.cell, stuck), "garbage")
    for _ in range(REMEMBERED // BATCH + 1):
        for number in range(BATCH):
            post.decide(f"connection-{number}")
        post.fan_out()
    post.client.delete(keys.deliveries(post.cell, stuck))
    post.fan_out()

    assert post.client.xlen(keys.stream()) == REMEMBERED + BATCH + 1
    assert post.status(stuck, lane) == "pending"
    assert post.client.xlen(keys.fan_out(post.cell)) == 0
