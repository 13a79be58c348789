"""Sign-up, change and end of a company, and the way back to the caller's site."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from processor.simulator import SimulatorServer
from processor.store import keys
from tests.processor.web.v1.journey.calling import refused


def test_a_company_signs_up_once(call: Callable[..., Any], codat: SimulatorServer) -> None:
    """The name as the merchant gave it was kept and readable nowhere: `name` is what Codat makes of it."""
    body = {
        "merchant_id": "shop_7",
        "name": "Zoë's",
        "contact_email": "zoe@shop.example",
        "tags": {"region": "uk"},
        "language": "fr-CA",
    }
    first = call("POST", "/v1/companies", body)
    assert first.status_code == 201
    assert first.json == {
        "company_id": first.json["company_id"],
        "id": first.json["company_id"],
        "merchant_id": "shop_7",
        "name": "Zoe's",
        "given_name": "Zoë's",
        "contact_email": "zoe@shop.example",
        "connect_url": first.json["connect_url"],
        "return_url": None,
        "state": None,
        "brand": None,
        "asked_for": [],
        "platforms": {"shown": None, "hidden": None, "recommended": None},
        "group": None,
        "language": "fr",
        "time_zone": None,
    }
    assert re.fullmatch(r"http://localhost/connect/[\w.-]+", first.json["connect_url"])
    again = call("POST", "/v1/companies", {"merchant_id": "shop_7"})
    assert again.status_code == 200
    assert again.json["company_id"] == first.json["company_id"]
    (company,) = codat.simulation.world.companies()
    assert company.tags == {"region": "uk", "merchantId": "shop_7"}
    shown = call("GET", f"/v1/companies/{company.id}").json
    assert (shown["merchant_id"], shown["tags"]) == ("shop_7", company.tags)
    assert (shown["name"], shown["given_name"]) == ("Zoe's", "Zoë's")
    assert call("GET", "/v1/companies?merchant_id=shop_7").json["items"] == [shown]


def test_a_sign_up_mends_what_is_damaged_of_a_company(
    call: Callable[..., Any], company_id: str, redis_url: str
) -> None:
    """A time that could not be read was a 500."""
    with Redis.from_url(redis_url) as client:
        client.hset(keys.company(company_id), mapping={"first_heard": "garbage", "tags": "{"})
    assert call("GET", f"/v1/companies/{company_id}").status_code == 404
    again = call("POST", "/v1/companies", {"merchant_id": "m-1"})
    assert (again.status_code, again.json["id"]) == (200, company_id)
    assert call("GET", f"/v1/companies/{company_id}").json["first_heard_at"]


def test_products_that_codat_refuses_are_named(call: Callable[..., Any]) -> None:
    """`products` was an unknown field; what Codat says of them was a 502 that named nothing."""
    answer = call("POST", "/v1/companies", {"merchant_id": "shop_7", "products": ["lending"]})
    problem = refused(answer, 422)
    assert problem["code"] == "products_refused"
    assert "lending" in problem["errors"]["products"][0]


def test_callers_say_where_their_users_want_back_to(call: Callable[..., Any], company_id: str) -> None:
    way_back = {"return_url": "HTTPS://lender.example/x", "state": "s"}
    again = call("POST", "/v1/companies", {"merchant_id": "m-1", **way_back})
    assert (again.json["return_url"], again.json["state"]) == ("https://lender.example/x", "s")
    journey = call("GET", f"/v1/companies/{company_id}/journey").json
    assert (journey["outcome"], journey["connection_id"], journey["state"]) == ("left", None, "s")
    assert journey["return_url"] == f"https://lender.example/x?company_id={company_id}&outcome=left&state=s"
    connections = f"/v1/companies/{company_id}/connections"
    own = {"platform_key": "gbol", "return_url": "https://lender.example/y"}
    started = call("POST", connections, own).json["connection_id"]
    journey = call("GET", f"/v1/companies/{company_id}/journey").json
    assert journey["return_url"].startswith("https://lender.example/y?")
    assert (journey["connection_id"], journey["connections"][0]["outcome"]) == (started, "left")
    call("POST", f"/v1/connections/{started}/link")
    journey = call("GET", f"/v1/companies/{company_id}/journey").json
    assert journey["return_url"].startswith("https://lender.example/x?")
    refused(call("GET", "/v1/companies/nobody/journey"), 404)


@pytest.mark.parametrize(
    "path", ["/v1/companies", "/v1/companies/{c}/connections", "/v1/connections/{x}/link"]
)
def test_an_origin_that_is_not_on_the_list_is_named(
    call: Callable[..., Any], company_id: str, linked: str, path: str
) -> None:
    body = {
        "/v1/companies": {"merchant_id": "m-1"},
        "/v1/companies/{c}/connections": {"platform_key": "gbol"},
    }
    wish = {**body.get(path, {}), "return_url": "https://evil.example/"}
    problem = refused(call("POST", path.format(c=company_id, x=linked), wish), 422)
    assert problem["errors"] == {"return_url": ["https://evil.example is not in RETURN_URL_ORIGINS."]}


def test_what_is_asked_for_is_said_at_sign_up_and_changed_later(call: Callable[..., Any]) -> None:
    asked = [{"source_type": "accounting"}, {"source_type": "banking", "need": "optional"}]
    company = call("POST", "/v1/companies", {"merchant_id": "m-2", "asked_for": asked}).json
    assert company["asked_for"] == [
        {"source_type": "Accounting", "need": "required"},
        {"source_type": "Banking", "need": "optional"},
    ]
    address = f"/v1/companies/{company['company_id']}"
    journey = call("GET", f"{address}/journey").json
    assert (journey["missing"], journey["steps_done"], journey["steps"]) == (["Accounting"], 0, 2)
    offered = call("GET", f"/v1/integrations?company_id={company['company_id']}").json["items"]
    assert {row["source_type"] for row in offered} == {"Accounting", "Banking", "Other"}
    change = {
        "platforms": {"shown": ["gbol", "pldx"], "recommended": ["pldx"]},
        "name": "Shop",
        "brand": None,
    }
    changed = call("PATCH", address, change)
    assert (changed.status_code, changed.json["given_name"]) == (200, "Shop")
    assert changed.json["platforms"] == {
        "shown": ["gbol", "pldx"],
        "hidden": None,
        "recommended": ["pldx"],
    }
    offered = call("GET", f"/v1/integrations?company_id={company['company_id']}").json["items"]
    assert [(row["key"], row["is_recommended"]) for row in offered] == [("gbol", False), ("pldx", True)]
    assert call("PATCH", address, {"asked_for": None, "platforms": None}).json["asked_for"] == []
    assert len(call("GET", f"/v1/integrations?company_id={company['company_id']}").json["items"]) > 10


def test_a_wrong_change_of_a_company_names_the_field(call: Callable[..., Any], company_id: str) -> None:
    changes: list[tuple[str, Any]] = [
        ("asked_for", [{"source_type": "shoes"}]),
        ("asked_for", [{"source_type": "banking", "need": "perhaps"}]),
        ("asked_for", [{"source_type": "banking"}, {"source_type": "BANKING"}]),
        ("platforms", {"preferred": []}),
        ("platforms", {"shown": ["x" * 51]}),
        ("merchant_id", "m-3"),
        ("brand", "nobody"),
        ("name", ""),
    ]
    for field, value in changes:
        problem = refused(call("PATCH", f"/v1/companies/{company_id}", {field: value}), 422)
        assert list(problem["errors"]) == [field], (field, value)


def test_a_missing_platform_is_noted_once(call: Callable[..., Any], company_id: str) -> None:
    address = f"/v1/companies/{company_id}/platform-requests"
    first = call("POST", address, {"name": "Ledgers", "note": "since 2019"})
    assert (first.status_code, first.json["name"]) == (201, "Ledgers")
    again = call("POST", address, {"name": "ledgers"})
    assert (again.status_code, again.json) == (200, first.json)
    assert call("GET", address).json == {"items": [first.json], "next_cursor": None}
    told = call("GET", "/v1/notifications?type=journey.platform_requested").json["items"]
    assert [row["data"]["request_id"] for row in told] == [first.json["id"]]
    assert list(refused(call("POST", address, {"name": ""}), 422)["errors"]) == ["name"]
    refused(call("POST", "/v1/companies/nobody/platform-requests", {"name": "Ledgers"}), 404)


def test_a_company_is_deleted_with_all_that_it_has(
    call: Callable[..., Any], codat: SimulatorServer, company_id: str, linked: str
) -> None:
    assert call("DELETE", f"/v1/companies/{company_id}").status_code == 204
    assert codat.simulation.world.companies() == []
    assert call("GET", f"/v1/companies/{company_id}").json["deleted_at"]
    assert call("GET", f"/v1/connections/{linked}").json["state"] == "deleted"
    again = call("DELETE", f"/v1/companies/{company_id}")
    assert (again.status_code, again.data) == (204, b"")  # deleted is what it is, as GET shows
    assert call("POST", "/v1/companies", {"merchant_id": "m-1"}).status_code == 201
