"""Public representations, made of what is kept; pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers.connection import Check, Connection, LedgerEntry
from handlers.events import LinkStatus, Problem
from handlers.facts import Claim, DataType, Fact, FactKind
from handlers.state import situation
from processor.clock import to_iso, to_ms
from processor.resources import serializers
from processor.store import message_records
from processor.store.message_records import MessageRecord
from processor.store.records import StoredConnection

BEGUN = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
LATER = BEGUN + timedelta(minutes=5)
EARLIER = BEGUN - timedelta(minutes=5)


def a_fact(kind: FactKind, at: datetime = BEGUN, **more: Any) -> Fact:
    return Fact(kind, at, at, "msg_1", **more)


def a_connection(*facts: Fact, **more: Any) -> Connection:
    return replace(Connection("xero", company_id="c1").with_facts(facts), **more)


def types(*kinds: DataType) -> dict[str, DataType]:
    return {kind.name: kind for kind in kinds}


def shown(connection: Connection) -> dict[str, Any]:
    state = situation(connection).state.value
    return serializers.connection(StoredConnection(connection, state, to_ms(BEGUN)))


LINKED = a_fact(FactKind.LINKED)
DONE = DataType("bills", "Complete", LATER)
BAD = DataType("items", "FetchError", LATER)
RUNNING = DataType("invoices", "Fetching", LATER, progress=41)
OLD = DataType("accounts", "Complete", EARLIER)


@pytest.mark.parametrize(
    ("kinds", "progress"),
    [
        ((), 0),
        ((OLD,), 0),
        ((RUNNING,), 41),
        ((RUNNING, OLD), 41),
        ((RUNNING, DONE), 70),
        ((RUNNING, BAD), 70),
        ((replace(BAD, progress=3),), 100),
    ],
)
def test_progress_is_the_mean_over_what_belongs_to_the_current_authorisation(
    kinds: tuple[DataType, ...], progress: int
) -> None:
    assert shown(a_connection(LINKED, data_types=types(*kinds)))["progress"] == progress


def test_progress_of_what_is_ready_is_100_whatever_is_read_again() -> None:
    read = a_fact(FactKind.READ, LATER, types=(("bills", "Complete"),))
    ready = shown(a_connection(LINKED, read, data_types=types(RUNNING)))
    assert (ready["state"], ready["progress"]) == ("ready", 100)


def test_progress_before_any_authorisation_is_0() -> None:
    assert shown(a_connection(a_fact(FactKind.CREATED), data_types=types(DONE)))["progress"] == 0


def test_data_types_are_sorted_and_say_whether_they_are_current() -> None:
    kinds = shown(a_connection(LINKED, data_types=types(RUNNING, OLD)))["data_types"]
    assert [(kind["data_type"], kind["current"]) for kind in kinds] == [
        ("accounts", False),
        ("invoices", True),
    ]


def test_a_connection_of_which_nothing_is_known_is_shown() -> None:
    nothing = shown(Connection("xero"))
    assert nothing["state"] == "pending"
    assert nothing["link_status"] == "PendingAuth"
    assert nothing["authorized_at"] is None
    assert nothing["error"] is None


def test_of_a_failure_and_an_end_the_newest_gives_the_error() -> None:
    ended = a_fact(
        FactKind.ENDED, LATER, status=LinkStatus.DEAUTHORIZED, problem=Problem("401", "Revoked", None)
    )
    failed = a_fact(FactKind.FAILED, LATER + timedelta(minutes=1), problem=Problem("403", None, "Cancelled"))
    assert shown(a_connection(LINKED, ended))["error"]["status_text"] == "Revoked"
    both = shown(a_connection(LINKED, ended, failed))
    assert both["error"] == {"status_code": "403", "status_text": None, "message": "Cancelled"}
    assert shown(a_connection(LINKED, replace(ended, problem=None)))["error"] is None


def test_what_is_open_and_what_was_told_is_listed() -> None:
    connection = a_connection(
        LINKED,
        claims=(Claim("msg_2", LATER, LATER),),
        checks=(Check("connection.unlinked", BEGUN, LATER, "ready"),),
        ledger=(LedgerEntry("connection.authorized", BEGUN, "ntf_1"),),
    )
    assert shown(connection)["open"] == {
        "checks": [{"kind": "connection.unlinked", "at": to_iso(BEGUN), "since": to_iso(LATER)}],
        "claims": 1,
    }
    assert shown(connection)["notifications_told"] == [
        {"id": "ntf_1", "type": "connection.authorized", "at": to_iso(BEGUN)}
    ]


A_ROW = message_records.fields(
    "msg_1", message_records.dump(MessageRecord("processed", BEGUN, b"", processed_at=BEGUN)), None
)


def test_an_event_of_which_little_is_known_is_shown() -> None:
    assert serializers.event({**A_ROW, "status": "quarantined", "error": "the body is not JSON"}) == {
        "id": "msg_1",
        "event_id": "msg_1",
        "status": "quarantined",
        "source": None,
        "type": None,
        "received_at": to_iso(BEGUN),
        "processed_at": None,
        "company_id": None,
        "connection_ids": [],
        "attempts": 0,
        "next_attempt_at": None,
        "error": "the body is not JSON",
        "duplicates": 0,
    }


def test_a_processed_event_has_no_error_left_of_earlier_attempts() -> None:
    row = {**A_ROW, "error": "Traceback", "attempts": 2, "next_attempt_at": to_iso(LATER)}
    event = serializers.event(row)
    assert (event["error"], event["attempts"], event["next_attempt_at"]) == (None, 2, None)


def test_a_replayed_event_is_not_processed_yet() -> None:
    row = {**A_ROW, "status": "pending", "processed_at": to_iso(BEGUN)}
    assert serializers.event(row)["processed_at"] is None
