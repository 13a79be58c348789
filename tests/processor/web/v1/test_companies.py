"""Companies and their connections."""

from datetime import timedelta

from processor.clock import to_iso
from tests.processor.web.v1.conftest import Call, Get
from tests.processor.web.v1.filling import START, Filling


def test_a_company_is_what_messages_say_of_it(filling: Filling, get: Get) -> None:
    filling.make_ready()
    company = {
        "id": "c1",
        "company_id": "c1",
        "merchant_id": "m-c1",
        "name": "Toft störes",
        "given_name": None,
        "tags": {"merchantId": "m-c1", "region": "uk"},
        "language": None,
        "reminders_off_at": None,
        "first_heard_at": to_iso(START + timedelta(minutes=1)),
        "deleted_at": None,
    }
    assert get("/v1/companies/c1") == company
    assert get("/v1/companies", merchant_id="m-c1") == {"items": [company], "next_cursor": None}
    assert get("/v1/companies", merchant_id="nobody") == {"items": [], "next_cursor": None}


def test_a_deleted_company_says_since_when(filling: Filling, get: Get) -> None:
    filling.make_ready()
    filling.tell("company.deleted")
    filling.drain()
    assert get("/v1/companies/c1")["deleted_at"] == to_iso(filling.now)
    assert get("/v1/companies/c1/connections", state="deleted")["items"][0]["id"] == "xero"


def test_companies_are_paged_newest_first(filling: Filling, get: Get) -> None:
    for number in range(3):
        filling.tell("connection.created", f"n{number}", company=f"c{number}")
    filling.drain()
    first = get("/v1/companies", limit=2)
    assert [company["id"] for company in first["items"]] == ["c2", "c1"]
    second = get("/v1/companies", limit=2, cursor=first["next_cursor"])
    assert [company["id"] for company in second["items"]] == ["c0"]
    assert second["next_cursor"] is None


def test_there_is_no_second_page_of_one_merchant(filling: Filling, call: Call) -> None:
    filling.make_ready()
    assert call("/v1/companies", merchant_id="m-c1", cursor="x").status_code == 422


def test_the_connections_of_a_company_are_its_own(filling: Filling, get: Get) -> None:
    filling.tell("connection.created", "xero", company="c1")
    filling.tell("connection.created", "stripe", company="c2")
    filling.drain()
    page = get("/v1/companies/c1/connections")
    assert page == get("/v1/connections", company_id="c1")
    assert [item["id"] for item in page["items"]] == ["xero"]


def test_a_company_without_connections_has_an_empty_list(filling: Filling, get: Get) -> None:
    filling.tell("company.created")
    filling.drain()
    assert get("/v1/companies/c1/connections") == {"items": [], "next_cursor": None}
