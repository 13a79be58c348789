"""The control API, reads that go on by themselves, and the truth."""

import ast
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from processor.simulator import Generation, SimulatorClient, SimulatorServer
from processor.simulator.entities import FirstSync
from processor.simulator.simulation import Simulation
from tests.processor.simulator.receiving import Receiver

MakeServer = Callable[..., SimulatorServer]


def truth_of(control: SimulatorClient, connection_id: str) -> dict[str, Any]:
    companies: Any = control.truth()["companies"]
    for company in companies.values():
        if connection_id in company["connections"]:
            result = company["connections"][connection_id]
            assert isinstance(result, dict)
            return result
    raise AssertionError(connection_id)


def test_the_truth_follows_every_change(control: SimulatorClient) -> None:
    company_id = control.create_company("Corner Shop", {"merchantId": "m-1"})
    connection_id = control.connect(company_id, "gbol")

    def stands() -> tuple[object, ...]:
        truth = truth_of(control, connection_id)
        return truth["status"], truth["authorizations"], truth["first_sync"], truth["deleted"]

    assert stands() == ("PendingAuth", 0, None, False)
    control.change(connection_id, "fail", status_code=403)
    assert stands() == ("PendingAuth", 0, None, False)
    control.change(connection_id, "authorize")
    assert stands() == ("Linked", 1, None, False)
    control.change(connection_id, "start-sync")
    assert stands() == ("Linked", 1, "running", False)
    control.change(connection_id, "deauthorize")
    assert stands() == ("Deauthorized", 1, "interrupted", False)
    control.change(connection_id, "reauthorize")
    assert stands() == ("Linked", 2, None, False)
    control.change(connection_id, "complete-sync", outcomes={"bills": "FetchError"})
    assert stands() == ("Linked", 2, "failed", False)
    control.change(connection_id, "complete-sync")
    assert stands() == ("Linked", 2, "complete", False)
    control.change(connection_id, "unlink")
    assert stands() == ("Unlinked", 2, "complete", False)
    control.change(connection_id, "delete")
    assert stands() == ("Unlinked", 2, "complete", True)
    control.delete_company(company_id)
    company: Any = control.truth()["companies"]
    assert company[company_id]["deleted"]
    assert company[company_id]["tags"] == {"merchantId": "m-1"}


@pytest.mark.parametrize(
    ("before", "change", "status"),
    [
        ([], "start-sync", 409),
        ([], "complete-sync", 409),
        ([], "read", 409),
        ([], "deauthorize", 409),
        ([], "unlink", 409),
        ([], "reauthorize", 409),
        ([], "dance", 404),
        (["authorize"], "authorize", 409),
        (["authorize"], "reauthorize", 409),
        (["authorize", "start-sync"], "start-sync", 409),
        (["delete"], "authorize", 404),
    ],
)
def test_changes_that_cannot_be_are_refused_and_change_nothing(
    api: httpx.Client, control: SimulatorClient, before: list[str], change: str, status: int
) -> None:
    connection_id = control.connect(control.create_company("Corner Shop"), "gbol")
    for item in before:
        control.change(connection_id, item)
    truth = control.truth()
    assert api.post(f"/simulator/connections/{connection_id}/{change}").status_code == status
    assert control.truth() == truth


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ("complete-sync", {"outcomes": ["bills"]}),
        ("complete-sync", {"outcomes": {"bills": "Fetching"}}),
        ("complete-sync", {"outcomes": {"bills": 7}}),
        ("fail", {"status_code": "x"}),
        ("read", {"deliver": "fast"}),
        ("read", {"deliver": 1}),
        ("read", []),
    ],
)
def test_options_that_make_no_sense_are_refused(
    api: httpx.Client, control: SimulatorClient, change: str, options: object
) -> None:
    connection_id = control.connect(control.create_company("Corner Shop"), "gbol")
    control.change(connection_id, "authorize")
    assert api.post(f"/simulator/connections/{connection_id}/{change}", json=options).status_code == 400


def at_once(server: SimulatorServer, connection_id: str, *changes: tuple[str, dict[str, Any]]) -> None:
    """Make changes so that no read can go on between them."""
    with server.simulation.lock:
        for name, options in changes:
            server.simulation.change(connection_id, name, options)


def test_a_linked_connection_is_read_by_itself(make_server: MakeServer, receiver: Receiver) -> None:
    simulations: list[Simulation] = []
    seen: list[int] = []

    def clock() -> float:
        """Each step of a read asks what time it is: that is when to see how far the step before it came."""
        for simulation in simulations:
            with simulation.lock:
                companies = simulation.world.companies()
                connections = [item for company in companies for item in company.present]
                seen.extend(
                    connection.progress
                    for connection in connections
                    if connection.first_sync is FirstSync.RUNNING
                )
        return time.time()

    server = make_server(auto_sync=True, sync_s=0.1, clock=clock)
    simulations.append(server.simulation)
    with SimulatorClient(server.url) as control:
        connection_id = control.connect(control.create_company("Corner Shop"), "gbol")
        control.change(connection_id, "authorize")
        assert server.simulation.wait_until_idle(60)
        truth = truth_of(control, connection_id)
        assert (truth["first_sync"], truth["progress"]) == ("complete", 100)
    assert seen == sorted(seen)
    assert len(set(seen)) > 1
    assert receiver.types()[2:] == ["connection.connected", "read.completed.initial"]
    statuses = {datatype["status"] for datatype in receiver.received[-1].body["payload"]["dataTypes"]}
    assert statuses == {"Complete"}


def test_an_end_of_access_stops_a_read_for_good(make_server: MakeServer, receiver: Receiver) -> None:
    server = make_server(auto_sync=True, sync_s=0.1)
    with SimulatorClient(server.url) as control:
        connection_id = control.connect(control.create_company("Corner Shop"), "gbol")
        again = ("reauthorize", {"auto_sync": False})
        at_once(server, connection_id, ("authorize", {}), ("deauthorize", {}), again)
        assert server.simulation.wait_until_idle(60)
        truth = truth_of(control, connection_id)
    assert (truth["authorizations"], truth["first_sync"]) == (2, None)
    assert "read.completed.initial" not in receiver.types()


def test_a_person_may_end_a_read_that_goes_by_itself(make_server: MakeServer, receiver: Receiver) -> None:
    server = make_server(auto_sync=True, sync_s=0.1)
    with SimulatorClient(server.url) as control:
        connection_id = control.connect(control.create_company("Corner Shop"), "strp")
        failed = ("complete-sync", {"outcomes": {"commerce-orders": "FetchError"}})
        at_once(server, connection_id, ("authorize", {}), failed)
        assert server.simulation.wait_until_idle(60)
        assert truth_of(control, connection_id)["first_sync"] == "failed"
    assert receiver.types().count("read.completed.initial") == 1


def test_many_callers_at_once_lose_nothing(make_server: MakeServer, receiver: Receiver) -> None:
    server = make_server(generations=frozenset({Generation.CURRENT, Generation.LEGACY}))
    with SimulatorClient(server.url) as control, ThreadPoolExecutor(8) as pool:

        def live(number: int) -> None:
            connection_id = control.connect(control.create_company(f"Shop {number}"), "gbol")
            for change in ("authorize", "complete-sync", "unlink"):
                control.change(connection_id, change)

        list(pool.map(live, range(20)))
        assert server.simulation.wait_until_idle(60)
        companies: Any = control.truth()["companies"]
    connections = [value for company in companies.values() for value in company["connections"].values()]
    assert [(connection["status"], connection["first_sync"]) for connection in connections] == [
        ("Unlinked", "complete")
    ] * 20
    assert len(receiver.received) == 20 * (5 + 4)
    assert (
        len(
            {
                request.body["generatedDate"]
                for request in receiver.received
                if "generatedDate" in request.body
            }
        )
        == 100
    )


def test_the_product_side_is_not_imported() -> None:
    """The simulator is Codat, not us: it has to work with nothing of ours but HTTP."""
    package = Path(__file__).parents[3] / "processor" / "simulator"
    imported: set[str] = set()
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    assert imported
    ours = [item for item in imported if item.split(".")[0] in ("processor", "handlers", "workers")]
    assert [name for name in ours if not name.startswith("processor.simulator")] == []
