"""A cluster used like one server."""

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisError, ResponseError, WatchError
from redis.exceptions import ClusterDownError, TryAgainError

from processor.delivery.subscribers import Subscribers
from processor.runtime.preflight.redis import check_redis
from processor.runtime.preflight.results import CheckStatus
from processor.settings.loading import load
from processor.store import capacity, each_cell, keys
from processor.store.client import connect
from processor.store.cluster import ClusterClient
from processor.store.cluster_pipelines import NodesPipeline
from processor.store.leases import CellLeases
from processor.store.scripts import register
from tests.support import messages
from tests.support.engines import cluster, cluster_engines, half_moved, kill_primary, own_engine
from tests.support.messages import signed
from tests.support.service import messages_of, until
from tests.support.serving import ADDRESS, ENVIRON, serving
from tests.support.workbench import Workbench, company_in

PRIMARIES = 3
PATIENT = "?socket_timeout=60&socket_connect_timeout=60"
AUTHORIZED = {"Authorization": "Bearer key"}
NOWHERE = "unix:///nonexistent"


@pytest.fixture(scope="module")
def cluster_url() -> Iterator[str]:
    """A cluster of three primaries, for the tests of this module."""
    with tempfile.TemporaryDirectory(prefix="codat-") as folder, cluster(Path(folder), PRIMARIES) as url:
        yield url + PATIENT


@pytest.fixture
def client(cluster_url: str) -> Iterator[ClusterClient]:
    """A client of the emptied cluster."""
    with contextlib.closing(connect(cluster_url, timeout_s=5)) as made:
        assert isinstance(made, ClusterClient)
        made.flushall()
        yield made


class Sender:
    """Sends messages of new companies, and knows which were accepted."""

    def __init__(self, url: str, **environ: Any) -> None:
        self.caller = serving(url, QUEUE_REDIS_URL=NOWHERE, API_KEYS="key", **environ)
        self.accepted: set[str] = set()
        self._numbers = itertools.count()

    def post(self, cell: int | None = None) -> int:
        """The status of the answer to the next message, or to the next one of a company of this cell."""
        company_id = next(
            name
            for name in (f"company-{number}" for number in self._numbers)
            if cell in (None, keys.cell_of(name))
        )
        body = messages.created(company_id, f"connection-of-{company_id}")
        answer = self.caller.post(ADDRESS, data=body, headers=signed(body, company_id))
        assert answer.status_code in (202, 503), answer.data
        if answer.status_code == 202:
            self.accepted.add(company_id)
        return answer.status_code

    def lost(self) -> set[str]:
        """The accepted messages that were not handled."""
        return {
            event_id
            for event_id in self.accepted
            if (self.caller.get(f"/v1/events/{event_id}", headers=AUTHORIZED).json or {}).get("status")
            != "processed"
        }


def handle_all(client: "Redis[Any]") -> None:
    """Handle all messages that wait."""
    bench = Workbench(client)
    while bench.inbox.depth():
        bench.drain().run()


def test_messages_of_all_nodes_are_kept_and_handled(client: ClusterClient, cluster_url: str) -> None:
    sender = Sender(cluster_url)

    assert [sender.post(cell) for cell in keys.cells()] == [202] * len(keys.cells())
    leases = CellLeases(client)
    leases.renew()
    assert set().union(*leases.waiting(0)) == set(keys.cells())
    leases.release()
    handle_all(client)

    assert sender.lost() == set()
    assert sum(1 for _ in each_cell.members(client, keys.events)) == len(keys.cells())
    assert all(int(node.dbsize()) > 0 for node in client.primaries())


def test_a_pipeline_goes_to_all_nodes(client: ClusterClient) -> None:
    each_cell.replies(client, lambda pipe, cell: pipe.set(keys.cursor(cell), cell))
    before = [calls(node, "get") for node in client.primaries()]

    cursors = each_cell.replies(client, lambda pipe, cell: pipe.get(keys.cursor(cell)))

    assert [int(cursor) for cursor in cursors] == list(keys.cells())
    after = [calls(node, "get") for node in client.primaries()]
    assert sum(after) - sum(before) == len(keys.cells())
    assert all(now > then for now, then in zip(after, before, strict=True))


def test_check_knows_a_cluster_and_what_it_lacks(client: ClusterClient, cluster_url: str) -> None:
    settings = load({**ENVIRON, "REDIS_URL": cluster_url, "QUEUE_REDIS_URL": NOWHERE, "ACK_REPLICAS": "1"})
    client.primaries()[1].config_set("maxmemory-policy", "allkeys-lru")
    try:
        results = [(result.status, result.sentence) for result in check_redis(settings, cluster_url)]
    finally:
        client.primaries()[1].config_set("maxmemory-policy", "noeviction")

    assert (CheckStatus.OK, "The cluster serves all slots with 3 primaries.") in results
    errors = [sentence for status, sentence in results if status is CheckStatus.ERROR]
    assert sum("Persistence is off" in sentence for sentence in errors) == PRIMARIES
    assert sum("every message would be answered 503" in sentence for sentence in errors) == PRIMARIES
    assert sum("allkeys-lru" in sentence for sentence in errors) == 1
    assert client.dbsize() == 0


def test_a_primary_that_takes_no_writes_is_found_by_readyz(client: ClusterClient, cluster_url: str) -> None:
    """A message to one cell proves nothing of the others."""
    caller = serving(cluster_url, QUEUE_REDIS_URL=NOWHERE)
    for full in client.primaries():
        full.config_set("maxmemory", "1")
        try:
            assert caller.get("/readyz").status_code == 503
        finally:
            full.config_set("maxmemory", "0")
    assert caller.get("/readyz").status_code == 200


def test_a_command_for_all_primaries_reaches_each(client: ClusterClient) -> None:
    """Erasing a company ended with an error: no key of it says where the file is to be rewritten."""
    before = [calls(node, "bgrewriteaof") for node in client.primaries()]
    client.bgrewriteaof()
    assert [calls(node, "bgrewriteaof") for node in client.primaries()] == [count + 1 for count in before]

    refusing, *others = client.primaries()  # as one whose file is being rewritten
    refusing.acl_setuser("default", enabled=True, commands=["-bgrewriteaof"])
    try:
        with pytest.raises(ResponseError, match="permissions"):
            client.bgrewriteaof()
    finally:
        refusing.acl_setuser("default", enabled=True, commands=["+bgrewriteaof"])
    assert [calls(node, "bgrewriteaof") for node in others] == [count + 2 for count in before[1:]]


def test_three_primaries_carry_two_and_a_half_times_as_much_as_one(
    client: ClusterClient, tmp_path: Path
) -> None:
    """By commands, which do not depend on the machine; the CPU is measured by ``make bench``."""

    def most_commands(store: "Redis[Any]", nodes: "list[Redis[Any]]") -> int:
        for node in nodes:
            node.config_resetstat()
        bench = Workbench(store)
        bench.fill(messages_of(2_400, companies=600, connections=600).values())
        bench.drain_all()
        return max(sum(int(row["calls"]) for row in node.info("commandstats").values()) for node in nodes)

    with own_engine(tmp_path) as url, contextlib.closing(connect(url, timeout_s=60)) as server:
        alone = most_commands(server, [server])
    assert most_commands(client, client.primaries()) / alone <= 0.4


def test_a_script_that_a_node_lost_is_loaded_again(client: ClusterClient) -> None:
    script = register(client, "rest")
    for node in client.primaries():
        node.script_flush()

    with client.pipeline(transaction=False) as pipe:
        for cell in keys.cells():
            script(keys=[keys.wake(cell), *keys.inboxes(cell)], args=["token", "asked", 1000], client=pipe)
        assert len(pipe.execute()) == len(keys.cells())


def test_an_interrupted_pipeline_leaves_no_connection_behind(client: ClusterClient) -> None:
    """The time limit of a job may end it while the replies of other nodes are on their way."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    pipe = client.pipeline(transaction=False)
    assert isinstance(pipe, NodesPipeline)
    for cell in keys.cells():
        pipe.set(keys.cursor(cell), 5)
        pipe.get(keys.cursor(cell))
    with pytest.raises(KeyboardInterrupt):
        pipe.execute_each(check=interrupt)

    for node in client.primaries():
        pool = node.connection_pool
        assert pool.pool.qsize() == pool.max_connections
    assert each_cell.replies(client, lambda pipe, cell: pipe.get(keys.cursor(cell))) == [b"5"] * len(
        keys.cells()
    )


def test_a_transaction_watches_in_its_slot(client: ClusterClient) -> None:
    name = keys.cursor(3)
    with client.pipeline(transaction=True) as pipe:
        pipe.watch(name)
        client.set(name, 5)
        pipe.multi()
        pipe.incr(name)
        with pytest.raises(WatchError):
            pipe.execute()
    with client.pipeline(transaction=True) as pipe:
        pipe.incr(name)
        pipe.set(keys.wake(3), "token")
        assert pipe.execute() == [6, True]


def test_slots_that_move_under_load_lose_nothing(client: ClusterClient, cluster_url: str) -> None:
    """What was watched on the old node is repeated on the new one."""
    sender = Sender(cluster_url)
    source, target = client.primaries()[:2]
    target_id = target.execute_command("CLUSTER", "MYID").decode()
    for cell in keys.cells():
        sender.post(cell)
    moved = [cell for cell in keys.cells() if client.node_of(keys.cursor(cell)) is source]
    pipe = client.pipeline(transaction=True)
    pipe.watch(keys.cursor(moved[0]))

    for cell in moved:
        slot = client.connected().keyslot(keys.cursor(cell))
        source.execute_command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target_id)
        until(posting(sender, None))
    until(lambda: all(sender.post(cell) == 202 for cell in moved))
    until(lambda: source.dbsize() == 0)

    with pipe:
        pipe.multi()
        pipe.incr(keys.cursor(moved[0]))
        with pytest.raises(WatchError):
            pipe.execute()
    handle_all(client)
    assert sender.lost() == set()
    assert all(client.node_of(keys.cursor(cell)) is target for cell in moved)


def test_a_message_whose_slot_no_node_serves_is_answered_503_until_one_does(
    client: ClusterClient, cluster_url: str
) -> None:
    """Its node says CLUSTERDOWN."""
    sender, cell = Sender(cluster_url), keys.cells()[0]
    assert sender.post(cell) == 202
    node, slot = client.node_of(keys.cursor(cell)), client.connected().keyslot(keys.cursor(cell))

    node.execute_command("CLUSTER", "DELSLOTS", slot)
    try:
        with pytest.raises(ClusterDownError):
            node.get(keys.cursor(cell))
        assert sender.post(cell) == 503
    finally:
        node.execute_command("CLUSTER", "ADDSLOTS", slot)

    until(posting(sender, cell))
    handle_all(client)
    assert sender.lost() == set()


def test_a_slot_that_is_half_moved_stops_its_cell_alone(client: ClusterClient, cluster_url: str) -> None:
    """Drains, lists and pages of all cells ended with an error for as long as the move took."""
    sender, (cell, other, *_) = Sender(cluster_url, OPERATOR_PASSWORD="pw"), keys.cells()
    fill = [company_in(other, nth=number) for number in range(20)]
    for number in keys.cells():
        assert sender.post(number) == 202
    handle_all(client)
    Subscribers(client, allow_private=True).add(url="http://127.0.0.1:9/")
    name = keys.cursor(cell)
    source = client.node_of(name)
    target = next(node for node in client.primaries() if node is not source)
    settings = load({**ENVIRON, "REDIS_URL": cluster_url, "QUEUE_REDIS_URL": NOWHERE})

    with half_moved(source, target, client.connected().keyslot(name)):
        assert sender.post(cell) == 503
        bench = Workbench(client)
        bench.send(*(messages.created(company_id, f"new-of-{company_id}") for company_id in fill))
        assert bench.drain().run(other).handled == len(fill)  # new: they are looked for in all cells
        with contextlib.suppress(TryAgainError):  # of the cell that moves
            bench.drain().run()
        for path in ("/v1/connections", "/v1/events", "/v1/notifications", "/v1/subscribers"):
            assert sender.caller.get(path, headers=AUTHORIZED).status_code == 200
        assert sender.caller.get("/ops", auth=("operator", "pw")).status_code == 200
        said = [result.sentence for result in check_redis(settings, cluster_url)]
        assert any("1 slot(s) of the cluster are being moved" in sentence for sentence in said)
        assert not any("REDIS_URL must begin with redis+cluster" in sentence for sentence in said)

    client.delete(keys.wake(cell))  # its lease, which could not be given up
    until(posting(sender, cell))
    handle_all(client)
    assert sender.lost() == set()


def test_a_slot_that_moves_is_waited_for_once_in_a_pipeline(client: ClusterClient) -> None:
    """Each command waited by itself: a look at many lanes took many seconds, and no lane was served."""
    cell, script = keys.cells()[0], register(client, "rest")
    names = [keys.wake(cell), *keys.inboxes(cell)]
    client.set(names[0], "token")
    for name in names[1:]:
        client.xadd(name, {"a": "1"})
    source = client.node_of(names[0])
    target = next(node for node in client.primaries() if node is not source)
    with half_moved(source, target, client.connected().keyslot(names[0])):
        before = sum(refusals(node) for node in (source, target))
        with client.pipeline(transaction=False) as pipe:
            for _ in range(20):
                script(keys=names, args=["token", "asked", 1000], client=pipe)
            replies = pipe.execute(raise_on_error=False)
        assert {type(reply) for reply in replies} == {TryAgainError}
        assert sum(refusals(node) for node in (source, target)) - before <= 40
        assert client.exists(*names) == len(names)


def test_readyz_says_that_a_node_is_taken_for_a_server(client: ClusterClient) -> None:
    """It named a slot and an address, and nothing else."""
    places = [node.connection_pool.connection_kwargs for node in client.primaries()]
    said = [serving(f"redis://{row['host']}:{row['port']}").get("/readyz").data for row in places]
    assert sum(b"REDIS_URL must begin with redis+cluster" in text for text in said) >= PRIMARIES - 1


def test_connections_to_a_node_that_is_gone_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stayed open, one socket each, for as long as the process lived."""
    with cluster(tmp_path, 2) as url, contextlib.closing(connect(url, timeout_s=5)) as client:
        assert isinstance(client, ClusterClient)
        home, leaving = client.node_of("{06S}"), client.node_of("{foo}")
        assert home is not leaving
        pool = leaving.connection_pool
        taken = [pool.get_connection() for _ in range(3)]
        for connection in taken:
            pool.release(connection)
        monkeypatch.setattr(
            "random.shuffle", lambda nodes: nodes.sort(key=lambda node: node.redis_connection is leaving)
        )  # which node the library asks first
        leaving_id = leaving.execute_command("CLUSTER", "MYID").decode()
        leaving.execute_command("CLUSTER", "RESET")
        home.execute_command("CLUSTER", "DELSLOTSRANGE", 8192, 16383)
        home.execute_command("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
        home.execute_command("CLUSTER", "FORGET", leaving_id)

        def is_gone() -> bool:
            client.refresh()
            return pool not in client.pools()

        until(is_gone)
        assert not any(connection.works for connection in taken)


def test_a_cluster_whose_known_nodes_were_all_replaced_is_found_by_its_address(tmp_path: Path) -> None:
    """The library asks only the nodes that it saw last: the service failed until it was started again."""
    with (
        cluster_engines(tmp_path, primaries=1, replicas=1) as group,
        contextlib.closing(connect(group.url, timeout_s=5)) as client,
    ):
        assert isinstance(client, ClusterClient)
        client.ping()
        assert len(client.pools()) == 1  # nothing was written: the replica is not shown yet
        (old,) = (pool.connection_kwargs["port"] for pool in client.pools())
        group.engines[old].kill()
        (new,) = (engine for port, engine in group.engines.items() if port != old)
        with Redis.from_url(new.url) as replica:
            replica.execute_command("CLUSTER", "FAILOVER", "TAKEOVER")

        def is_found() -> bool:
            try:
                return bool(client.set("{foo}", "bar"))
            except RedisError:
                return False

        until(is_found)


def test_a_killed_primary_costs_no_message_and_stops_its_cells_alone(tmp_path: Path) -> None:
    """Its replica is promoted; then this part of the slots has no replica any more."""
    with (
        cluster(tmp_path, PRIMARIES, replicas=1) as url,
        contextlib.closing(connect(url, timeout_s=5)) as own,
    ):
        assert isinstance(own, ClusterClient)
        careful, careless = Sender(url, ACK_REPLICAS="1"), Sender(url)
        first, *_, last = keys.cells()
        for cell in keys.cells():
            until(posting(careful, cell))

        kill_primary(own.node_of(keys.cursor(first)))

        assert careful.post(first) == 503
        assert careful.caller.get("/readyz").status_code == 503
        until(posting(careful, last))
        until(posting(careless, first))
        assert careful.post(first) == 503  # no replica follows the promoted one
        until(lambda: careless.caller.get("/readyz").status_code == 200)
        handle_all(own)
        assert careful.lost() | careless.lost() == set()


def posting(sender: Sender, cell: int | None) -> Callable[[], bool]:
    """A function that sends a message of this cell, and says whether it was accepted."""
    return lambda: sender.post(cell) == 202


def refusals(node: "Redis[Any]") -> int:
    """How often this node said TRYAGAIN."""
    return int(node.info("errorstats").get("errorstat_TRYAGAIN", {"count": 0})["count"])


def calls(node: "Redis[Any]", command: str) -> int:
    """How often this command was executed by a node."""
    return int(node.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])


def test_the_memory_of_a_cluster_is_that_of_all_primaries(client: ClusterClient) -> None:
    """The operators' overview compared the messages of all cells with the memory of one primary."""
    Workbench(client).handle(*(messages.other(company_id=f"company-{number}") for number in range(40)))
    nodes = client.primaries()
    try:
        for number, node in enumerate(nodes):
            node.config_set("maxmemory", str((64 + number) * 1024 * 1024))
        room = capacity.read(client, Workbench(client).clock())
    finally:
        for node in nodes:
            node.config_set("maxmemory", "0")

    assert room is not None
    assert (room.limit_bytes, room.messages_per_day) == (len(nodes) * 64 * 1024 * 1024, 40)
    assert 0.5 * room.limit_bytes < room.free_bytes < room.limit_bytes
