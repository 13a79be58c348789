"""The search by id; by name in test_names.py."""

import pytest
from redis import Redis

from processor.clock import to_iso
from processor.store import keys
from tests.processor.web.ops.operating import (
    OWN_SCRIPT,
    Operator,
    add_subscriber,
)
from tests.processor.web.v1.filling import START, Filling


def test_the_search_leads_to_whatever_has_the_id(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    told = filling.container.reader.list_notifications(connection_id=None, limit=1, cursor=None).items[0]
    notification_id, subscriber_id = told["body"]["id"], add_subscriber(filling)
    for wanted, address in (
        ("xero", "/ops/connections/xero"),
        ("  xero ", "/ops/connections/xero"),
        ("c1", "/ops/companies/c1"),
        ("m-c1", "/ops/companies/c1"),
        ("msg_1", "/ops/events/msg_1"),
        (notification_id, f"/ops/notifications/{notification_id}"),
        (subscriber_id, f"/ops/subscribers/{subscriber_id}"),
    ):
        answer = operator.open("/ops/search", q=wanted)
        assert (answer.status_code, answer.headers.get("Location")) == (302, address)
        assert operator.open(address).status_code == 200


@pytest.mark.parametrize(
    "wanted", ["nobody", "<script>alert(1)</script>", "a" * 5000, "\x00", "ü/../x", "💥"]
)
def test_the_search_says_plainly_that_nothing_is_known(operator: Operator, wanted: str) -> None:
    answer = operator.open("/ops/search", q=wanted)
    assert answer.status_code == 200
    assert "Nothing is known by this id, name or e-mail address" in answer.text
    assert answer.text.count("<script") == answer.text.count(OWN_SCRIPT)


def test_an_empty_search_says_what_to_enter(operator: Operator) -> None:
    assert "Enter the id of a connection" in operator.read("/ops/search", q=" ")


def test_an_id_that_several_things_have_is_a_choice(operator: Operator, filling: Filling) -> None:
    filling.tell("connection.created", "twice", company="twice")
    filling.drain()
    answer = operator.open("/ops/search", q="twice")
    assert "Several things have this id" in answer.text
    assert 'href="/ops/connections/twice"' in answer.text
    assert 'href="/ops/companies/twice"' in answer.text


def test_the_search_shows_every_company_of_a_merchant(operator: Operator, filling: Filling) -> None:
    filling.tell("company.deleted", company="c1")
    reference = {"id": "c2", "name": "Toft", "tags": {"merchantId": "m-c1"}}
    filling.tell("company.created", company="c2", referenceCompany=reference)
    filling.drain()
    shown = operator.read("/ops/search", q="m-c1")
    assert "c2 : a company of this merchant c1 : a company of this merchant, deleted" in shown


def test_the_search_says_that_a_company_was_erased(operator: Operator, store: Redis) -> None:
    store.set(keys.erased("c-gone"), to_iso(START))
    shown = operator.read("/ops/search", q="c-gone")
    assert shown.startswith("This company was erased")
    assert "22 Nov 2026, 15:00:00 UTC" in shown
