"""Whose company it is: a merchant may have had several, and a company may change hands."""

import json
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from processor.clock import to_ms
from processor.codat.models import CompanyResponse
from processor.journey.records import Records
from processor.store import keys
from tests.support import cells, messages
from tests.support.counting import Interrupted
from tests.support.effort import examples
from tests.support.messages import LONG_AGO
from tests.support.workbench import Workbench, company_in

X, Y = company_in(1), company_in(2)


def at(seconds):
    return LONG_AGO + timedelta(seconds=seconds)


def merchants(client):
    """The whole index: merchant id to its companies."""
    prefixes = {cell: keys.merchant_companies(cell, "") for cell in keys.cells()}
    index: dict[str, list[str]] = {}
    for prefix in prefixes.values():
        for name in client.scan_iter(prefix + "*"):
            companies = [item.decode() for item in client.zrange(name, 0, -1)]
            index.setdefault(name.decode().removeprefix(prefix), []).extend(companies)
    return {merchant: sorted(companies) for merchant, companies in index.items()}


def listed(bench, merchant_id, **query):
    """The connections of a merchant, newest first."""
    page = bench.reader.list_connections(merchant_id=merchant_id, limit=50, cursor=None, **query)
    return [(item.connection.id, item.connection.merchant_id) for item in page.items]


def test_a_merchant_has_its_new_company_after_the_old_one_was_deleted(bench):
    bench.handle(messages.connected(X, "x-1", merchant_id="m", at=at(1)))
    bench.handle(messages.company("company.deleted", X, merchant_id="m", at=at(2)))
    assert bench.reader.current_company_id("m") == X
    bench.clock.forward(60)
    bench.handle(messages.connected(Y, "y-1", merchant_id="m", at=at(3)))

    assert bench.reader.current_company_id("m") == Y
    assert bench.reader.company_ids("m") == [X, Y]
    assert listed(bench, "m") == [("y-1", "m"), ("x-1", "m")]
    assert listed(bench, "m", state="authorized") == [("y-1", "m")]

    bench.handle(messages.company("company.deleted", Y, merchant_id="m", at=at(9)))
    assert bench.reader.current_company_id("m") == Y  # of deleted ones the newest


def test_two_companies_of_one_merchant_are_both_found_and_the_first_stays_the_one_that_is_meant(bench):
    bench.handle(messages.connected(X, "x-1", merchant_id="m"), messages.connected(Y, "y-1", merchant_id="m"))
    bench.clock.forward(60)
    bench.handle(messages.initial_read(Y, "y-1", at=at(9)))

    assert set(bench.reader.company_ids("m")) == {X, Y}
    assert dict(listed(bench, "m")) == {"x-1": "m", "y-1": "m"}
    assert listed(bench, "m", company_id=Y) == [("y-1", "m")]
    assert listed(bench, "m", company_id="of-somebody-else") == []


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "several batches"])
def test_a_changed_tag_takes_the_company_and_all_its_connections_along(bench, together):
    bodies = [
        messages.connected(X, "x-1", merchant_id="old", at=at(1)),
        messages.connected(X, "x-2", merchant_id="old", at=at(1), source_type="Banking"),
        messages.reconnected(X, "x-1", merchant_id="new", at=at(5)),
    ]
    if together:
        bench.handle(*bodies)
    else:
        for body in bodies:
            bench.handle(body)

    assert bench.reader.company(X)["merchant_id"] == "new"
    assert json.loads(bench.reader.company(X)["tags"]) == {"merchantId": "new"}
    assert merchants(bench.client) == {"new": [X]}
    assert set(listed(bench, "new")) == {("x-1", "new"), ("x-2", "new")}
    assert (listed(bench, "old"), bench.reader.current_company_id("old")) == ([], None)
    bench.handle(messages.initial_read(X, "x-2", at=at(9)))
    assert bench.told("x-2")[-1]["data"]["merchant_id"] == "new"


def test_its_place_in_the_lists_stays_when_the_tag_changes(bench):
    bench.handle(messages.connected(X, "x-1", merchant_id="old"))
    heard_ms = to_ms(bench.clock())
    bench.clock.forward(3600)
    bench.handle(messages.connected(Y, "y-1", merchant_id="new"))
    bench.handle(messages.reconnected(X, "x-1", merchant_id="new", at=at(5)))

    assert bench.reader.company_ids("new") == [X, Y]
    assert cells.score(bench.client, keys.companies, X) == heard_ms
    assert cells.score(bench.client, keys.merchant_companies, X, "new") == heard_ms


def test_what_brings_no_tag_changes_nothing(bench):
    bench.handle(messages.connected(X, "x-1", merchant_id="m", at=at(1)))
    before = merchants(bench.client)
    bench.handle(
        messages.reconnected(X, "x-1", at=at(5)),
        messages.company("company.created", X, at=at(6)),
        messages.company("company.created", X, at=at(6), merchant_id=""),
        messages.company("company.created", X, at=at(7), region="uk"),
        messages.status_alert(X, "x-1", "Linked", "Unlinked"),
    )

    assert bench.reader.company(X)["merchant_id"] == "m"
    assert merchants(bench.client) == before == {"m": [X]}
    assert listed(bench, "m") == [("x-1", "m")]


def test_an_old_message_that_comes_late_or_again_does_not_give_the_old_id_back(bench):
    old = messages.connected(X, "x-1", merchant_id="old", at=at(1))
    bench.clock.forward(60)
    bench.handle(old)
    bench.handle(messages.connected(X, "x-2", merchant_id="new", at=at(5), source_type="Banking"))
    bench.handle(messages.created(X, "x-3", merchant_id="old", at=at(2)), old)

    assert bench.reader.company(X)["merchant_id"] == "new"
    assert json.loads(bench.reader.company(X)["tags"]) == {"merchantId": "new"}
    assert merchants(bench.client) == {"new": [X]}
    assert {merchant for _, merchant in listed(bench, "new")} == {"new"}


def test_a_tag_that_comes_only_later_is_given_to_connections_that_were_known_before(bench):
    bench.handle(messages.status_alert(X, "x-1", "PendingAuth", "Linked"))
    bench.handle(messages.company("company.created", X, merchant_id="m", at=at(1)))

    assert listed(bench, "m") == [("x-1", "m")]


def test_of_two_changes_in_one_batch_the_last_one_counts(bench):
    bench.handle(messages.connected(X, "x-1", merchant_id="first", at=at(1)))
    bench.clock.forward(60)
    bench.handle(
        messages.reconnected(X, "x-1", merchant_id="second", at=at(5)),
        messages.reconnected(X, "x-1", merchant_id="third", at=at(6)),
    )

    assert merchants(bench.client) == {"third": [X]}
    assert listed(bench, "third") == [("x-1", "third")]


def test_a_time_that_lies_ahead_does_not_hold_for_ever(bench):
    bench.handle(messages.connected(X, "x-1", merchant_id="old", at=at(3600)))
    bench.clock.forward(60)
    bench.handle(messages.connected(X, "x-1", merchant_id="new", at=bench.clock()))

    assert merchants(bench.client) == {"new": [X]}


TAGGED = st.tuples(st.sampled_from([X, Y]), st.sampled_from(["p", "q", "r", None]), st.booleans())


@settings(max_examples=examples(60), deadline=None)
@given(history=st.lists(TAGGED, max_size=10), order=st.randoms(use_true_random=False))
def test_in_whatever_order_messages_come_the_index_is_what_the_newest_tags_say(engine_url, history, order):
    """Two companies in different cells share three merchant ids; some messages come in one batch."""
    with Redis.from_url(engine_url) as client:
        client.flushall()
        bench = Workbench(client)
        bench.clock.forward(60)
        arriving = list(enumerate(history))
        order.shuffle(arriving)
        for number, (company, merchant_id, waits) in arriving:
            bench.send(
                messages.connected(company, f"{company}-{number % 2}", merchant_id=merchant_id, at=at(number))
            )
            if not waits:
                bench.drain_all()
        bench.drain_all()

        newest = {company: merchant_id for company, merchant_id, _ in history if merchant_id is not None}
        wanted = {}
        for company in newest:
            wanted.setdefault(newest[company], set()).add(company)
        assert {name: set(item) for name, item in merchants(client).items()} == wanted
        for company in {company for company, _, _ in history}:
            assert bench.reader.company(company).get("merchant_id") == newest.get(company)
            page = bench.reader.list_connections(company_id=company, limit=50, cursor=None)
            assert {item.connection.merchant_id for item in page.items} == {newest.get(company)}


def test_a_sign_up_between_reading_and_committing_leaves_no_second_entry(redis_url):
    """The drain has read the company without a row; the sign-up writes one under another merchant id."""
    with Interrupted.from_url(redis_url) as client:
        bench = Workbench(client)
        bench.send(messages.connected(X, "x-1", merchant_id="tag", at=bench.clock()))
        seen = CompanyResponse(id=X, name="Toft", tags={"merchantId": "signed"}, asked_at=at(-60))

        def sign_up():
            Records(client).save_company(
                seen, merchant_id="signed", local_fields={"contact_email": "a@b.example"}, now=bench.clock()
            )

        cast(Interrupted, client).meanwhile = sign_up
        bench.drain_all()

        row = bench.reader.company(X)
        assert (row["merchant_id"], row["contact_email"]) == ("tag", "a@b.example")
        assert merchants(client) == {"tag": [X]}


def test_a_sign_up_under_another_id_takes_the_company_and_its_connections_along(bench):
    bench.handle(messages.connected(X, "x-1", merchant_id="old", at=at(1)))
    heard_ms = to_ms(bench.clock())
    bench.clock.forward(60)
    seen = CompanyResponse(id=X, name="Toft", tags={"merchantId": "new"}, asked_at=bench.clock())

    Records(bench.client).save_company(seen, merchant_id="new", local_fields={}, now=bench.clock())

    assert merchants(bench.client) == {"new": [X]}
    assert cells.score(bench.client, keys.merchant_companies, X, "new") == heard_ms
    assert listed(bench, "new", state="authorized") == [("x-1", "new")]


def test_the_connections_of_several_companies_are_one_list_by_the_page(bench):
    companies = [company_in(cell, nth=nth) for cell in range(4) for nth in range(2)]
    for number in range(40):
        company = companies[number * 7 % len(companies)]
        bench.send(messages.connected(company, f"connection-{number:02}", merchant_id="m"))
        if number % 3 == 0:
            bench.drain_all()
            bench.clock.forward(1)
    bench.handle(messages.connected(company_in(0, nth=5), "of-another", merchant_id="n"))

    for query in ({}, {"state": "authorized"}):
        whole = [name for name, _ in listed(bench, "m", **query)]
        assert len(whole) == 40
        for limit in (1, 3, 7, 40):
            result, cursor = [], None
            while True:
                page = bench.reader.list_connections(merchant_id="m", limit=limit, cursor=cursor, **query)
                result += [item.connection.id for item in page.items]
                cursor = page.next_cursor
                if cursor is None:
                    break
                assert len(page.items) == limit
            assert result == whole


def test_a_cursor_goes_on_while_the_merchant_gets_another_company(bench):
    for number in range(4):
        bench.handle(messages.connected(X, f"x-{number}", merchant_id="m"))
        bench.clock.forward(1)
    first = bench.reader.list_connections(merchant_id="m", limit=2, cursor=None)
    bench.handle(messages.connected(Y, "y-1", merchant_id="m"))

    second = bench.reader.list_connections(merchant_id="m", limit=2, cursor=first.next_cursor)

    results = [item.connection.id for page in (first, second) for item in page.items]
    assert results == ["x-3", "x-2", "x-1", "x-0"]
