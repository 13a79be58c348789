"""How reading stands, per connection and per data type; and asking Codat again, but not too often."""

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from processor.errors import NotFound
from processor.journey import asking
from processor.journey.progress import sync_view
from processor.simulator import SimulatorServer
from processor.store import keys
from tests.support import cells
from tests.support.journeying import Desk

AT = "2026-11-22T15:00:00.000000Z"


def row(name: str, status: Any, progress: Any = 0, *, current: Any = True, at: Any = AT) -> Any:
    return {
        "data_type": name,
        "status": status,
        "progress": progress,
        "at": at,
        "message": None,
        "paused_until": None,
        "current": current,
    }


def connection(state: Any, progress: Any = 0, *data_types, id_: Any = "c-1") -> Any:
    return {
        "id": id_,
        "platform_key": "gbol",
        "platform_name": "Xero",
        "source_type": "Accounting",
        "state": state,
        "progress": progress,
        "authorized_at": AT,
        "waits_for_computer": False,
        "paused_until": None,
        "data_types": list(data_types),
    }


@pytest.mark.parametrize(
    ("states", "status", "progress"),
    [
        ([], "idle", 0),
        ([("pending", 0)], "idle", 0),
        ([("unlinked", 40), ("authorization_failed", 0)], "idle", 0),
        ([("authorized", 0)], "reading", 0),
        ([("syncing", 40)], "reading", 40),
        ([("ready", 100), ("syncing", 40), ("pending", 0)], "reading", 70),
        ([("ready", 100), ("sync_failed", 20)], "complete", 100),
        ([("sync_failed", 20)], "failed", 100),
    ],
)
def test_a_company_stands_as_its_authorised_connections_do(states: Any, status: str, progress: int) -> None:
    view = sync_view("company-1", [connection(state, part) for state, part in states])
    assert (view["status"], view["progress"]) == (status, progress)
    assert len(view["connections"]) == len(states)


def test_each_data_type_has_its_outcome_and_progress() -> None:
    rows = [
        row("bills", "FetchError"),
        row("invoices", "Complete", 0),
        row("payments", "Fetching", 30),
        row("journals", "NotSupported"),
        row("items", "SomethingNew", 5),
        row("old", "Complete", current=False, at="2026-11-23T00:00:00.000000Z"),
    ]
    (item,) = sync_view("company-1", [connection("syncing", 60, *rows)])["connections"]
    assert {kind["data_type"]: (kind["outcome"], kind["progress"]) for kind in item["data_types"]} == {
        "bills": ("failed", 100),
        "invoices": ("complete", 100),
        "payments": ("reading", 30),
        "journals": ("unsupported", 100),
        "items": ("reading", 5),
    }
    assert item["last_read_at"] == "2026-11-23T00:00:00.000000Z"


def test_what_is_not_authorised_reads_nothing() -> None:
    (item,) = sync_view("c", [connection("unlinked", 60, row("bills", "Complete", 100))])["connections"]
    assert (item["progress"], item["data_types"], item["last_read_at"]) == (0, [], AT)


def test_progress_follows_what_codat_says(
    desk: Desk, codat: SimulatorServer, drain: Callable[[], None], client: Redis
) -> None:
    company_id = desk.company()
    connection_id = desk.journey.connect(company_id, "gbol").connection_id
    drain()
    assert desk.journey.sync(company_id)["status"] == "idle"
    codat.simulation.change(connection_id, "authorize", {})
    assert desk.journey.queue_questions(company_id)
    drain()
    view = desk.journey.sync(company_id)
    assert view["status"] == "reading"
    codat.simulation.change(
        connection_id, "complete-sync", {"outcomes": {"bills": "FetchError", "invoices": "Complete"}}
    )
    client.delete(keys.asked_again(company_id))
    desk.journey.queue_questions(company_id)
    drain()
    view = desk.journey.sync(company_id)
    assert (view["status"], view["progress"]) == ("complete", 100)
    outcomes = {kind["data_type"]: kind["outcome"] for kind in view["connections"][0]["data_types"]}
    assert (outcomes["bills"], outcomes["invoices"]) == ("failed", "complete")
    assert view["connections"][0]["last_read_at"]


def test_the_progress_of_nobody_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.journey.sync("nobody")


def test_however_often_codat_is_to_be_asked_it_is_asked_once_in_a_while(
    desk: Desk, client: Redis, drain: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ASK_PAUSE_S", 600)
    company_id = desk.company()
    connection_id = desk.journey.connect(company_id, "gbol").connection_id
    assert not desk.journey.queue_questions(company_id, connection_id)  # nobody knows it yet
    drain()
    for _ in range(50):
        assert desk.journey.queue_questions(company_id, connection_id)
    assert cells.count(client, keys.questions) == 1
    assert 0 < client.ttl(keys.asked_again(company_id)) <= 600
    drain()
    assert cells.count(client, keys.questions) == 0
    desk.journey.queue_questions(company_id, connection_id)
    (question,) = cells.members(client, keys.questions)
    due_ms = cells.score(client, keys.questions, question)
    assert due_ms / 1000 > desk.clock().timestamp()


def test_asking_about_strangers_asks_nothing(desk: Desk, client: Redis) -> None:
    company_id = desk.company()
    assert not desk.journey.queue_questions(company_id, "nothing")
    assert not desk.journey.queue_questions("nobody")
    assert cells.count(client, keys.questions) == 0
