"""Bad parameters are 422 with the field named; unknown things are 404."""

import base64
import json

import pytest

from tests.processor.web.v1.conftest import Call
from tests.processor.web.v1.filling import Filling

LISTS = ["/v1/connections", "/v1/companies", "/v1/events", "/v1/notifications"]


def a_cursor(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


NO_CURSORS = [
    "",
    "x",
    "%%%",
    "ü",
    "\x00",
    a_cursor("text"),
    a_cursor([1]),
    a_cursor([None, "x"]),
    a_cursor(["1", "x"]),
    a_cursor([float("nan"), "x"]),
    a_cursor([float("inf"), "x"]),
    a_cursor([10**400, "x"]),
    base64.urlsafe_b64encode(b"[" * 1500).decode(),
    "a" * 5000,
]


@pytest.mark.parametrize("path", LISTS)
def test_a_wrong_limit_is_422_and_named(call: Call, path: str) -> None:
    for limit in ("0", "201", "-1", "", "x", "1.5", "1_0", "٣", "9" * 400):
        answer = call(path, limit=limit)
        assert answer.status_code == 422, limit
        assert answer.mimetype == "application/problem+json"
        assert answer.json
        assert list(answer.json["errors"]) == ["limit"]


@pytest.mark.parametrize("path", LISTS)
def test_a_wrong_cursor_is_422_and_named(call: Call, path: str) -> None:
    for cursor in NO_CURSORS:
        answer = call(path, cursor=cursor)
        assert answer.status_code == 422, cursor
        assert answer.json
        assert list(answer.json["errors"]) == ["cursor"]


@pytest.mark.parametrize("query", [{"merchant_id": "nobody"}, {"company_id": "nothing"}])
def test_a_wrong_cursor_is_named_even_where_the_list_is_empty(call: Call, query: dict[str, str]) -> None:
    assert call("/v1/connections", cursor="x", **query).status_code == 422
    assert call("/v1/notifications", cursor="x", status="dead").status_code == 422


@pytest.mark.parametrize("cursor", ["", "x", "1-", "-1", "1-x", "²-1", f"{2**64}-0", "1-" + "9" * 30])
def test_a_wrong_cursor_of_a_timeline_is_422_and_named(filling: Filling, call: Call, cursor: str) -> None:
    filling.tell("connection.created")
    filling.drain()
    answer = call("/v1/connections/xero/timeline", cursor=cursor)
    assert answer.status_code == 422
    assert answer.json
    assert list(answer.json["errors"]) == ["cursor"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/connections", "state"),
        ("/v1/companies/c1/connections", "state"),
        ("/v1/events", "status"),
        ("/v1/notifications", "status"),
    ],
)
@pytest.mark.parametrize("value", ["", "nonsense", "READY", "ready,pending"])
def test_a_word_that_is_none_of_the_few_is_422_and_named(
    call: Call, path: str, field: str, value: str
) -> None:
    answer = call(path, **{field: value})
    assert answer.status_code == 422
    assert answer.json
    assert list(answer.json["errors"]) == [field]


@pytest.mark.parametrize(
    "path", [*LISTS, "/v1/stats", "/v1/connections/xero", "/v1/connections/xero/timeline"]
)
def test_a_parameter_that_does_not_exist_is_422_and_named(call: Call, path: str) -> None:
    """A misspelt filter would otherwise show everything."""
    answer = call(path, stat="ready")
    assert answer.status_code == 422
    assert answer.json
    assert list(answer.json["errors"]) == ["stat"]


def test_all_wrong_parameters_are_named_at_once(call: Call) -> None:
    answer = call("/v1/connections", limit="x", state="y", merchant_id="")
    assert answer.json
    assert sorted(answer.json["errors"]) == ["limit", "merchant_id", "state"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/connections/none",
        "/v1/connections/none/timeline",
        "/v1/companies/none",
        "/v1/companies/none/connections",
        "/v1/events/none",
        "/v1/notifications/none",
        "/v1/nothing",
        "/v1",
        "/v1/connections/%00",
        "/v1/events/%ff",
    ],
)
def test_what_nobody_knows_is_404(call: Call, path: str) -> None:
    answer = call(path)
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


def test_a_method_that_a_call_does_not_have_is_405(call: Call) -> None:
    answer = call("/v1/connections", "DELETE")
    assert answer.status_code == 405
    assert answer.mimetype == "application/problem+json"
    assert "GET" in answer.headers["Allow"]


def test_redis_being_away_is_503(redis_url: str) -> None:
    del redis_url
    filling = Filling("redis://127.0.0.1:1/0")
    headers = {"Authorization": "Bearer key-of-a-caller"}
    for path in (*LISTS, "/v1/stats", "/v1/connections/x"):
        answer = filling.app.test_client().get(path, headers=headers)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert answer.mimetype == "application/problem+json"
