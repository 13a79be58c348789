"""Messages that name a connection of another cell, and a cluster, on which a cell has one slot."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, ResponseError

from processor.erasure import residue_scan
from processor.erasure.erase import CompanyEraser
from processor.store import keys
from processor.store.acknowledgement import Acknowledgement, NotReplicated
from processor.store.cells import Cells
from processor.store.inbox import Inbox
from tests.support import cells, messages
from tests.support.counting import Interrupted
from tests.support.engines import cluster_node
from tests.support.workbench import Workbench, company_in

HOME, OTHER = company_in(1), company_in(2)
CONNECTION = "connection-1"


@pytest.fixture
def linked(bench: Workbench) -> Workbench:
    """A connection of a company in cell 1."""
    bench.handle(messages.connected(HOME, CONNECTION))
    return bench


def test_a_message_about_a_connection_of_another_cell_is_handled_there(linked: Workbench) -> None:
    linked.clock.forward(60)
    (event_id,) = linked.handle(messages.initial_read(OTHER, CONNECTION))

    assert linked.state(CONNECTION) == "ready"
    assert linked.event(event_id)["company_id"] == OTHER
    assert linked.timeline(CONNECTION)[-1]["event_id"] == f"{event_id}~1"
    assert linked.status(f"{event_id}~1") == "processed"
    assert cells.where(linked.client, keys.connection, CONNECTION) == keys.connection(1, CONNECTION)
    assert not linked.client.exists(keys.connection(2, CONNECTION))
    assert linked.reader.company(OTHER) is not None, "its company learns of it"


def test_it_is_passed_on_once_however_often_the_commit_is_repeated(linked: Workbench, redis_url: str) -> None:
    linked.clock.forward(60)
    linked.send(messages.connected(OTHER, "connection-2"))
    linked.drain_all()
    linked.send(
        messages.initial_read(OTHER, CONNECTION),
        messages.disconnected(OTHER, "connection-2"),
    )
    disturbed: Any = Interrupted.from_url(redis_url)
    rounds: list[int] = []

    def disturb() -> None:
        rounds.append(len(rounds))
        if len(rounds) < 3:
            linked.client.append(keys.connection(2, "connection-2"), " ")
            disturbed.meanwhile = disturb

    disturbed.meanwhile = disturb
    assert linked.drain(disturbed).run(2).handled == 2
    assert linked.client.xlen(keys.inbox(1)) == 1
    linked.drain_all()

    assert len(rounds) == 3
    assert linked.told_types(CONNECTION) == ["connection.authorized", "initial_sync.completed"]


def about_two(company_id: str, *connection_ids: str) -> bytes:
    """A first read of one company whose data types are of several connections."""
    body = json.loads(messages.initial_read(company_id, connection_ids[0]))
    (row, *_) = body["payload"]["dataTypes"]
    body["payload"]["dataTypes"] = [{**row, "connectionId": id_} for id_ in connection_ids]
    return json.dumps(body).encode()


def test_a_message_about_connections_of_two_cells_is_passed_on_once(linked: Workbench) -> None:
    """Each copy named the connection of the other cell, and was passed on again without end."""
    linked.handle(messages.connected(OTHER, "connection-2"))
    linked.clock.forward(60)
    linked.handle(about_two(HOME, CONNECTION, "connection-2"))

    ids = [id_.decode() for cell in keys.cells() for id_ in linked.client.zrange(keys.events(cell), 0, -1)]
    assert len(ids) == 4, "three messages and one copy"
    assert (linked.state(CONNECTION), linked.state("connection-2")) == ("ready", "ready")


def test_a_new_connection_beside_one_of_another_cell_has_one_home(
    linked: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is there before the commit: the other cell stored the new connection as its own."""
    linked.clock.forward(60)
    linked.send(about_two(OTHER, "connection-new", CONNECTION))
    commit = Cells.commit

    def commit_late(cells: Cells, pipe: Any, batches: Any, *args: Any) -> Any:
        if 2 in batches:
            linked.drain().batch(1)
        return commit(cells, pipe, batches, *args)

    monkeypatch.setattr(Cells, "commit", commit_late)
    linked.drain().batch(2)

    key = keys.connection
    assert [cell for cell in keys.cells() if linked.client.exists(key(cell, "connection-new"))] == [2]


def test_a_message_that_was_passed_on_brings_no_erased_connection_back(linked: Workbench) -> None:
    linked.clock.forward(60)
    linked.send(messages.initial_read(OTHER, CONNECTION))
    linked.drain().batch(2)
    CompanyEraser(linked.client).erase(HOME, linked.clock())
    linked.drain_all()

    assert linked.state(CONNECTION) is None


def test_an_erasure_removes_what_was_passed_on(linked: Workbench) -> None:
    linked.clock.forward(60)
    linked.handle(messages.initial_read(OTHER, CONNECTION))
    eraser = CompanyEraser(linked.client)
    report = residue_scan.erase_and_scan(
        linked.client, eraser, OTHER, clock=linked.clock, sleep=lambda _: None
    )
    assert report.scan.residue == ()


def test_a_copy_that_is_handled_during_the_erasure_does_not_come_back(
    linked: Workbench, redis_url: str
) -> None:
    linked.clock.forward(60)
    linked.send(messages.initial_read(OTHER, CONNECTION))
    linked.drain().batch(2)
    (copy,) = (id_ for id_ in linked.client.hkeys(keys.messages(1)) if id_.endswith(b"~1"))
    linked.client.hincrby(keys.repeats(1), copy, 1)
    slow: Any = Interrupted.from_url(redis_url)
    slow.meanwhile = lambda: CompanyEraser(linked.client).erase(OTHER, linked.clock())
    linked.drain(slow).run(1)

    assert not linked.client.hexists(keys.messages(1), copy)
    assert not linked.client.hexists(keys.repeats(1), copy)


def test_a_copy_that_is_passed_on_during_the_erasure_is_removed(
    linked: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked.clock.forward(60)
    body = messages.initial_read(OTHER, CONNECTION)
    (result,) = linked.send(body)
    remove = CompanyEraser._remove_passed_on

    def remove_and_pass_on(*args: Any) -> None:
        monkeypatch.undo()
        remove(*args)
        linked.inbox.pass_on(messages.understood(body, result.event_id), body, 1)

    monkeypatch.setattr(CompanyEraser, "_remove_passed_on", remove_and_pass_on)
    CompanyEraser(linked.client).erase(OTHER, linked.clock())

    assert not linked.client.hexists(keys.messages(1), f"{result.event_id}~1")


def test_a_copy_that_no_replica_confirms_is_not_passed_on(linked: Workbench) -> None:
    """Without a replica none confirms; the original stays in its inbox until one does."""
    careful = Inbox(linked.client, acknowledgement=Acknowledgement(1, timeout_ms=1))
    body = messages.initial_read(OTHER, CONNECTION)
    with pytest.raises(NotReplicated):
        careful.pass_on(messages.understood(body), body, 1)


def test_a_damaged_record_stops_its_cell_and_no_other(bench: Workbench) -> None:
    bench.client.set(keys.company(HOME), "a record of another type")
    bench.send(messages.connected(HOME, CONNECTION))
    bench.send(*(messages.connected(company_in(cell), f"connection-{cell}") for cell in range(2, 16)))

    with pytest.raises(ResponseError):
        bench.drain(linger_s=0.0).run()

    assert bench.waiting() == [1]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Workbench]:
    """A node of a cluster."""
    with cluster_node(tmp_path) as url, Redis.from_url(url) as client:
        yield Workbench(client)


def test_messages_are_accepted_and_handled_within_one_slot(node: Workbench) -> None:
    """A script or transaction with keys of two slots fails on a cluster, whatever node holds them."""
    bodies = [messages.created(company_in(cell), f"connection-{cell}") for cell in keys.cells()]
    ids = [result.event_id for result in node.send(*bodies)]
    (broken,) = (result.event_id for result in node.send(messages.created(HOME, "connection-x")))
    node.corrupt(broken)
    for cell in keys.cells():  # a drain waits for all cells at once, which a single server can
        node.drain().batch(cell)

    assert {node.status(event_id) for event_id in ids} == {"processed"}
    assert {node.state(f"connection-{cell}") for cell in keys.cells()} == {"pending"}
    assert node.status(broken) == "failed"
    assert node.inbox.requeue(broken, status="failed", cell=1, only_if=True)[0]
    node.inbox.quarantine("odd", b"?", node.clock(), "why")
    assert node.inbox.discard("odd", status="quarantined", cell=0)
    assert len(node.reader.list_connections(limit=50, cursor=None).items) == len(keys.cells())
