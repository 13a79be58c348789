"""Operators' commands: what they print is what the API answers."""

import json
from typing import Any

import pytest

from processor.alerts.replay import PAGE
from tests.processor.cli.conftest import Run
from tests.processor.web.v1.filling import KEY, Filling


@pytest.fixture
def full(filling: Filling) -> Filling:
    """A store with something of everything."""
    filling.make_ready("xero", company="c1")
    filling.tell("connection.created", "stripe", company="c2")
    filling.let_die("dead")
    filling.accept(b"not understood", "quarantined")
    return filling


def api(filling: Filling, path: str) -> Any:
    return filling.app.test_client().get(path, headers={"Authorization": f"Bearer {KEY}"}).json


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("connections list", "/v1/connections"),
        ("connections list --state ready", "/v1/connections?state=ready"),
        ("connections list --company c2", "/v1/connections?company_id=c2"),
        ("connections list --merchant m-c1 --limit 1", "/v1/connections?merchant_id=m-c1&limit=1"),
        ("connections show xero", "/v1/connections/xero"),
        ("events list", "/v1/events"),
        ("events list --limit 2", "/v1/events?limit=2"),
        ("events list --status processed", "/v1/events?status=processed"),
        ("events show msg_1", "/v1/events/msg_1"),
        ("events show quarantined", "/v1/events/quarantined"),
        ("dead-letters list", "/v1/events?status=dead"),
        ("notifications list", "/v1/notifications"),
        ("notifications list --connection xero", "/v1/notifications?connection_id=xero"),
        ("notifications list --status dead", "/v1/notifications?status=dead"),
    ],
)
def test_json_is_exactly_what_the_api_answers(full: Filling, run: Run, words: str, path: str) -> None:
    result = run(*words.split(), "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed == api(full, path)
    assert list(printed) == list(api(full, path))


def test_a_connection_is_shown_with_its_timeline(full: Filling, run: Run) -> None:
    printed = json.loads(run("connections", "show", "xero", "--timeline", "--json").stdout)
    assert printed.pop("timeline") == api(full, "/v1/connections/xero/timeline?limit=200")
    assert printed == api(full, "/v1/connections/xero")
    table = run("connections", "show", "xero", "--timeline").stdout
    assert "read.completed.initial" in table
    assert "authorized → ready" in table


def test_a_notification_is_shown(full: Filling, run: Run) -> None:
    told = api(full, "/v1/notifications")["items"][0]
    assert json.loads(run("notifications", "show", told["id"], "--json").stdout) == told
    assert "initial_sync.completed" in run("notifications", "show", told["id"]).stdout


@pytest.mark.usefixtures("full")
def test_tables_are_aligned(run: Run) -> None:
    lines = run("connections", "list").stdout.splitlines()
    assert lines[0].split() == [
        "CONNECTION",
        "STATE",
        "READ",
        "PLATFORM",
        "MERCHANT",
        "COMPANY",
        "AUTHORIZED",
        "AT",
    ]
    column = lines[0].index("STATE")
    assert [line[column:].split()[0] for line in lines[1:]] == ["pending", "ready"]
    assert run("events", "list").stdout.splitlines()[1].startswith("quarantined")
    assert "ValueError" in run("dead-letters", "list").stdout


def test_a_table_says_where_the_next_page_begins(full: Filling, run: Run) -> None:
    cursor = api(full, "/v1/events?limit=2")["next_cursor"]
    assert run("events", "list", "--limit", "2").stdout.endswith(f"More: --cursor {cursor}\n")
    second = run("events", "list", "--limit", "2", "--cursor", cursor, "--json")
    assert json.loads(second.stdout) == api(full, f"/v1/events?limit=2&cursor={cursor}")


@pytest.mark.usefixtures("full")
def test_an_event_is_shown_with_its_body_or_its_text(run: Run) -> None:
    assert '"eventType": "connection.created"' in run("events", "show", "msg_1").stdout
    assert "not understood" in run("events", "show", "quarantined").stdout
    assert "Traceback" in run("events", "show", "dead").stdout


# Replay


def test_messages_are_replayed_by_their_ids(full: Filling, run: Run) -> None:
    result = run("events", "replay", "msg_1", "dead", "msg_1")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == ["msg_1  pending", "dead  pending"]
    assert {event["id"] for event in api(full, "/v1/events?status=pending")["items"]} >= {"msg_1", "dead"}


@pytest.mark.usefixtures("full")
def test_what_cannot_be_replayed_is_said_and_does_not_stop_the_rest(run: Run) -> None:
    result = run("events", "replay", "none", "quarantined", "msg_1", "--json")
    assert result.exit_code == 1
    printed = json.loads(result.stdout)
    assert printed["items"] == [{"event_id": "msg_1", "status": "pending"}]
    assert [(problem["event_id"], problem["status"]) for problem in printed["problems"]] == [
        ("none", 404),
        ("quarantined", 422),
    ]
    words = run("events", "replay", "quarantined")
    assert words.exit_code == 1
    assert "still not understood" in words.stdout


def test_messages_are_discarded_by_their_ids_or_by_status(full: Filling, run: Run) -> None:
    full.let_die("dead-2")
    result = run("events", "discard", "quarantined", "msg_1", "--json")
    assert result.exit_code == 1
    printed = json.loads(result.stdout)
    assert printed["items"] == [{"event_id": "quarantined", "status": "discarded"}]
    assert [(problem["event_id"], problem["status"]) for problem in printed["problems"]] == [("msg_1", 409)]
    assert "not discarded" in run("events", "discard", "msg_1").stdout
    result = run("events", "discard", "--status", "dead")
    assert sorted(result.stdout.splitlines()) == ["dead  discarded", "dead-2  discarded"]
    assert run("events", "discard", "--status", "dead").stdout == "There is nothing to discard.\n"
    assert run("events", "discard").exit_code == 2


def test_all_of_one_status_are_replayed(full: Filling, run: Run) -> None:
    full.let_die("dead-2")
    result = run("events", "replay", "--status", "dead")
    assert sorted(result.stdout.splitlines()) == ["dead  pending", "dead-2  pending"]
    again = run("events", "replay", "--status", "dead")
    assert (again.exit_code, again.stdout) == (0, "There is nothing to replay.\n")


def test_more_than_a_page_of_messages_is_replayed(filling: Filling, run: Run) -> None:
    for number in range(PAGE + 5):
        filling.accept_broken(f"broken-{number}")
    filling.drain()
    result = run("events", "replay", "--status", "failed", "--json")
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)["items"]) == PAGE + 5
    assert api(filling, "/v1/stats")["events"]["failed"] == 0


def test_all_dead_letters_are_replayed(full: Filling, run: Run) -> None:
    assert run("dead-letters", "replay", "--all").stdout == "dead  pending\n"
    assert api(full, "/v1/stats")["dead_letters"] == 0


@pytest.mark.usefixtures("full")
def test_dead_letters_are_replayed_by_id_and_nothing_else_is(run: Run) -> None:
    assert run("dead-letters", "replay", "dead").stdout == "dead  pending\n"
    result = run("dead-letters", "replay", "msg_1")
    assert result.exit_code == 1
    assert "The event is processed, not dead." in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        "events replay",
        "events replay x --status dead",
        "events replay --status processed",
        "dead-letters replay",
        "dead-letters replay x --all",
        "events list --limit 0",
        "events list --limit 201",
        "connections list --state nonsense",
        "events forget --older-than 999999999",
        "conditions mute codat_silent --hours nan",
    ],
)
def test_a_command_that_makes_no_sense_is_refused(run: Run, words: str) -> None:
    """So many days were before the first year, and an hour that is no number was in the range: tracebacks."""
    result = run(*words.split())
    assert result.exit_code == 2
    assert "Usage: codat-processor" in result.stderr


# What goes wrong


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("connections show none", "There is no connection with this id."),
        ("events show none", "There is no event with this id, or it is not kept any more."),
        ("notifications show none", "There is no notification with this id."),
        ("events list --cursor x", "cursor: This is no cursor of this list."),
        ("events show \udcff", "An argument is not text in this terminal's encoding."),
    ],
)
def test_what_goes_wrong_is_one_sentence(run: Run, words: str, sentence: str) -> None:
    result = run(*words.split())
    assert result.exit_code == 1
    assert result.stdout == ""
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words", ["connections list", "events show x", "events replay x", "dead-letters list"]
)
def test_redis_being_away_is_one_sentence(run: Run, words: str) -> None:
    result = run(*words.split(), redis_url="redis://:hidden-password@127.0.0.1:1/0")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "Error: Redis could not be used: connection refused: nothing listens there.\n"


def test_a_wrong_setting_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKERS", "many")
    result = run("events", "list")
    assert result.exit_code == 1
    assert "WORKERS" in result.stderr
