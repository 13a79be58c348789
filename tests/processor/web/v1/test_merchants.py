"""``?merchant_id=``: all companies that have the id, and their connections, also when it had several."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.processor.web.v1.conftest import Call, Get
from tests.processor.web.v1.filling import Filling


def tell(filling: Filling, event_type: str, connection: str, company: str, merchant: str) -> None:
    """A message about a company with this tag."""
    reference = {"id": company, "name": "Toft", "tags": {"merchantId": merchant}}
    filling.tell(event_type, connection, company=company, referenceCompany=reference)


def ids(page: Mapping[str, Any]) -> list[str]:
    """The ids of a page."""
    return [item["id"] for item in page["items"]]


def test_after_a_deletion_the_new_company_is_found_too(filling: Filling, get: Get) -> None:
    tell(filling, "connection.connected", "old", "c1", "m")
    tell(filling, "company.deleted", "old", "c1", "m")
    tell(filling, "connection.connected", "new", "c2", "m")
    filling.drain()

    companies = get("/v1/companies", merchant_id="m")["items"]
    assert [(item["id"], item["deleted_at"] is None) for item in companies] == [("c2", True), ("c1", False)]
    assert ids(get("/v1/connections", merchant_id="m")) == ["new", "old"]
    assert ids(get("/v1/connections", merchant_id="m", state="authorized")) == ["new"]
    assert ids(get("/v1/connections", merchant_id="m", company_id="c1")) == ["old"]


def test_a_changed_tag_changes_under_which_id_company_and_connections_are_found(
    filling: Filling, get: Get
) -> None:
    tell(filling, "connection.connected", "xero", "c1", "before")
    tell(filling, "connection.connected", "stripe", "c1", "after")
    filling.drain()

    assert ids(get("/v1/companies", merchant_id="after")) == ["c1"]
    assert get("/v1/companies/c1")["merchant_id"] == "after"
    connections = get("/v1/connections", merchant_id="after")["items"]
    assert [(item["id"], item["merchant_id"]) for item in connections] == [
        ("stripe", "after"),
        ("xero", "after"),
    ]
    assert ids(get("/v1/companies", merchant_id="before")) == []
    assert ids(get("/v1/connections", merchant_id="before")) == []


@pytest.mark.parametrize("path", ["/v1/companies", "/v1/connections"])
def test_both_lists_are_paged_over_all_companies(filling: Filling, get: Get, path: str) -> None:
    for number in range(7):
        tell(filling, "connection.connected", f"k{number}", f"c{number}", "m")
    tell(filling, "connection.connected", "k9", "c9", "another")
    filling.drain()

    seen: list[str] = []
    sizes: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = get(path, merchant_id="m", limit=3, **cursor)
        seen += ids(page)
        sizes.append(len(page["items"]))
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    letter = "c" if path.endswith("companies") else "k"
    assert seen == [f"{letter}{number}" for number in reversed(range(7))]
    assert sizes == [3, 3, 1]


def test_a_cursor_belongs_to_its_list(filling: Filling, get: Get, call: Call) -> None:
    for number in range(3):
        tell(filling, "connection.connected", f"k{number}", f"c{number}", "m")
    filling.drain()
    cursor = get("/v1/connections", merchant_id="m", limit=1)["next_cursor"]

    for path, merchant in (("/v1/connections", "another"), ("/v1/companies", "m")):
        assert call(path, merchant_id=merchant, cursor=cursor).status_code == 422
    for path in ("/v1/connections", "/v1/companies"):
        assert call(path, merchant_id="nobody", cursor="x").status_code == 422
