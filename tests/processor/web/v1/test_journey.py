"""The calls of the journey: sign-up, platforms, connections, links, progress, and the end of each."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from redis import Redis

from processor.container import for_web
from processor.settings.loading import load
from processor.simulator import SimulatorConfig, SimulatorServer
from processor.store import keys
from tests.support.applications import lent_app
from tests.support.journeying import CODAT_KEY, serving_journeys, working
from tests.support.serving import ENVIRON, kept

KEY = {"Authorization": "Bearer key-of-a-caller"}
PROBLEM = "application/problem+json"


@pytest.fixture
def codat() -> Any:
    with SimulatorServer(SimulatorConfig(api_key=CODAT_KEY, auto_sync=False)) as server:
        yield server


@pytest.fixture
def settings(redis_url: str, codat: SimulatorServer) -> Any:
    given = {"CODAT_API_KEY": CODAT_KEY, "CODAT_API_URL": codat.url, "API_KEYS": "key-of-a-caller"}
    given["RETURN_URL_ORIGINS"] = "https://lender.example"
    return load({**ENVIRON, **given, "REDIS_URL": redis_url})


@pytest.fixture
def call(settings: Any) -> Any:
    """Calls the API with a key, while workers work."""
    container = serving_journeys(settings)
    client = lent_app(container).test_client()

    def call(method: str, path: Any, body: Any = None, **more) -> Any:
        return client.open(path, method=method, json=body, headers=KEY, **more)

    with working(settings):
        yield call
    container.redis.close()
    container.codat.close()


@pytest.fixture
def company_id(call: Callable[..., Any]) -> Any:
    return call("POST", "/v1/companies", {"merchant_id": "m-1"}).json["company_id"]


@pytest.fixture
def linked(call: Callable[..., Any], codat: SimulatorServer, company_id: str) -> Any:
    """A connection that is authorised at Codat; we have not heard of it."""
    started = call("POST", f"/v1/companies/{company_id}/connections", {"platform_key": "gbol"}).json
    codat.simulation.change(started["connection_id"], "authorize", {})
    return started["connection_id"]


def refused(answer: Any, status: Any) -> Any:
    """The problem in an answer."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == PROBLEM
    assert answer.json["status"] == status
    return answer.json


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


def test_products_that_codat_refuses_are_named(call: Callable[..., Any]) -> None:
    """`products` was an unknown field; what Codat says of them was a 502 that named nothing."""
    answer = call("POST", "/v1/companies", {"merchant_id": "shop_7", "products": ["lending"]})
    problem = refused(answer, 422)
    assert problem["code"] == "products_refused"
    assert "lending" in problem["errors"]["products"][0]


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


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "merchant_id"),
        ({"merchant_id": ""}, "merchant_id"),
        ({"merchant_id": "   "}, "merchant_id"),
        ({"merchant_id": "x" * 101}, "merchant_id"),
        ({"merchant_id": 7}, "merchant_id"),
        ({"merchant_id": None}, "merchant_id"),
        ({"merchant_id": "\ud800"}, "merchant_id"),
        ({"merchant_id": "m", "tags": {f"t{number}": "x" for number in range(11)}}, "tags"),
        ({"merchant_id": "m", "tags": {f"t{number}": "x" for number in range(10)}}, "tags"),
        ({"merchant_id": "m", "tags": {"region": "x" * 101}}, "tags"),
        ({"merchant_id": "m", "tags": {"k" * 28: "x"}}, "tags"),
        ({"merchant_id": "m", "tags": {"region": 1}}, "tags"),
        ({"merchant_id": "m", "tags": ["region"]}, "tags"),
        ({"merchant_id": "m", "contact_email": "nobody"}, "contact_email"),
        ({"merchant_id": "m", "contact_email": ""}, "contact_email"),
        ({"merchant_id": "m", "contact_email": "a@b.co\nBcc: c@d.co"}, "contact_email"),
        ({"merchant_id": "m", "name": ""}, "name"),
        ({"merchant_id": "m", "merchant": "m"}, "merchant"),
    ],
)
def test_bad_input_is_refused_with_the_field_named(
    call: Callable[..., Any], codat: SimulatorServer, body: Any, field: str
) -> None:
    assert list(refused(call("POST", "/v1/companies", body), 422)["errors"]) == [field]
    assert codat.simulation.world.companies() == []


@pytest.mark.parametrize(
    "data", [b"{", b"nonsense", b"\xff\xfe", b"[" * 50_000, b'{"merchant_id": NaN}', b"9" * 5_000]
)
def test_what_is_no_json_is_refused(call: Callable[..., Any], data: bytes) -> None:
    assert refused(call("POST", "/v1/companies", data=data, content_type="application/json"), 422)["errors"]


@pytest.mark.parametrize("data", [b"[]", b'"m"', b"null", b"3", b""])
def test_json_that_is_no_object_is_refused(call: Callable[..., Any], data: bytes) -> None:
    assert refused(call("POST", "/v1/companies", data=data, content_type="application/json"), 422)["errors"]


def test_a_huge_body_is_refused_unread(call: Callable[..., Any]) -> None:
    answer = call("POST", "/v1/companies", {"merchant_id": "m", "name": "x" * 70_000})
    refused(answer, 413)


def test_the_content_type_is_not_looked_at(call: Callable[..., Any]) -> None:
    """As curl sends it with ``-d`` alone."""
    form = "application/x-www-form-urlencoded"
    assert call("POST", "/v1/companies", data=b'{"merchant_id": "m-1"}', content_type=form).status_code == 201


def test_platforms_are_listed_filtered_and_paged(call: Callable[..., Any]) -> None:
    call("GET", "/v1/integrations")  # the pictures come after the first view
    everything = call("GET", "/v1/integrations?limit=200").json
    assert everything["next_cursor"] is None
    first = call("GET", "/v1/integrations?limit=5").json
    rest = call("GET", "/v1/integrations", query_string={"limit": 200, "cursor": first["next_cursor"]}).json
    assert first["items"] + rest["items"] == everything["items"]
    (xero,) = call("GET", "/v1/integrations?source_type=accounting&search=xer").json["items"]
    assert (xero["id"], xero["key"], xero["name"], xero["source_type"]) == (
        "gbol",
        "gbol",
        "Xero",
        "Accounting",
    )
    assert xero["logo_url"]
    assert call("GET", "/v1/integrations?search=nothing-like-it").json == {"items": [], "next_cursor": None}
    for query, field in (("source_type=shoes", "source_type"), ("cursor=x", "cursor"), ("limit=0", "limit")):
        assert list(refused(call("GET", f"/v1/integrations?{query}"), 422)["errors"]) == [field]


def test_a_platform_is_chosen_and_its_link_carries_what_was_asked_for(
    call: Callable[..., Any], company_id: str
) -> None:
    path = f"/v1/companies/{company_id}/connections"
    answer = call("POST", path, {"platform_key": "gbol", "parameters": {"ref": "a b"}})
    assert answer.status_code == 201
    assert parse_qs(urlsplit(answer.json["link_url"]).query)["ref"] == ["a b"]
    assert (answer.json["status"], answer.json["platform_name"]) == ("PendingAuth", "Xero")
    connection_id = answer.json["connection_id"]
    assert call("GET", f"/v1/connections/{connection_id}").json["state"] == "pending"
    again = call("POST", path, {"platform_key": "gbol"})
    assert (again.status_code, again.json["connection_id"]) == (200, connection_id)
    assert list(refused(call("POST", path, {"platform_key": "nope"}), 422)["errors"]) == ["platform_key"]
    assert list(refused(call("POST", path, {}), 422)["errors"]) == ["platform_key"]


def test_a_second_active_accounting_connection_is_a_conflict_that_names_the_first(
    call: Callable[..., Any], company_id: str, linked: str
) -> None:
    problem = refused(call("POST", f"/v1/companies/{company_id}/connections", {"platform_key": "qhyg"}), 409)
    assert problem["connection_id"] == linked
    assert "Xero" in problem["detail"]
    other = call("POST", f"/v1/companies/{company_id}/connections", {"platform_key": "strp"})
    assert other.status_code == 201


def test_a_connection_is_linked_again_disconnected_and_deleted(
    call: Callable[..., Any], codat: SimulatorServer, company_id: str, linked: str
) -> None:
    first = call("POST", f"/v1/connections/{linked}/link", {"parameters": {"ref": "1"}}).json
    second = call("POST", f"/v1/connections/{linked}/link").json
    assert first["link_url"].endswith("&ref=1")
    assert second["link_url"] != first["link_url"]
    assert second["status"] == "Linked"

    unlinked = call("POST", f"/v1/connections/{linked}/unlink")
    assert unlinked.status_code == 200
    assert (unlinked.json["status"], unlinked.json["company_id"]) == ("Unlinked", company_id)
    assert call("GET", f"/v1/connections/{linked}").json["state"] == "unlinked"
    assert call("GET", f"/v1/events/{unlinked.json['event_id']}").json["source"] == "journey"
    refused(call("POST", f"/v1/connections/{linked}/unlink"), 409)

    deleted = call("DELETE", f"/v1/connections/{linked}")
    assert (deleted.status_code, deleted.data) == (204, b"")
    assert call("GET", f"/v1/connections/{linked}").json["state"] == "deleted"
    refused(call("DELETE", f"/v1/connections/{linked}"), 404)
    assert codat.simulation.world.companies()[0].present == []


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


def test_progress_is_told_per_connection_and_data_type(
    call: Callable[..., Any], company_id: str, linked: str
) -> None:
    path = f"/v1/companies/{company_id}/sync"
    idle = call("GET", path).json
    assert (idle["status"], idle["progress"], idle["id"]) == ("idle", 0, company_id)
    assert idle["connections"][0]["id"] == linked
    refused(call("GET", "/v1/companies/nobody/sync"), 404)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"status": 401}, 502),
        ({"status": 402}, 502),
        ({"status": 403}, 502),
        ({"status": 404}, 404),
        ({"status": 409}, 409),
        ({"status": 429, "retry_after_s": 7}, 503),
        ({"status": 500, "count": 9}, 503),
        ({"status": 503, "count": 9}, 503),
        ({"broken_json": True}, 502),
    ],
)
def test_each_error_of_codats_becomes_one_clear_problem(
    call: Callable[..., Any], codat: SimulatorServer, linked: str, fault: Any, status: int
) -> None:
    codat.simulation.faults.plan({"method": "GET", "path": f"/connections/{linked}", **fault})
    answer = call("POST", f"/v1/connections/{linked}/link")
    problem = refused(answer, status)
    assert problem["detail"].endswith(".") or ":" in problem["detail"]
    if "broken_json" not in fault:
        assert problem["correlation_id"]
    if fault.get("status") == 429:
        assert answer.headers["Retry-After"] == "7"
    if status == 503:
        assert int(answer.headers["Retry-After"]) > 0
    codat.simulation.faults.clear()


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"broken_json": True}])
def test_a_change_is_never_sent_twice(
    call: Callable[..., Any], codat: SimulatorServer, linked: str, fault: Any
) -> None:
    codat.simulation.faults.plan({"method": "PATCH", **fault})
    refused(call("POST", f"/v1/connections/{linked}/unlink"), 503)
    assert codat.simulation.faults.as_json()["faults"] == []
    with codat.simulation.lock:
        status = codat.simulation.world.find_connection(linked).status.value
    assert status == ("Unlinked" if "broken_json" in fault else "Linked")


def test_a_key_is_asked_for_first(settings: Any) -> None:
    client = lent_app(kept(for_web(settings))).test_client()
    for method, path in (
        ("POST", "/v1/companies"),
        ("DELETE", "/v1/companies/c"),
        ("GET", "/v1/integrations"),
        ("POST", "/v1/connections/c/unlink"),
    ):
        refused(client.open(path, method=method, data=b"{"), 401)


def test_without_an_api_key_of_codats_the_calls_say_so(redis_url: str) -> None:
    given = load({**ENVIRON, "REDIS_URL": redis_url, "API_KEYS": "key-of-a-caller"})
    client = lent_app(kept(for_web(given))).test_client()
    problem = refused(client.post("/v1/companies", json={"merchant_id": "m"}, headers=KEY), 503)
    assert problem["detail"] == "CODAT_API_KEY is not set."
    refused(client.get("/v1/integrations", headers=KEY), 503)


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
