"""Connections, their progress and their timelines."""

from datetime import timedelta

import pytest

from handlers.registry import Policy
from handlers.state import situation
from processor.clock import to_iso
from tests.processor.web.v1.conftest import Get
from tests.processor.web.v1.filling import CANCELLED, START, Filling


def at(minutes: int) -> str:
    return to_iso(START + timedelta(minutes=minutes))


def test_a_connection_is_shown_whole(filling: Filling, get: Get) -> None:
    filling.make_ready()
    told = get("/v1/notifications")["items"]
    assert get("/v1/connections/xero") == {
        "id": "xero",
        "connection_id": "xero",
        "company_id": "c1",
        "merchant_id": "m-c1",
        "platform_key": "gbol",
        "platform_name": "Xero",
        "source_type": "Accounting",
        "integration_id": "8a156a5a-39cb-4f9d-856e-76ef9b9a9607",
        "account_name": None,
        "previous_account_name": None,
        "state": "ready",
        "link_status": "Linked",
        "authorization": 1,
        "authorized_at": at(2),
        "first_heard_at": at(1),
        "progress": 100,
        "data_types": [
            {
                "data_type": "bills",
                "status": "FetchError",
                "progress": 100,
                "at": at(3),
                "message": None,
                "paused_until": None,
                "current": True,
            },
            {
                "data_type": "invoices",
                "status": "Complete",
                "progress": 100,
                "at": at(3),
                "message": None,
                "paused_until": None,
                "current": True,
            },
        ],
        "on_premise": False,
        "waits_for_computer": False,
        "paused_until": None,
        "first_sync_missing": False,
        "end_expected": False,
        "error": None,
        "open": {"checks": [], "claims": 0},
        "notifications_told": [
            {"id": told[1]["id"], "type": "connection.authorized", "at": at(2)},
            {"id": told[0]["id"], "type": "initial_sync.completed", "at": at(3)},
        ],
    }


def test_every_state_is_the_one_of_its_situation_and_its_filter(filling: Filling, get: Get) -> None:
    filling.tell("connection.created", "pending")
    filling.tell("connection.failed", "authorization_failed")
    filling.tell("connection.connected", "authorized")
    filling.tell("connection.connected", "syncing")
    filling.read("syncing", initial=False, bills="Fetching")
    filling.make_ready("ready")
    filling.tell("connection.connected", "sync_failed")
    filling.read("sync_failed", bills="FetchError")
    filling.tell("connection.disconnected", "deauthorized", said={"status": "Deauthorized"})
    filling.tell("connection.disconnected", "unlinked", said={"status": "Unlinked"})
    filling.tell("connection.deleted", "deleted")
    filling.drain()
    everything = get("/v1/connections")["items"]
    assert len(everything) == 9
    for item in everything:
        assert item["state"] == item["id"]
        stored = filling.container.reader.connection(item["id"])
        assert stored
        assert situation(stored.connection).state == stored.state == item["state"]
        assert get("/v1/connections", state=item["state"])["items"] == [item]
        assert get(f"/v1/connections/{item['id']}") == item
    assert [item["link_status"] for item in everything if item["id"] == "deleted"] == [None]


def test_progress_counts_the_data_types_of_the_current_authorisation(filling: Filling, get: Get) -> None:
    filling.make_ready()
    filling.tell("connection.disconnected", said={"status": "Deauthorized"})
    filling.tell("connection.reconnected")
    filling.drain()
    shown = get("/v1/connections/xero")
    assert (shown["state"], shown["authorization"], shown["progress"]) == ("authorized", 2, 0)
    assert [kind["current"] for kind in shown["data_types"]] == [False, False]
    filling.read(initial=False, invoices="Complete", bills="Fetching")
    filling.drain()
    shown = get("/v1/connections/xero")
    assert (shown["state"], shown["progress"]) == ("syncing", 50)
    assert [kind["current"] for kind in shown["data_types"]] == [True, True]


def test_the_error_is_that_of_the_newest_failure_or_end(filling: Filling, get: Get) -> None:
    cancelled = {"status_code": "403", "status_text": "User cancelled linking", "message": "User cancelled"}
    filling.tell("connection.failed", said={"dataConnectionErrors": [CANCELLED]})
    filling.drain()
    assert get("/v1/connections/xero")["error"] == cancelled
    filling.tell("connection.connected")
    filling.drain()
    assert get("/v1/connections/xero")["error"] is None
    revoked = {
        **CANCELLED,
        "statusCode": "401",
        "statusText": "Revoked",
        "errorMessage": "Access was revoked",
    }
    filling.tell(
        "connection.disconnected", said={"status": "Deauthorized", "dataConnectionErrors": [revoked]}
    )
    filling.drain()
    assert get("/v1/connections/xero")["error"]["status_code"] == "401"


def test_what_waits_for_codats_word_is_shown(filling: Filling, get: Get) -> None:
    filling.make_ready()
    filling.policy = Policy(can_ask=True)
    filling.tell("connection.disconnected", said={"status": "Deauthorized"})
    filling.drain()
    assert get("/v1/connections/xero")["open"] == {
        "checks": [{"kind": "connection.deauthorized", "at": at(4), "since": at(4)}],
        "claims": 0,
    }


def test_filters_are_combined(filling: Filling, get: Get) -> None:
    filling.make_ready("xero", company="c1")
    filling.tell("connection.created", "stripe", company="c1")
    filling.tell("connection.created", "other", company="c2")
    filling.drain()

    def ids(**query: str) -> list[str]:
        return [item["id"] for item in get("/v1/connections", **query)["items"]]

    assert ids() == ["other", "stripe", "xero"]
    assert ids(company_id="c1") == ids(merchant_id="m-c1") == ["stripe", "xero"]
    assert ids(company_id="c1", state="ready") == ids(merchant_id="m-c1", state="ready") == ["xero"]
    assert ids(company_id="c1", merchant_id="m-c1", state="pending") == ["stripe"]
    assert ids(company_id="c1", merchant_id="m-c2") == []
    assert ids(merchant_id="nobody") == ids(company_id="nothing") == []


@pytest.mark.parametrize("query", [{}, {"state": "pending"}, {"company_id": "c1"}, {"merchant_id": "m-c1"}])
def test_pages_show_each_connection_once(filling: Filling, get: Get, query: dict[str, str]) -> None:
    for number in range(7):
        filling.tell("connection.created", f"n{number}")
    filling.drain()
    seen: list[str] = []
    cursor: dict[str, str] = {}
    sizes = []
    while True:
        page = get("/v1/connections", limit=3, **query, **cursor)
        seen += [item["id"] for item in page["items"]]
        sizes.append(len(page["items"]))
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [f"n{number}" for number in reversed(range(7))]
    assert sizes == [3, 3, 1]


def test_a_page_that_is_exactly_full_is_the_last(filling: Filling, get: Get) -> None:
    for number in range(3):
        filling.tell("connection.created", f"n{number}")
    filling.drain()
    assert get("/v1/connections", limit=3)["next_cursor"] is None


def test_an_empty_list_is_a_page_too(get: Get) -> None:
    assert get("/v1/connections") == {"items": [], "next_cursor": None}


def test_the_timeline_tells_newest_first_what_each_message_did(filling: Filling, get: Get) -> None:
    filling.make_ready()
    entries = get("/v1/connections/xero/timeline")["items"]
    assert [entry["event_id"] for entry in entries] == ["msg_3", "msg_2", "msg_1"]
    newest = entries[0]
    assert newest.pop("id")
    decision = newest["decisions"][0]
    assert decision.pop("notification_id").startswith("ntf_")
    assert decision.pop("reason")
    assert newest.pop("reason")
    assert newest == {
        "at": at(3),
        "known_at": at(3),
        "handled_at": at(3),
        "event_id": "msg_3",
        "event_type": "read.completed.initial",
        "source": "current",
        "from": "authorized",
        "to": "ready",
        "outcome": "applied",
        "decisions": [{"type": "initial_sync.completed", "verdict": "told"}],
    }


def test_the_timeline_is_paged(filling: Filling, get: Get) -> None:
    filling.make_ready()
    first = get("/v1/connections/xero/timeline", limit=2)
    assert [entry["event_id"] for entry in first["items"]] == ["msg_3", "msg_2"]
    second = get("/v1/connections/xero/timeline", limit=2, cursor=first["next_cursor"])
    assert [entry["event_id"] for entry in second["items"]] == ["msg_1"]
    assert second["next_cursor"] is None
