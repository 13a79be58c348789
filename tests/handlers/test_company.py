"""The rules of a company: the newest tags win, the first deletion stays, the merchant goes to connections."""

from dataclasses import replace
from datetime import datetime
from itertools import permutations

import pytest

from handlers.company import (
    NO_CHANGE,
    NO_RECORD,
    CompanyChange,
    CompanyRecord,
    company_change,
    names_other_merchant,
    new_connection,
    with_merchant,
)
from handlers.connection import Connection
from handlers.events import (
    Company,
    CompanyCreated,
    CompanyDeleted,
    Event,
    Source,
    UnhandledEvent,
)
from tests.handlers.support.story import at, deleted, unanswered

KNOWN = CompanyRecord("Toft", "m-1", {"merchantId": "m-1"}, tagged_at=at(10), first_heard_at=at(0))


def event_about(
    company: Company,
    second: float,
    *,
    kind: type[Event] = CompanyCreated,
    source: Source = Source.CURRENT,
    received: float | None = None,
) -> Event:
    return kind(
        event_id=f"e-{second}",
        event_type="company",
        source=source,
        received_at=at(second if received is None else received),
        at=at(second),
        company=company,
    )


def tagged(merchant_id: str, name: str | None = None, **tags: str) -> Company:
    return Company("company-1", name, {"merchantId": merchant_id, **tags})


def change_of(
    company: Company,
    second: float,
    record: CompanyRecord | None = KNOWN,
    *,
    source: Source = Source.CURRENT,
    received: float | None = None,
) -> CompanyChange:
    return company_change(event_about(company, second, source=source, received=received), company, record)


def test_the_newest_products_stay_in_whatever_order_they_come() -> None:
    messages = ((30, ("a", "b")), (20, ("a",)), (40, ("b",)), (40, ("a", "b")))
    for order in permutations(messages):
        record = NO_RECORD
        for second, products in order:
            record = record.with_change(change_of(Company("company-1", products=products), second, record))
        assert (record.products, record.products_at) == (("b",), at(40))


def test_products_known_already_change_their_time_alone_and_none_are_products_as_well() -> None:
    record = replace(KNOWN, products=(), products_at=at(40))
    change = change_of(Company("company-1", products=()), 50, record)
    assert (change.products, change.products_at, change.is_news) == (None, at(50), False)
    older = CompanyChange(products=("a",), products_at=at(1))
    assert older.merged(CompanyChange(products=(), products_at=at(2))) == CompanyChange(
        products=(), products_at=at(2)
    )
    assert older.merged(NO_CHANGE) == older


def test_of_products_of_one_moment_the_greater_stay_and_none_are_newer_than_their_arrival() -> None:
    record = replace(KNOWN, products=("b",), products_at=at(40))
    assert record.with_change(NO_CHANGE) == record
    known, less, greater = (Company("company-1", products=(name,)) for name in "bac")
    assert change_of(known, 40, record) == change_of(less, 40, record) == NO_CHANGE
    assert change_of(greater, 40, record).products == ("c",)
    assert change_of(greater, 900, record, received=39) == NO_CHANGE
    assert change_of(greater, 900, record, received=41).products_at == at(41)
    unreadable = replace(record, products=None)
    assert change_of(known, 40, unreadable).products == ("b",)


def test_an_unknown_company_is_taken_over_as_the_event_describes_it() -> None:
    assert change_of(tagged("m-1", "Toft"), 20, None) == CompanyChange(
        name="Toft",
        merchant_id="m-1",
        company_since=at(20),
        tags={"merchantId": "m-1"},
        tagged_at=at(20),
        first_heard_at=at(20),
    )


def test_what_is_known_already_changes_the_time_of_its_tags_alone() -> None:
    change = change_of(tagged("m-1", "Toft"), 20)
    assert change == CompanyChange(tagged_at=at(20))
    assert not change.is_news
    assert change_of(tagged("m-1", "Toft"), 10) == NO_CHANGE
    assert change_of(Company("company-1"), 20) is NO_CHANGE


def test_a_new_name_is_taken_over_and_a_missing_one_is_not() -> None:
    assert change_of(Company("company-1", "Toft & Sons"), 20) == CompanyChange(name="Toft & Sons")
    assert change_of(Company("company-1", "Toft & Sons"), 20).is_news


def test_newer_tags_with_another_merchant_replace_the_stored_one() -> None:
    assert change_of(tagged("m-2"), 20) == CompanyChange(
        merchant_id="m-2",
        previous_merchant_id="m-1",
        company_since=at(0),
        tags={"merchantId": "m-2"},
        tagged_at=at(20),
    )


def test_tags_of_the_same_time_count_as_newest() -> None:
    assert change_of(tagged("m-2"), 10).merchant_id == "m-2"


def test_older_tags_change_nothing() -> None:
    assert change_of(tagged("m-2"), 9) == NO_CHANGE


def test_older_tags_still_give_the_first_merchant() -> None:
    record = replace(KNOWN, merchant_id=None, tags={"region": "north"})
    change = change_of(tagged("m-2"), 9, record)
    assert (change.merchant_id, change.previous_merchant_id, change.tags) == ("m-2", None, {})


def test_tags_without_a_merchant_keep_the_stored_merchant() -> None:
    change = change_of(Company("company-1", tags={"region": "north"}), 20)
    assert (change.merchant_id, change.tags) == (None, {"region": "north"})


def test_a_clock_that_is_ahead_cannot_make_tags_newer_than_their_arrival() -> None:
    assert change_of(tagged("m-2"), 900, received=5) == NO_CHANGE
    assert change_of(tagged("m-2"), 900, received=20).tagged_at == at(20)


def test_a_step_of_the_journey_changes_no_tags() -> None:
    assert change_of(tagged("m-2"), 20, source=Source.JOURNEY) == NO_CHANGE


@pytest.mark.parametrize(
    ("source", "grace_from"),
    [(Source.CURRENT, at(20)), (Source.JOURNEY, datetime.fromisoformat("1970-01-01T00:00:00Z"))],
)
def test_the_grace_period_of_a_deletion_begins_with_the_message_unless_the_client_deleted_the_company(
    source: Source, grace_from: datetime
) -> None:
    company = Company("company-1")
    event = event_about(company, 20, kind=CompanyDeleted, source=source)
    assert company_change(event, company, KNOWN) == CompanyChange(
        deleted_at=at(20), deleted_by="e-20", grace_from=grace_from
    )


def test_a_second_deletion_changes_nothing() -> None:
    company = Company("company-1")
    event = event_about(company, 20, kind=CompanyDeleted)
    assert company_change(event, company, replace(KNOWN, deleted_at=at(15))) == NO_CHANGE


def test_merged_changes_keep_the_first_deletion_and_the_newest_of_the_rest() -> None:
    first = CompanyChange(
        "A", "m-2", "m-1", at(0), {"a": "1"}, at(10), at(11), "e-11", at(12), first_heard_at=at(1)
    )
    second = CompanyChange(
        "B", "m-3", "m-2", at(5), {"a": "2"}, at(20), at(21), "e-21", at(22), first_heard_at=at(2)
    )
    assert first.merged(second) == CompanyChange(
        "B", "m-3", "m-1", at(5), {"a": "2"}, at(20), at(11), "e-11", at(12), first_heard_at=at(1)
    )
    assert first.merged(NO_CHANGE) == first
    assert NO_CHANGE.merged(second) == second


def test_a_record_after_a_change_equals_the_change_where_it_says_something() -> None:
    change = change_of(tagged("m-2", "Toft & Sons"), 20)
    after = KNOWN.with_change(change)
    assert (after.name, after.merchant_id, after.tags) == ("Toft & Sons", "m-2", {"merchantId": "m-2"})
    assert (after.tagged_at, after.first_heard_at) == (at(20), at(0))
    assert KNOWN.with_change(NO_CHANGE) == KNOWN
    deletion = CompanyChange(deleted_at=at(30), deleted_by="e-30")
    assert NO_RECORD.with_change(deletion) == CompanyRecord(deleted_at=at(30), deleted_by="e-30")


@pytest.mark.parametrize(
    ("company", "expected"), [(tagged("m-1"), False), (tagged("m-2"), True), (Company("company-1"), False)]
)
def test_another_merchant_is_one_that_the_tags_give(company: Company, expected: bool) -> None:
    assert names_other_merchant(company, KNOWN.merchant_id) is expected


def test_an_event_is_given_the_merchant_of_its_company() -> None:
    event = event_about(tagged("m-0", region="north"), 20)
    company = with_merchant(event, KNOWN).company
    assert company is not None
    assert company.tags == {"merchantId": "m-1", "region": "north"}
    assert with_merchant(event, NO_RECORD) is event
    assert with_merchant(replace(event, company=None), KNOWN).company is None


def test_a_new_connection_takes_over_the_merchant_and_the_deletion_of_its_company() -> None:
    event = event_about(Company("company-1"), 50)
    record = replace(KNOWN, deleted_at=at(40), deleted_by="e-40")
    connection = new_connection("c-1", event, record)
    assert connection is not None
    assert (connection.company_id, connection.merchant_id) == ("company-1", "m-1")
    (deletion,) = connection.facts
    assert (deletion.kind, deletion.at, deletion.known_at, deletion.event_id) == (
        "deleted",
        at(40),
        at(50),
        "e-40",
    )
    assert new_connection("c-1", event, KNOWN) == Connection("c-1", "company-1", "m-1")
    assert new_connection("c-1", event, None) == Connection("c-1", "company-1")
    assert new_connection("c-1", replace(event, company=None), None) == Connection("c-1")


def test_a_message_without_an_action_introduces_no_connection() -> None:
    event = event_about(Company("company-1"), 50, kind=UnhandledEvent)
    assert new_connection("c-1", event, KNOWN) is None
    assert new_connection("c-1", deleted(50), KNOWN) is not None


def test_what_no_change_names_stays_and_what_one_names_is_taken_over() -> None:
    record = replace(KNOWN, deleted_at=at(5), deleted_by="e-5", products=("a",), products_at=at(1))
    assert record.with_change(NO_CHANGE) == record
    assert NO_RECORD.with_change(CompanyChange(first_heard_at=at(20))).first_heard_at == at(20)
    event = event_about(tagged("m-1"), 20)
    assert with_merchant(event, KNOWN) is event
    assert Company("company-1", tags={"merchantId": ""}).merchant_id is None


def test_a_question_introduces_no_connection_and_a_deletion_without_its_message_counts() -> None:
    assert new_connection("c", unanswered(10), None) is None
    connection = new_connection("c", deleted(20), replace(KNOWN, deleted_at=at(5)))
    assert connection is not None
    assert [(fact.at, fact.event_id) for fact in connection.facts] == [(at(5), "")]
