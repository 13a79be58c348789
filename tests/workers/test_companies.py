"""News of whole companies."""

import json
from datetime import timedelta

import pytest

from processor.store import keys
from tests.support import cells, messages
from tests.support.messages import LONG_AGO
from tests.support.workbench import company_in

COMPANY = company_in(2)


def at(seconds):
    return LONG_AGO + timedelta(seconds=seconds)


def test_a_deleted_company_takes_all_its_connections_with_it(bench):
    bench.handle(*[messages.connected(COMPANY, f"connection-{number}", at=at(1)) for number in range(3)])
    bench.handle(messages.connected(company_in(2, nth=1), "somebody-elses", at=at(1)))

    (event_id,) = bench.handle(messages.company("company.deleted", COMPANY, at=at(9)))

    assert [bench.state(f"connection-{number}") for number in range(3)] == ["deleted"] * 3
    assert bench.state("somebody-elses") == "authorized"
    assert bench.told_types().count("connection.deleted") == 3
    assert bench.timeline("connection-2")[-1]["event_id"] == event_id
    assert bench.reader.company(COMPANY)["deleted_at"] == "2026-03-04T12:00:09.000000Z"


def test_it_takes_those_with_it_that_become_known_only_afterwards(bench):
    bench.handle(messages.company("company.deleted", COMPANY, at=at(9)))

    bench.handle(messages.connected(COMPANY, "connection-1", at=at(1)))

    assert bench.state("connection-1") == "deleted"
    assert bench.told_types() == []


@pytest.mark.parametrize("order", ["before", "after"])
def test_it_takes_those_with_it_that_become_known_in_the_same_batch(bench, order):
    bodies = [
        messages.connected(COMPANY, "connection-1", at=at(1)),
        messages.company("company.deleted", COMPANY, at=at(9)),
    ]
    bench.handle(*(bodies if order == "before" else reversed(bodies)))

    assert bench.state("connection-1") == "deleted"
    assert cells.members(bench.client, keys.connections_in, "deleted") == [b"connection-1"]


def test_what_comes_late_to_a_deleted_connection_does_not_bring_it_back(bench):
    bench.handle(
        messages.connected(COMPANY, "connection-1", at=at(1)),
        messages.company("company.deleted", COMPANY, at=at(9)),
        messages.reconnected(COMPANY, "connection-1", at=at(20)),
        messages.status_alert(COMPANY, "connection-1", "Unlinked", "Linked"),
    )

    assert bench.state("connection-1") == "deleted"
    assert len(bench.timeline("connection-1")) == 4


def test_an_alert_about_a_whole_company_touches_its_linked_connections(bench):
    bench.handle(
        messages.connected(COMPANY, "connection-1", at=at(1)),
        messages.connected(COMPANY, "connection-2", at=at(1), source_type="Banking"),
        messages.created(COMPANY, "connection-3", at=at(1)),
    )
    bench.clock.forward(60)

    bench.handle(messages.synchronised_alert(COMPANY))

    states = [bench.state(f"connection-{number}") for number in (1, 2, 3)]
    assert states == ["ready", "ready", "pending"]
    assert bench.told_types().count("initial_sync.completed") == 2


def test_a_company_is_known_from_its_messages(bench):
    bench.handle(messages.company("company.created", COMPANY, name="Toft", merchant_id="m-1", region="us"))

    row = bench.reader.company(COMPANY)
    assert (row["id"], row["name"], row["merchant_id"]) == (COMPANY, "Toft", "m-1")
    assert json.loads(row["tags"]) == {"region": "us", "merchantId": "m-1"}
    assert bench.reader.current_company_id("m-1") == COMPANY
    assert cells.members(bench.client, keys.companies) == [COMPANY.encode()]


def test_connections_know_the_merchant_that_an_earlier_message_of_their_company_named(bench):
    bench.handle(messages.company("company.created", COMPANY, merchant_id="m-1"))
    bench.handle(messages.connected(COMPANY, "connection-1"))

    assert bench.told()[0]["data"]["merchant_id"] == "m-1"


def test_names_and_tags_with_any_characters_are_kept(bench):
    name = "Bäckerei \u2028 ‮ 🥐"
    bench.handle(messages.company("company.created", COMPANY, name=name, merchant_id="händler/1:ü"))

    assert bench.reader.current_company_id("händler/1:ü") == COMPANY
    assert "🥐" in bench.reader.company(COMPANY)["name"]
