"""One part of Codat's answer that cannot be read costs that part, never the look."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support import messages
from tests.support.truth import TruthBench

Alter = Callable[[Any], None]


def altered(truth: TruthBench, end: str, alter: Alter) -> None:
    """Codat's answers at addresses with this ending are what ``alter`` makes of them."""
    send = truth.wire.handle_request

    def handle(request: httpx.Request) -> httpx.Response:
        answer = send(request)
        if not request.url.path.endswith(end) or answer.status_code != 200:
            return answer
        answer.read()
        body = json.loads(answer.content)
        alter(body)
        return httpx.Response(200, json=body, headers={"Date": answer.headers["Date"]})

    truth.wire.handle_request = handle


def syncing(truth: TruthBench, company: str, platform: str = "gbol") -> str:
    """A connection whose first read ended at Codat, of which no message came."""
    connection = truth.connect(company, platform)
    truth.change(connection, "authorize")
    truth.bench.handle(messages.connected(company, connection, at=truth.clock()))
    truth.settle(for_s=5)
    truth.change(connection, "complete-sync")
    return connection


def look(truth: TruthBench, company: str) -> None:
    """One look of the monitor at the company."""
    truth.clock.forward(max(0.0, truth.next_look(company) or 0.0) + 0.01)
    truth.monitor.run()
    truth.settle()


def never_read(body: Any) -> None:
    body["suppliers"] = {"dataType": "suppliers"}
    body["items"] = None
    body["bills"] = "nonsense"
    body["journals"] = {"dataType": "journals", "currentStatus": 7}


def rows_without_parts(body: Any) -> None:
    row = dict(body["results"][0])
    row.pop("connectionId")
    body["results"] += [row, None, "nonsense", {"id": "x"}]


@pytest.mark.parametrize(
    ("end", "alter"),
    [
        ("/dataStatus", never_read),
        (
            "/dataStatus",
            lambda body: (
                body.clear()
                or body.update(suppliers={"dataType": "suppliers"}, invoices={"currentStatus": "Complete"})
            ),
        ),
        ("/data/history", rows_without_parts),
        ("/connections", lambda body: body["results"].append({"id": messages.fresh(), "status": "Paused"})),
        ("/connections", lambda body: body["results"].extend([None, {"status": "Linked"}])),
    ],
    ids=[
        "data types never read",
        "one of them alone",
        "rows of history",
        "unknown status",
        "rows of nothing",
    ],
)
def test_a_part_that_cannot_be_read_costs_that_part(truth, end, alter):
    """A data type that was never read (``dataType`` alone) failed every look at its company, for ever: link
    status and first sync of all its connections stayed as they were.
    """
    company = truth.company()
    connection = syncing(truth, company)
    altered(truth, end, alter)

    look(truth, company)

    assert truth.bench.state(connection) == "ready"
    assert truth.bench.told_types(connection) == ["connection.authorized", "initial_sync.completed"]


def test_reads_that_cannot_be_read_do_not_hide_the_link(truth):
    company = truth.company()
    syncs, ends = syncing(truth, company), syncing(truth, company, "shpf")
    truth.change(ends, "unlink")
    altered(truth, "/data/history", lambda body: body.update(results="nonsense"))

    outcomes = truth.reconcile()

    assert (truth.bench.state(syncs), truth.bench.state(ends)) == ("authorized", "unlinked")
    assert [outcome.error is not None for outcome in outcomes] == [True]


def test_a_connection_whose_status_is_unknown_is_not_taken_for_gone(truth):
    """A list with one unknown status failed as a whole; left out of it, the connection must not count
    as deleted.
    """
    company = truth.company()
    odd, plain = syncing(truth, company), truth.connect(company, "shpf")

    def rename(body: Any) -> None:
        rows = body.get("results", [body])
        below = [item for row in rows for item in row.get("dataConnections", [])]
        for item in (*rows, *below):
            if item.get("id") == odd:
                item["status"] = "Paused"

    for end in ("/companies", f"/companies/{company}", "/connections"):
        altered(truth, end, rename)
    altered(truth, f"/connections/{odd}", rename)
    truth.change(plain, "authorize")
    truth.reconcile()

    assert truth.bench.state(odd) == "authorized"
    assert truth.bench.state(plain) == "authorized"


def test_one_company_that_cannot_be_read_does_not_end_the_walk(truth):
    companies = [truth.company(f"shop {number}") for number in range(3)]
    connections = [truth.connect(company) for company in companies]

    def spoil(body: Any) -> None:
        for row in body["results"]:
            if row["id"] == companies[0]:
                row["id"] = None

    altered(truth, "/companies", spoil)
    truth.reconcile()

    assert [truth.bench.state(connection) for connection in connections[1:]] == ["pending", "pending"]


@pytest.mark.parametrize(
    ("flags", "state"),
    [
        ({"isErrored": True, "isCompleted": False}, "sync_failed"),
        ({"isErrored": False, "isCompleted": True}, "sync_failed"),
        ({"isErrored": False, "isCompleted": False}, "syncing"),
    ],
)
def test_of_an_unknown_status_in_the_history_the_flags_say_whether_it_is_over(truth, flags, state):
    company = truth.company()
    connection = syncing(truth, company)

    def rename(body: Any) -> None:
        for row in body["results"]:
            row |= {"status": "Error", **flags}
            row.pop("completed", None)

    altered(truth, "/data/history", rename)
    look(truth, company)

    assert truth.bench.state(connection) == state
