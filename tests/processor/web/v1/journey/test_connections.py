"""Platforms, links, progress, and the end of a connection."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from processor.simulator import SimulatorServer
from tests.processor.web.v1.journey.calling import refused


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


def test_progress_is_told_per_connection_and_data_type(
    call: Callable[..., Any], company_id: str, linked: str
) -> None:
    path = f"/v1/companies/{company_id}/sync"
    idle = call("GET", path).json
    assert (idle["status"], idle["progress"], idle["id"]) == ("idle", 0, company_id)
    assert idle["connections"][0]["id"] == linked
    refused(call("GET", "/v1/companies/nobody/sync"), 404)
