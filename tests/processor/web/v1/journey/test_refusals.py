"""What is refused: bad input, a missing key, and what Codat does not do."""

from collections.abc import Callable
from typing import Any

import pytest

from processor.container import for_web
from processor.settings.loading import load
from processor.simulator import SimulatorServer
from tests.processor.web.v1.journey.calling import KEY, refused
from tests.support.applications import lent_app
from tests.support.serving import ENVIRON, kept


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
