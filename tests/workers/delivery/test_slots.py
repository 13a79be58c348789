"""The way of a notification on a cluster, where a script or transaction with keys of two slots fails."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from processor.clock import to_iso
from processor.conditions.memory import ConditionMemory
from processor.delivery.channels.operators import OPERATORS
from processor.delivery.lane import AttemptVerdict, CompletedAttempt, Lease
from processor.delivery.operator_alerts import OperatorAlerts
from processor.delivery.redelivery import RedeliveryService
from processor.erasure.erase import CompanyEraser
from processor.store import keys
from processor.store.client import connect
from processor.store.cluster import ClusterClient
from tests.support import cells, messages
from tests.support.engines import cluster, half_moved
from tests.support.service import until
from tests.support.workbench import Moving, Workbench, company_in
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import MakeReceiver

PATIENT = "?socket_timeout=60&socket_connect_timeout=60"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The address of three nodes."""
    with cluster(tmp_path, 3) as url:
        yield url


@pytest.fixture
def bench(url: str) -> Iterator[Workbench]:
    """A store on three nodes with messages of every cell that were drained: each tells of one connection."""
    with contextlib.closing(connect(f"{url}{PATIENT}", timeout_s=5)) as client:
        bench = Workbench(client, clock=Moving())
        bench.send(*(messages.connected(company_in(cell), f"connection-{cell}") for cell in keys.cells()))
        for cell in keys.cells():
            bench.drain().batch(cell)
        yield bench


def attempted(post: Post, lease: Lease, verdict: AttemptVerdict) -> CompletedAttempt:
    record = {"at": to_iso(post.clock()), "id": lease.notification_id, "duration_ms": 1}
    return CompletedAttempt(lease, verdict, record, post.clock() + timedelta(seconds=5))


def test_what_is_decided_in_any_cell_is_delivered_and_published_once(bench: Workbench) -> None:
    post = Post(bench.client, clock=bench.clock)
    plain = post.subscribe("http://127.0.0.1:9/1")
    ordered = post.subscribe("http://127.0.0.1:9/2", ordered=True)
    limited = post.subscribe("http://127.0.0.1:9/3", rate_per_s=1_000)
    lanes = post.lanes()
    post.fan_out()
    post.fan_out()
    assert sorted(body["id"] for body in bench.published()) == sorted(body["id"] for body in bench.told())
    assert len(bench.published()) == len(keys.cells())

    leases = [*lanes.look(lambda _: 64).leases]
    while more := lanes.look(lambda _: 64).leases:
        leases += more
    counts = {
        lane.id: sum(lease.lane.id == lane.id for lease in leases) for lane in (plain, ordered, limited)
    }
    assert counts == dict.fromkeys(counts, len(keys.cells()))
    lanes.renew(leases)
    lanes.release(leases[0])
    first, *others = leases
    again = attempted(post, others[0], AttemptVerdict.AGAIN)
    done = [attempted(post, lease, AttemptVerdict.DELIVERED) for lease in others[1:]]
    gave_back = lanes.look(lambda _: 64, [again, *done])
    assert (gave_back.refused, gave_back.error) == ([], None)
    assert [(lease.lane.id, lease.notification_id) for lease in gave_back.leases] == [
        (first.lane.id, first.notification_id)
    ]
    dead = attempted(post, gave_back.leases[0], AttemptVerdict.DEAD)
    assert lanes.look(lambda _: 64, [dead]).refused == []
    states = post.lane_admin.states([plain.id, ordered.id, limited.id])
    assert sum(state.delivered for state in states.values()) == len(leases) - 2
    assert sum(state.waiting for state in states.values()) == 1


def test_an_attempt_is_recorded_once_whichever_node_does_not_answer(bench: Workbench, url: str) -> None:
    """The node of its cell, or that of its lane's state; what has no reply may have been executed."""
    post = Post(bench.client, clock=bench.clock)
    nodes = cast(ClusterClient, bench.client).primaries()
    receivers = [post.subscribe(f"http://127.0.0.1:9/{number}").id for number in range(len(nodes))]
    post.fan_out()
    patient, leases = post.lanes(), list[Lease]()
    while more := patient.look(lambda _: 64).leases:
        leases += more
    with contextlib.closing(connect(f"{url}?socket_timeout=0.2", timeout_s=5)) as impatient:
        lanes = Post(impatient, clock=bench.clock).lanes()
        for node, receiver in zip(nodes, receivers, strict=True):
            mine = [lease for lease in leases if lease.lane.id == receiver]
            done = [attempted(post, lease, AttemptVerdict.DELIVERED) for lease in mine]
            node.client_pause(600_000, all=False)
            look = lanes.look(lambda _: 0, done)
            node.client_unpause()
            assert look.unreached
            assert look.refused == []
            while look.error is not None:
                look = lanes.look(lambda _: 0, look.unreached)

    totals = [
        bench.client.hget(keys.deliveries(lease.cell, lease.notification_id), f"{lease.lane.id}:total")
        for lease in leases
    ]
    assert totals == [b"1"] * len(receivers) * len(keys.cells())
    states = post.lane_admin.states(receivers).values()
    assert [(state.delivered, state.waiting) for state in states] == [(len(keys.cells()), 0)] * len(receivers)


@pytest.mark.parametrize("what", ["cell", "stream"])
def test_a_slot_that_is_half_moved_keeps_the_notifications_of_its_cell_alone(
    bench: Workbench, receiver: MakeReceiver, what: str
) -> None:
    """The look ended: no notification of any cell was fanned out, and no due delivery was claimed."""
    post, client, heard = Post(bench.client, clock=bench.clock), cast(ClusterClient, bench.client), receiver()
    post.subscribe(heard.url)
    if what == "stream":
        post.fan_out()
    cell = keys.cells()[0]
    post.cell = cell
    before = len(keys.cells())
    name = keys.stream() if what == "stream" else keys.fan_out(cell)
    source = client.node_of(name)
    target = next(node for node in client.primaries() if node is not source)
    new = [post.decide(f"connection-{number}", company_id=company_in(cell)) for number in range(3)]
    dispatcher = post.dispatcher()

    try:
        with half_moved(source, target, client.connected().keyslot(name)):
            dispatcher.start()  # now: before, it could be quicker than the move
            until(lambda: len(heard.ids) >= before - (what == "cell"))
            assert set(new).isdisjoint(heard.ids)
        until(lambda: len(heard.ids) >= before + len(new))
    finally:
        dispatcher.stop()

    assert sorted(heard.ids) == sorted(body["id"] for body in bench.published())


def test_operators_and_erasures_stay_within_slots(bench: Workbench) -> None:
    post = Post(bench.client, clock=bench.clock)
    mine = post.subscribe("http://127.0.0.1:9/")
    post.fan_out()
    service = RedeliveryService(
        post.client,
        subscribers=post.subscribers,
        lane_admin=post.lane_admin,
        reader=post.reader,
        waker=bench.waker,
    )
    alerts = OperatorAlerts(
        lane_admin=post.lane_admin, waker=bench.waker, reachable=True, subscribers=post.subscribers
    )
    with post.client.pipeline(transaction=True) as pipe:
        pipe.hset(keys.conditions(), "no_worker", "{}")
        alerts.add_alert(pipe, "subject", "text")
        pipe.execute()
    assert post.lane_admin.states([OPERATORS.name])[OPERATORS.name].waiting == 1
    post.client.delete(keys.conditions())
    assert ConditionMemory(post.client, add_alert=alerts.add_alert).update([], post.clock()) == ()
    assert post.lane_admin.abandon(mine.id, removed=False) == len(keys.cells())
    assert len(list(service.dead_letters())) == len(keys.cells())
    post.lane_admin.enable(mine.id)
    assert len(list(service.redeliver_dead())) == len(keys.cells())
    post.lane_admin.send_test(mine.id)
    post.lane_admin.disable(mine.id)
    post.subscribers.remove(mine.id)
    assert post.subscribers.all() == []

    eraser = CompanyEraser(post.client)
    for cell in keys.cells():
        removed = eraser.erase(company_in(cell), post.clock())
        assert (len(removed.notifications), len(removed.stream)) == (1, 1)
    assert (post.client.xlen(keys.stream()), cells.count(post.client, keys.outbox)) == (0, 0)
    assert cells.count(post.client, keys.erasures) == 0
