"""Fan-out: which notifications enter which lanes."""

from handlers.milestones import NotificationType
from processor.store import keys
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import MakeReceiver


def test_each_subscriber_gets_the_types_it_wants(post: Post, receiver: MakeReceiver) -> None:
    everything, some = receiver(), receiver()
    post.subscribe(everything.url)
    post.subscribe(some.url, types=["connection.deauthorized"])
    one, two = post.decide(), post.decide(type_=NotificationType.DEAUTHORIZED)

    post.dispatcher().run_once()

    assert sorted(everything.ids) == [one, two]
    assert some.ids == [two]


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

    assert heard.ids == [id_]
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
