"""Fan-out: which notifications enter which lanes."""

import json
from typing import Any

import pytest
from redis import ResponseError

from handlers.milestones import NotificationType
from processor.delivery.fan_out import BATCH, REMEMBERED, FanOut
from processor.erasure.erase import CompanyEraser
from processor.erasure.records import RecordFinder
from processor.store import keys
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import MakeReceiver


def test_each_subscriber_gets_the_types_it_wants(post: Post, receiver: MakeReceiver) -> None:
    everything, some = receiver(), receiver()
    post.subscribe(everything.url)
    post.subscribe(some.url, types=["connection.deauthorized"])
    first, second = post.decide(), post.decide(type_=NotificationType.DEAUTHORIZED)

    post.dispatcher().run_once()

    assert sorted(everything.ids) == [first, second]
    assert some.ids == [second]


def test_what_was_decided_before_it_subscribed_does_not_come(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver()
    post.decide()
    post.fan_out()
    post.subscribe(heard.url)

    assert post.dispatcher().run_once() == 0
    assert heard.received == []


def test_without_subscribers_a_notification_stays_published(post: Post) -> None:
    id_ = post.decide()
    post.dispatcher().run_once()

    assert post.client.xlen(keys.fan_out(post.cell)) == 0
    assert post.client.exists(keys.deliveries(post.cell, id_)) == 0


def test_dividing_twice_tells_nobody_twice(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver()
    post.subscribe(heard.url)
    id_ = post.decide()
    for _ in range(2):
        post.client.xadd(keys.fan_out(post.cell), {"id": id_})

    post.dispatcher().run_once()

    assert heard.ids == published(post) == [id_]
    assert post.client.xlen(keys.fan_out(post.cell)) == 0


def test_a_notification_that_was_erased_meanwhile_goes_to_nobody(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver()
    mine = post.subscribe(heard.url)
    before, between = post.decide("connection-1"), post.decide("connection-2")
    post.client.delete(keys.notification(post.cell, before))
    post.fan_out()
    post.client.delete(keys.notification(post.cell, between))

    assert post.dispatcher().run_once() == 0
    assert (heard.received, post.waiting(mine.id)) == ([], {})


def test_a_crash_between_the_stream_and_the_lanes_publishes_nothing_twice(
    post: Post, receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream remembers what is on it, though the fan-out still names it."""
    heard = receiver()
    post.subscribe(heard.url)
    ids = [post.decide(f"connection-{number}") for number in range(3)]

    def crash(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(FanOut, "_add_fan_out", crash)
        with pytest.raises(RuntimeError, match="killed"):
            post.fan_out()
    assert published(post) == ids
    ids.append(post.decide("connection-3"))
    post.dispatcher().run_once()

    assert published(post) == ids
    assert sorted(heard.ids) == ids


def test_what_is_decided_after_a_failover_to_lower_ids_is_published(post: Post) -> None:
    """The clock of the new primary was behind: its entries seemed to be on the stream, and were left out."""
    first = post.decide("connection-1")
    post.client.delete(keys.fan_out(post.cell))
    post.client.xadd(keys.fan_out(post.cell), {"id": first}, id="9999999999999-0")
    post.fan_out()
    post.client.delete(keys.fan_out(post.cell))
    second = post.decide("connection-2")
    post.fan_out()

    assert published(post) == [first, second]


def test_what_a_failover_took_and_is_decided_again_is_published_once(
    post: Post, receiver: MakeReceiver
) -> None:
    heard = receiver()
    post.subscribe(heard.url)
    id_ = post.decide()
    post.fan_out()
    for name in (keys.deliveries(post.cell, id_), *post.client.keys("*:lane:*")):
        post.client.delete(name)
    post.client.xadd(keys.fan_out(post.cell), {"id": id_})
    post.dispatcher().run_once()

    assert heard.ids == published(post) == [id_]


def test_who_read_a_fan_out_long_ago_publishes_nothing_again(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process hung after it had read, and others have published more than the stream remembers."""
    hanging, read = post._fan_out(), FanOut._read
    ids = [post.decide(f"connection-{number}") for number in range(REMEMBERED + BATCH)]

    def hang(*args: Any) -> Any:
        monkeypatch.undo()
        decided = read(*args)
        post.fan_out()
        return decided

    monkeypatch.setattr(FanOut, "_read", hang)
    hanging.run()

    assert published(post) == ids
    assert post.client.zcard(keys.published(post.cell)) == REMEMBERED


def test_what_is_erased_while_it_is_published_leaves_the_stream(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, erased = post.decide("connection-1"), post.decide("connection-2")
    publish = FanOut._publish

    def erase_then(fan_out: FanOut, *args: Any) -> Any:
        post.client.delete(keys.notification(post.cell, erased))
        return publish(fan_out, *args)

    monkeypatch.setattr(FanOut, "_publish", erase_then)
    post.fan_out()

    assert published(post) == [kept]


def test_what_is_erased_after_a_crash_between_the_stream_and_the_lanes_leaves_the_stream(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The eraser had read the stream before; the entry stayed until newer ones took its place."""
    kept, erased = post.decide("connection-1"), post.decide("connection-2")
    with monkeypatch.context() as patch:
        patch.delattr(FanOut, "_add_fan_out")
        with pytest.raises(AttributeError):
            post.fan_out()
    assert published(post) == [kept, erased]
    post.client.delete(keys.notification(post.cell, erased))
    post.fan_out()

    assert published(post) == [kept]


def test_what_is_erased_leaves_the_stream_after_a_crash_behind_the_lanes(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had left its fan-out by then, and nothing looked for its entry again."""
    kept, erased = post.decide("connection-1"), post.decide("connection-2")
    put = FanOut._put

    def erase_and_crash(fan_out: FanOut, trip: Any, appended: Any) -> Any:
        if appended:
            post.client.delete(keys.notification(post.cell, erased))
            trip.execute()
            raise RuntimeError("killed")
        return put(fan_out, trip, appended)

    with monkeypatch.context() as patch:
        patch.setattr(FanOut, "_put", erase_and_crash)
        with pytest.raises(RuntimeError, match="killed"):
            post.fan_out()
    assert published(post) == [kept, erased]
    post.fan_out()

    assert published(post) == [kept]
    assert post.client.xlen(keys.fan_out(post.cell)) == 0


def test_what_a_failover_took_after_it_was_read_is_published_when_it_is_decided_again(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new primary lacked it, its entry left the stream, and stayed remembered as published."""
    id_, publish = post.decide(), FanOut._publish
    lost, waiting = keys.notification(post.cell, id_), keys.fan_out(post.cell)
    record = post.client.get(lost) or b""

    def fail_over_then(fan_out: FanOut, decided: Any) -> Any:
        post.client.delete(lost, waiting)
        return publish(fan_out, decided)

    with monkeypatch.context() as patch:
        patch.setattr(FanOut, "_publish", fail_over_then)
        post.fan_out()
    assert published(post) == []
    post.client.set(lost, record)
    post.client.xadd(waiting, {"id": id_})
    post.fan_out()

    assert published(post) == [id_]


def test_what_is_appended_while_it_is_erased_leaves_the_stream_after_a_crash(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The eraser had read the stream, and then had it forget what was appended."""
    id_, company = post.decide(), keys.company("company-1")
    post.client.hset(company, mapping={"id": "company-1", "c:connection-1": "1"})
    fan_out, read_stream = post._fan_out(), RecordFinder.read_stream
    fan_out._put(fan_out._trip(), {})
    decided = fan_out._read(fan_out._entries)

    def append_and_crash(*args: Any) -> None:
        read_stream(*args)
        if not post.client.exists(company):
            fan_out._publish(decided)

    with monkeypatch.context() as patch:
        patch.setattr(RecordFinder, "read_stream", append_and_crash)
        CompanyEraser(post.client).erase("company-1", post.clock())
    assert published(post) == [id_]
    post.fan_out()

    assert published(post) == []


def test_what_too_few_replicas_have_on_the_stream_enters_its_lanes_when_they_do(
    post: Post, receiver: MakeReceiver
) -> None:
    """A failover took it from the stream, and nothing put it there again: it had left its fan-out.

    Meanwhile what is in a lane already is delivered.
    """
    heard = receiver()
    lane = post.subscribe(heard.url).id
    first = post.decide("connection-1")
    post.fan_out()
    post.set(ack_replicas=1, ack_timeout_ms=1)
    second, erased = post.decide("connection-2"), post.decide("connection-3")
    for _ in range(2):
        post.dispatcher().run_once()
    assert heard.ids == [first]
    assert post.status(second, lane) is None

    post.client.delete(keys.notification(post.cell, erased))
    post.set(ack_replicas=0)
    post.dispatcher().run_once()
    assert heard.ids == published(post) == [first, second]


def test_what_is_erased_meanwhile_leaves_the_stream_also_where_redis_refuses_another(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one was raised first: the erased one stayed on the stream, and in no fan-out."""
    post.subscribe("http://127.0.0.1:9/")
    refused, erased = post.decide("connection-1"), post.decide("connection-2")
    publish = FanOut._publish

    def erase_and_fill(fan_out: FanOut, *args: Any) -> Any:
        appended = publish(fan_out, *args)
        post.client.delete(keys.notification(post.cell, erased))
        post.client.config_set("maxmemory", 1)
        return appended

    try:
        with monkeypatch.context() as patch:
            patch.setattr(FanOut, "_publish", erase_and_fill)
            with pytest.raises(ResponseError, match="maxmemory"):
                post.fan_out()
    finally:
        post.client.config_set("maxmemory", 0)
    assert published(post) == [refused]

    post.fan_out()
    assert published(post) == [refused]
    assert post.client.xlen(keys.fan_out(post.cell)) == 0


def test_what_another_process_does_not_know_yet_enters_no_lane_that_has_ended(post: Post) -> None:
    mine = post.subscribe("http://127.0.0.1:9/")
    slow = post._fan_out()
    slow.run()
    post.subscribers.remove(mine.id)
    post.lane_admin.abandon(mine.id, removed=True)
    post.client.decr(keys.subscribers_version())  # as if it had been read before
    id_ = post.decide()
    slow.run()

    assert (post.status(id_, mine.id), post.waiting(mine.id)) == (None, {})


def published(post: Post) -> list[str]:
    """The ids on the stream."""
    return [json.loads(fields[b"notification"])["id"] for _, fields in post.client.xrange(keys.stream())]


def test_what_was_divided_by_an_engine_that_knew_no_script_is_not_read_again(post: Post) -> None:
    """The script of the lanes was loaded after the read: what followed a batch waited for five seconds."""
    post.decide()
    post.client.script_flush()
    fan_out = post._fan_out()

    fan_out.run()

    assert post.client.xlen(keys.fan_out(post.cell)) == 0
    assert not fan_out.has_more
