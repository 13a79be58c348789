"""Which drain serves which cell."""

import threading

from processor.store import keys, leases
from processor.store.inbox import ASKED, REPLAYED_AFTER
from processor.store.leases import CellLeases
from tests.support import messages
from tests.support.workbench import Workbench, company_in


def drains(client, number):
    return [CellLeases(client) for _ in range(number)]


def renew(*several):
    """Renew twice in turn: a drain notices in its next turn what another has taken."""
    for drain in several * 2:
        drain.renew()


def served(*several):
    """How many cells each serves; every cell is served by one."""
    assert sorted(cell for drain in several for cell in drain.held) == list(keys.cells())
    return [len(drain.held) for drain in several]


def test_a_drain_alone_serves_all_cells_also_those_for_which_one_was_requested(client):
    client.set(keys.wake(3), ASKED)
    (alone,) = drains(client, 1)

    renew(alone)

    assert served(alone) == [16]
    assert all(0 < client.pttl(keys.wake(cell)) <= leases.LEASE_MS for cell in keys.cells())


def test_each_drain_that_comes_gets_its_share_and_leaves_it_to_the_others(client):
    first, second, third = drains(client, 3)
    renew(first)
    renew(first, second)
    assert served(first, second) == [8, 8]
    renew(first, second, third)
    assert sorted(served(first, second, third)) in ([4, 6, 6], [5, 5, 6])

    second.release()
    renew(third, first)

    assert served(first, third) == [8, 8]


def test_the_cells_of_a_dead_drain_are_free_when_its_leases_end(client):
    dead, alive = drains(client, 2)
    renew(dead, alive)
    for cell in dead.held:
        client.delete(keys.wake(cell))  # as time does

    renew(alive)

    assert served(alive) == [16]


def test_a_drain_waits_for_all_its_cells_at_once(client):
    bench = Workbench(client)
    drain = CellLeases(client)
    drain.renew()
    assert drain.waiting(1) == ([], [])
    result = []
    thread = threading.Thread(target=lambda: result.append(drain.waiting(60_000)))
    thread.start()
    bench.fill([messages.connected(company_in(5), "connection-1")])
    thread.join(30)
    bench.fill([messages.connected(company_in(11), "connection-2")])
    old = messages.connected(company_in(7), "connection-3", at=bench.clock() - REPLAYED_AFTER * 2)
    bench.fill([old])

    assert result == [([5], [])]
    new, replays = drain.waiting(0)
    assert (sorted(new), replays) == ([5, 11], [7])


def test_what_waits_at_the_end_is_left_to_a_drain_that_is_requested(client):
    bench = Workbench(client)
    drain = CellLeases(client)
    drain.renew()
    bench.fill([messages.connected(company_in(5), "connection-1")])

    assert drain.release()

    held = {cell: client.get(keys.wake(cell)) for cell in keys.cells() if client.exists(keys.wake(cell))}
    assert held == {5: ASKED.encode()}
    assert bench.drain().run().handled == 1


def test_a_cell_that_another_drain_has_taken_is_not_given_up(client):
    first, second = drains(client, 2)
    first.renew()
    second.renew()

    assert not first.release()

    assert [client.exists(keys.wake(cell)) for cell in second.held] == [1] * 8


def test_a_commit_leaves_the_lease_alone(client):
    bench = Workbench(client)
    bench.fill([messages.connected(company_in(5), "connection-1")])
    client.set(keys.wake(5), "another")

    bench.drain().batch(5)

    assert client.get(keys.wake(5)) == b"another"
