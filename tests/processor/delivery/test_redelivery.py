"""Dead letters, and sending again all since some time."""

from datetime import timedelta
from typing import Any

import pytest

from processor.delivery.channels.email import EMAIL
from processor.delivery.channels.operators import OPERATORS
from processor.delivery.subscriber_service import SubscriberService
from tests.processor.delivery.conftest import Service
from tests.workers.delivery.receiving import MakeReceiver, status


@pytest.fixture
def desk(service: Service) -> Any:
    return service.container.subscriber_service


def let_die(service: Service, steps: int = 50) -> None:
    """Attempt until nothing waits any more; a lane that fails is only probed, so it takes its time."""
    for _ in range(steps):
        service.deliver()
        if not any(state.waiting for state in service.container.lane_admin.used_states()):
            return
        service.now += timedelta(hours=2)


def test_dead_letters_are_listed_and_sent_again(
    service: Service, desk: SubscriberService, receiver: MakeReceiver
) -> None:
    heard = receiver(status(500))
    first, second = (desk.add(url=heard.url) for _ in range(2))
    service.make_ready()
    let_die(service)
    dead = list(service.redelivery.dead_letters())
    assert len(dead) == 4
    assert {lane for _, lane in dead} == {first["id"], second["id"]}
    assert len(list(service.redelivery.dead_letters(subscriber_id=first["id"]))) == 2

    planned = list(service.redelivery.redeliver_dead(subscriber_id=first["id"], dry_run=True))
    assert [(item.notification_id, item.lanes) for item in planned] == [
        (id_, (first["id"],)) for id_, lane in dead if lane == first["id"]
    ]
    assert list(service.redelivery.dead_letters()) == dead

    heard.always, before = status(204), len(heard.received)
    assert len(list(service.redelivery.redeliver_dead())) == 4
    service.deliver()
    assert len(heard.received) == before + 4
    assert list(service.redelivery.dead_letters()) == []


def test_all_since_a_time_for_one_or_for_all(
    service: Service, desk: SubscriberService, receiver: MakeReceiver
) -> None:
    heard, other = receiver(), receiver()
    first, second = desk.add(url=heard.url), desk.add(url=other.url, types=["connection.authorized"])
    service.make_ready("xero")
    between = service.now + timedelta(seconds=1)
    service.make_ready("stripe")
    service.deliver()
    assert (len(heard.received), len(other.received)) == (4, 2)

    planned = list(service.redelivery.redeliver_since(between, dry_run=True))
    assert [item.type for item in planned] == ["connection.authorized", "initial_sync.completed"]
    assert [set(item.lanes) for item in planned] == [{first["id"], second["id"]}, {first["id"]}]
    service.deliver()
    assert (len(heard.received), len(other.received)) == (4, 2)

    assert len(list(service.redelivery.redeliver_since(between, subscriber_id=first["id"]))) == 2
    service.deliver()
    assert (len(heard.received), len(other.received)) == (6, 2)

    wanted = list(service.redelivery.redeliver_since(between, subscriber_id=second["id"], dry_run=True))
    assert [item.type for item in wanted] == ["connection.authorized"]

    assert len(list(service.redelivery.redeliver_since(service.now - timedelta(days=1)))) == 4
    service.deliver()
    assert (len(heard.received), len(other.received)) == (10, 4)
    assert len(set(heard.ids)) == 4


def test_only_what_did_not_arrive(service: Service, desk: SubscriberService, receiver: MakeReceiver) -> None:
    heard = receiver()
    subscriber = desk.add(url=heard.url)
    service.make_ready("xero")
    service.deliver()
    late = desk.add(url=receiver().url)
    began = service.now - timedelta(days=1)

    results = list(service.redelivery.redeliver_since(began, undelivered=True))
    assert {item.lanes for item in results} == {(late["id"],)}
    assert list(service.redelivery.redeliver_since(began, undelivered=True)) == []
    assert subscriber["id"] not in {lane for item in results for lane in item.lanes}


def test_what_waits_already_is_sent_now_and_its_schedule_begins_anew(
    service: Service, desk: SubscriberService, receiver: MakeReceiver
) -> None:
    heard = receiver(status(500))
    subscriber = desk.add(url=heard.url)
    service.make_ready()
    service.deliver()
    service.now += timedelta(seconds=6)
    service.deliver()
    assert service.deliver() == 0
    for id_ in set(heard.ids):
        service.redelivery.redeliver(id_, subscriber_id=subscriber["id"])
    assert service.deliver() == 2
    service.now += timedelta(seconds=6)
    assert service.deliver() == 2


def test_what_is_named_goes_also_to_who_does_not_want_its_type(
    service: Service, desk: SubscriberService, receiver: MakeReceiver
) -> None:
    heard = receiver()
    subscriber = desk.add(url=heard.url, types=["connection.deleted"])
    service.make_ready()
    page = service.container.reader.list_notifications(connection_id=None, limit=9, cursor=None)
    for row in page.items:
        assert service.redelivery.redeliver(row["body"]["id"], subscriber_id=subscriber["id"]).lanes == (
            subscriber["id"],
        )
    service.deliver()
    assert len(heard.received) == 2


def test_a_dead_letter_whose_type_is_wanted_no_more_stays(
    service: Service, desk: SubscriberService, receiver: MakeReceiver
) -> None:
    mine = desk.add(url=receiver(status(500)).url)
    service.make_ready()
    let_die(service)
    desk.change(mine["id"], types=["connection.authorized"])
    for narrower in ({}, {"subscriber_id": mine["id"]}):
        planned = list(service.redelivery.redeliver_dead(dry_run=True, **narrower))
        assert [item.type for item in planned] == ["connection.authorized"]


def test_operators_get_again_what_concerned_them(service: Service) -> None:
    """Which types these are is a setting; a notification that never was theirs is not sent to them."""
    service.make_ready()
    page = service.container.reader.list_notifications(connection_id=None, limit=9, cursor=None)
    theirs = page.items[0]["body"]["id"]
    began = service.now - timedelta(days=1)
    assert list(service.redelivery.redeliver_since(began, subscriber_id=OPERATORS.name)) == []
    service.redelivery.redeliver(theirs, subscriber_id=OPERATORS.name)
    assert [
        item.notification_id
        for item in service.redelivery.redeliver_since(began, subscriber_id=OPERATORS.name)
    ] == [theirs]


def test_an_e_mail_is_written_again_only_where_it_is_a_dead_letter(service: Service) -> None:
    service.make_ready()
    page = service.container.reader.list_notifications(connection_id=None, limit=9, cursor=None)
    (newest, _) = (row["body"]["id"] for row in page.items)
    assert service.redelivery.redeliver(newest, subscriber_id=EMAIL.name).lanes == (EMAIL.name,)
    row = service.container.reader.notification(newest)
    assert row["deliveries"]["email:status"] == "pending"


def test_a_dead_letter_of_somebody_who_was_removed_stays(
    service: Service, desk: SubscriberService, receiver: MakeReceiver
) -> None:
    heard = receiver(status(500))
    subscriber = desk.add(url=heard.url)
    service.make_ready()
    let_die(service)
    desk.remove(subscriber["id"])
    assert list(service.redelivery.redeliver_dead()) == []
