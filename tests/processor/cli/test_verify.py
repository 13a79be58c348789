"""``connections verify``: a connection, rebuilt from its kept messages, is what is stored."""

import dataclasses
import json

from processor.store import keys, records
from tests.processor.cli.conftest import Run
from tests.processor.cli.test_browse import api
from tests.processor.web.v1.filling import Filling
from tests.support import cells


def damage(filling: Filling) -> None:
    """Store a connection without the newest of its facts."""
    stored = filling.container.reader.connection("xero")
    assert stored is not None
    less = dataclasses.replace(stored.connection, facts=stored.connection.facts[:-1])
    row = records.connection_row(less, stored.state, stored.first_heard_ms)
    filling.container.redis.set(cells.where(filling.container.redis, keys.connection, "xero"), row)


def test_what_is_rebuilt_is_the_same(filling: Filling, run: Run) -> None:
    filling.make_ready()
    filling.tell("connection.disconnected", said={"status": "Unlinked"})
    filling.tell("connection.reconnected")
    filling.drain()
    result = run("connections", "verify", "xero")
    assert (result.exit_code, result.stdout) == (0, "xero  same, by 5 messages\n")
    printed = json.loads(run("connections", "verify", "xero", "--json").stdout)
    assert printed["items"][0]["outcome"] == "same"


def test_a_difference_is_reported(filling: Filling, run: Run) -> None:
    filling.make_ready()
    damage(filling)
    result = run("connections", "verify", "xero", "--json")
    assert result.exit_code == 1
    (item,) = json.loads(result.stdout)["items"]
    assert item["outcome"] == "different"
    assert [difference["part"] for difference in item["differences"]] == [
        "facts.read 2026-11-22T15:03:00.000000Z"
    ]
    shown = run("connections", "verify", "xero")
    assert shown.exit_code == 1
    assert "xero  different, by 3 messages\n  facts.read" in shown.stdout


def test_all_are_counted_and_those_that_differ_are_named(filling: Filling, run: Run) -> None:
    filling.make_ready()
    filling.make_ready("stripe", company="c2")
    filling.make_ready("old", company="c3")
    assert (
        run("connections", "verify", "--all").stdout
        == "same: 3, different: 0, incomplete: 0, unreadable: 0\n"
    )
    damage(filling)
    filling.container.redis.set(cells.where(filling.container.redis, keys.connection, "stripe"), b"garbage")
    cells.forget_message(filling.container.redis, "msg_7")
    result = run("connections", "verify", "--all")
    assert result.exit_code == 1
    assert "xero  different" in result.stdout
    assert "stripe  unreadable" in result.stdout
    assert result.stdout.endswith("same: 0, different: 1, incomplete: 1, unreadable: 1\n")


def test_one_or_all_has_to_be_named(run: Run) -> None:
    assert run("connections", "verify").exit_code == 2
    assert run("connections", "verify", "xero", "--all").exit_code == 2
    result = run("connections", "verify", "xero")
    assert result.exit_code == 1
    assert "There is no connection with this id." in result.stderr


def test_the_past_is_what_the_api_answers(filling: Filling, run: Run) -> None:
    filling.make_ready(in_time=True)
    moment = "2026-11-22T15:02:30Z"
    result = run("connections", "show", "xero", "--at", moment, "--timeline", "--facts", "--json")
    printed = json.loads(result.stdout)
    assert printed.pop("timeline") == api(filling, f"/v1/connections/xero/timeline?limit=200&at={moment}")
    assert printed.pop("facts") == api(filling, f"/v1/connections/xero/facts?at={moment}")
    assert printed == api(filling, f"/v1/connections/xero?at={moment}")
    shown = run("connections", "show", "xero", "--at", moment, "--timeline", "--facts").stdout
    assert "pending → authorized" in shown
    assert "read.completed.initial" not in shown


def test_its_messages_are_replayed(filling: Filling, run: Run) -> None:
    filling.make_ready()
    assert run("connections", "replay", "xero").stdout.splitlines() == [
        "msg_1  pending",
        "msg_2  pending",
        "msg_3  pending",
    ]
