"""``?at=``: what was believed of a connection at a time, why, and what was told."""

import json
from datetime import timedelta
from typing import Any

import pytest

from processor.clock import to_iso
from tests.processor.web.v1.conftest import Call, Get
from tests.processor.web.v1.filling import START, Filling


def at(minutes: float) -> str:
    """A time after the start of the store."""
    return to_iso(START + timedelta(minutes=minutes))


def test_the_present_has_no_as_of(filling: Filling, get: Get) -> None:
    filling.make_ready(in_time=True)
    assert "as_of" not in get("/v1/connections/xero")


def test_each_time_shows_what_was_believed_why_and_what_was_told(filling: Filling, get: Get) -> None:
    filling.make_ready(in_time=True)
    filling.tell("connection.disconnected", said={"status": "Deauthorized"})
    filling.drain()
    shown = [get("/v1/connections/xero", at=at(minute + 0.5)) for minute in (1, 2, 3, 4)]
    assert [item["state"] for item in shown] == ["pending", "authorized", "ready", "deauthorized"]
    assert [item["authorization"] for item in shown] == [0, 1, 1, 1]
    assert [item["link_status"] for item in shown] == ["PendingAuth", "Linked", "Linked", "Deauthorized"]
    assert [len(item["data_types"]) for item in shown] == [0, 0, 2, 2]
    assert [[told["type"] for told in item["notifications_told"]] for item in shown] == [
        [],
        ["connection.authorized"],
        ["connection.authorized", "initial_sync.completed"],
        ["connection.authorized", "initial_sync.completed", "connection.deauthorized"],
    ]
    because = [item["as_of"]["because"] for item in shown]
    assert because[0] is None
    assert [item["event_id"] for item in because[1:]] == ["msg_2", "msg_3", "msg_4"]
    assert [item["as_of"]["complete"] for item in shown] == [True] * 4
    now = get("/v1/connections/xero")
    assert {**now, "as_of": shown[3]["as_of"]} == shown[3]


def test_a_timeline_ends_at_the_time(filling: Filling, get: Get) -> None:
    filling.make_ready(in_time=True)
    path = "/v1/connections/xero/timeline"
    assert [item["event_id"] for item in get(path, at=at(2))["items"]] == ["msg_2", "msg_1"]
    first = get(path, at=at(2), limit=1)
    assert [item["event_id"] for item in first["items"]] == ["msg_2"]
    rest = get(path, at=at(2), limit=5, cursor=first["next_cursor"])
    assert [item["event_id"] for item in rest["items"]] == ["msg_1"]


def test_a_message_that_was_handled_late_was_not_believed_before(filling: Filling, get: Get) -> None:
    """It waited five minutes for a worker; the timeline says both times."""
    filling.tell("connection.created")
    filling.drain()
    filling.tell("connection.connected")
    filling.now += timedelta(minutes=5)
    filling.drain()
    assert get("/v1/connections/xero", at=at(6.5))["state"] == "pending"
    assert get("/v1/connections/xero", at=at(7))["state"] == "authorized"
    newest = get("/v1/connections/xero/timeline")["items"][0]
    assert (newest["known_at"], newest["handled_at"]) == (at(2), at(7))
    facts = get("/v1/connections/xero/facts", at=at(6.5))["facts"]
    assert [fact["kind"] for fact in facts] == ["created"]


def test_facts_and_claims_are_as_the_machine_holds_them(filling: Filling, get: Get) -> None:
    filling.make_ready(in_time=True)
    shown = get("/v1/connections/xero/facts")
    assert [(fact["kind"], fact["event_id"], fact["counts"]) for fact in shown["facts"]] == [
        ("created", "msg_1", True),
        ("linked", "msg_2", True),
        ("read", "msg_3", True),
    ]
    assert shown["facts"][2]["data_types"] == {"bills": "FetchError", "invoices": "Complete"}
    assert shown["claims"] == []
    assert shown["summed_up_until"] is None


def test_an_alert_without_a_time_is_a_claim(filling: Filling, get: Get) -> None:
    filling.make_ready(in_time=True)
    filling.policy = type(filling.policy)(can_ask=True)
    filling.now += timedelta(hours=1)
    alert: dict[str, Any] = {
        "RuleId": "70af3071-65d9-4ec3-b3cb-5283e8d55dac",
        "RuleType": "DataConnectionStatusChanged",
        "AlertId": "alert-1",
        "CompanyId": "c1",
        "Data": {"dataConnectionId": "xero", "newStatus": "Unlinked", "oldStatus": "Linked"},
    }
    filling.accept(json.dumps(alert).encode(), "alert-1")
    filling.drain()
    (claim,) = get("/v1/connections/xero/facts")["claims"]
    assert (claim["event_id"], claim["old"], claim["new"]) == ("alert-1", "Linked", "Unlinked")
    assert get("/v1/connections/xero/facts", at=at(4))["claims"] == []


def test_before_it_was_first_heard_of_there_is_none(filling: Filling, call: Call) -> None:
    filling.make_ready(in_time=True)
    for path in ("", "/timeline", "/facts"):
        answer = call(f"/v1/connections/xero{path}", at=at(0.5))
        assert answer.status_code == 404
        assert "first heard of" in answer.text
        assert call(f"/v1/connections/nobody{path}", at=at(0.5)).status_code == 404


@pytest.mark.parametrize("moment", ["yesterday", "", "2026-13-01T00:00:00Z"])
def test_a_time_that_is_none_is_refused(filling: Filling, call: Call, moment: str) -> None:
    filling.make_ready(in_time=True)
    assert call("/v1/connections/xero", at=moment).status_code == 422
