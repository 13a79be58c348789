"""Subscribers, dead letters of deliveries and redelivery on the command line."""

import dataclasses
import json
import re
from datetime import timedelta

import pytest

from tests.workers.delivery.receiving import Receiver, status
from workers.delivery.wiring import dispatcher_of


@pytest.fixture
def allowed(filling):
    """Private subscribers are allowed; a receiver that fails."""
    filling.environ["ALLOW_PRIVATE_SUBSCRIBERS"] = "true"
    settings = dataclasses.replace(filling.container.settings, allow_private_subscribers=True)
    filling.container = dataclasses.replace(filling.container, settings=settings)
    heard = Receiver(status(500))
    yield heard
    heard.stop()


def add(run, url, *more):
    answer = run("subscribers", "add", url, "--json", *more)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.output)


def test_a_subscriber_from_its_beginning_to_its_end(run, allowed):
    result = run(
        *("subscribers", "add", allowed.url, "--type", "connection.deleted", "--header", "X-Key: hush"),
        *("--rate", "2.5"),
    )
    assert result.exit_code == 0, result.output
    assert "whsec_" in result.output
    assert "not shown again" in result.output
    assert "hush" not in result.output
    (listed,) = json.loads(run("subscribers", "list", "--json").output)["items"]
    id_ = listed["id"]
    assert (listed["types"], listed["rate_per_s"]) == (["connection.deleted"], 2.5)
    assert "whsec_" not in run("subscribers", "show", id_).output
    rotated = json.loads(run("subscribers", "rotate", id_, "--json").output)
    assert rotated["secret"] not in result.output
    assert json.loads(run("subscribers", "disable", id_, "--json").output)["status"] == "disabled"
    assert json.loads(run("subscribers", "enable", id_, "--json").output)["status"] == "active"
    assert json.loads(run("subscribers", "test", id_, "--json").output)["status"] == "pending"
    assert id_ in run("subscribers", "list").output
    assert json.loads(run("subscribers", "remove", id_, "--json").output) == {"id": id_, "status": "removed"}
    assert json.loads(run("subscribers", "list", "--json").output)["items"] == []
    assert run("subscribers", "show", id_).exit_code == 1


def test_all_types_are_called_so_wherever_they_are_shown(run, allowed):
    printed = run("subscribers", "add", allowed.url).stdout
    id_ = json.loads(run("subscribers", "list", "--json").stdout)["items"][0]["id"]
    for shown in (printed, run("subscribers", "show", id_).stdout):
        assert re.search(r"^types +all$", shown, re.MULTILINE)
    assert run("subscribers", "remove", id_).stdout == f"{id_}  removed\n"


def test_the_same_address_twice_is_taken_with_a_hint(run, allowed):
    first = add(run, allowed.url)
    add(run, f"{allowed.url}?other")
    second = run("subscribers", "add", allowed.url, "--json")
    assert second.exit_code == 0
    assert json.loads(second.stdout)["id"] != first["id"]
    assert f"{first['id']}: what both want is told twice" in second.stderr


def test_disabled_twice_it_is_disabled_since_the_first_time(run, allowed):
    id_ = add(run, allowed.url)["id"]
    first, second = (json.loads(run("subscribers", "disable", id_, "--json").output) for _ in range(2))
    assert first["status_since"]
    assert second == first


@pytest.mark.parametrize("url", ["ftp://x", "http://127.0.0.1/"])
def test_what_cannot_be_is_refused_in_one_sentence(run, url):
    answer = run("subscribers", "add", url)
    assert answer.exit_code == 1
    assert answer.output.startswith("Error: ")
    assert "url:" in answer.output


def test_dead_letters_are_listed_and_sent_again(run, allowed, filling):
    made = add(run, allowed.url)
    filling.make_ready()
    for _ in range(50):
        dispatcher_of(filling.container).run_once()
        filling.now += timedelta(hours=2)
    listed = json.loads(run("dead-letters", "deliveries", "--json").output)["items"]
    assert len(listed) == 2
    assert {item["lane"] for item in listed} == {made["id"]}
    assert listed[0]["id"] in run("dead-letters", "deliveries", "--subscriber", made["id"]).output
    assert listed[0]["id"] in run("notifications", "list", "--status", "dead").output
    assert "answered 500" in run("notifications", "show", listed[0]["id"], "--json").output

    rows = run("notifications", "show", listed[0]["id"]).output.splitlines()
    assert not [line for line in rows if "{" in line]
    tables = [line.split() for line in rows if line.startswith(made["id"])]
    assert tables[0][1:3] == ["webhook", "dead"]
    assert int(tables[0][3]) == len(tables) - 1 > 1
    assert all(line[2:4] == ["failed", "500"] for line in tables[1:])

    planned = run("notifications", "redeliver", "--dead", "--dry-run")
    assert "2 notifications would be sent again" in planned.output
    assert len(json.loads(run("dead-letters", "deliveries", "--json").output)["items"]) == 2
    result = run("notifications", "redeliver", listed[0]["id"], "--dry-run")
    assert result.output.endswith("\n1 notification would be sent again.\n")
    assert run("notifications", "redeliver", listed[0]["id"]).output.endswith(
        "\n1 notification is sent again.\n"
    )
    done = json.loads(run("notifications", "redeliver", "--dead", "--json").output)
    assert [item["id"] for item in done["items"]] == [listed[1]["id"]]
    assert json.loads(run("dead-letters", "deliveries", "--json").output)["items"] == []


def test_all_since_a_time(run, allowed, filling):
    made = add(run, allowed.url)
    filling.make_ready()
    dispatcher_of(filling.container).run_once()
    words = ("notifications", "redeliver", "--since", "2026-11-22", "--subscriber", made["id"], "--json")
    planned = json.loads(run(*words, "--dry-run").output)
    assert [item["lanes"] for item in planned["items"]] == [[made["id"]]] * 2
    assert planned["dry_run"] is True
    assert len(json.loads(run(*words).output)["items"]) == 2
    assert json.loads(run(*words, "--undelivered").output)["items"] == []
    assert run("notifications", "redeliver", "--since", "yesterday").exit_code == 2
    other = add(run, f"{allowed.url}?other", "--type", "initial_sync.completed")
    planned = json.loads(run(*words[:-2], other["id"], "--json", "--dry-run").output)
    assert [item["type"] for item in planned["items"]] == ["initial_sync.completed"]


@pytest.mark.parametrize(
    "words", [(), ("x", "--dead"), ("--dead", "--undelivered"), ("--since", "2026-01-01", "--dead")]
)
def test_one_says_what_is_meant(run, words):
    assert run("notifications", "redeliver", *words).exit_code == 2


def test_what_is_not_there_is_said_for_each(run):
    answer = run("notifications", "redeliver", "ntf_1", "ntf_2", "--json")
    assert answer.exit_code == 1
    assert [problem["id"] for problem in json.loads(answer.output)["problems"]] == ["ntf_1", "ntf_2"]
