"""A primary dies under load and a replica takes over, behind Sentinels and in a cluster.

Messages are accepted when one replica has them (``ACK_REPLICAS=1``), and there is one: the engine that died
is started again at once as a replica, as the supervisor of a server does it.
"""

import contextlib
import itertools
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from redis import Redis, RedisError

from processor.store import keys
from processor.store.cluster import ClusterClient
from tests.reliability.outside import RATE, Client, judge, traffic
from tests.reliability.report import Bound, Chapter, times
from tests.support import messages
from tests.support.engines import (
    EngineGroup,
    EngineProcess,
    cluster_engines,
    own_engine,
    raw_cluster_info,
    replicas_of,
    watched_engines,
)
from tests.support.percentile import percentile
from tests.support.service import until

ACCEPTING_LIMIT_S = 5.0
KEPT = ("--appendonly", "yes", "--repl-diskless-sync", "no")
"""Engines keep what they have, and write it once a second; a replica counts as soon as it has a copy."""


class Engines(Protocol):
    """Engines of which one can take over from another; ``environ`` are the settings of their service."""

    title: str
    environ: dict[str, str]

    def until_whole(self) -> None:
        """Wait until every primary has its replica."""

    def primary(self, client: "Redis[Any]", cell: int) -> EngineProcess:
        """The engine that has this cell."""

    def until_replaced(self, old: EngineProcess) -> None:
        """Wait until another one has taken over from this primary."""

    def back(self, dead: EngineProcess) -> None:
        """Wait until another one has taken over, and start this one again as its replica."""

    def cut_off(self, primary: EngineProcess) -> contextlib.AbstractContextManager[None]:
        """The other engines and this one do not see each other; who uses it, sees them all."""


class Watched:
    """A primary and a replica behind a Sentinel."""

    title = "failovers behind a Sentinel"
    CUT_OFF = "a primary that is cut off from its Sentinel"
    RETURN = ": a Sentinel waits 8 s before it makes a returned primary a replica"
    DOWN_AFTER_MS = 1500
    """A Sentinel needs 1 s to reach the primary that it has just named; with less it gives that up too."""

    def __init__(self, group: EngineGroup) -> None:
        self._group = group
        self._sentinel = Redis.from_url(group.sentinel_url)
        self.environ = {"REDIS_URL": group.url}

    @classmethod
    @contextlib.contextmanager
    def started(cls, folder: Path) -> Iterator["Watched"]:
        """A new one."""
        with watched_engines(folder, *KEPT, replicas=1, down_after_ms=cls.DOWN_AFTER_MS) as group:
            made = cls(group)
            with made._sentinel:
                yield made

    def until_whole(self) -> None:
        """Wait until the replica has everything, and the Sentinel knows it."""
        until(lambda: _has_replica(self._group.engines[self.port()]))
        until(lambda: [row["is_sdown"] for row in self._sentinel.sentinel_slaves("ours")] == [False])

    def port(self) -> int:
        """The port of the primary, as the Sentinel knows it."""
        _, port = self._sentinel.sentinel_get_master_addr_by_name("ours")
        return int(port)

    def primary(self, client: "Redis[Any]", cell: int) -> EngineProcess:  # noqa: ARG002 - one has all cells
        """The engine that has this cell."""
        return self._group.engines[self.port()]

    def until_replaced(self, old: EngineProcess) -> None:
        """Wait until the Sentinel names another one."""
        until(lambda: self.port() != old.port)

    def back(self, dead: EngineProcess) -> None:
        """Wait until another one has taken over, and start this one again as its replica."""
        (other,) = (engine for engine in self._group.engines.values() if engine is not dead)
        until(lambda: _is_primary(other))
        dead.start("--replicaof", f"127.0.0.1 {other.port}")

    @contextlib.contextmanager
    def cut_off(self, primary: EngineProcess) -> Iterator[None]:
        """The Sentinel and the replica do not see the primary."""
        with _refused(primary, "ping", "psync", "sync"):
            yield


class Clustered:
    """Three primaries with a replica each, and a plain server for RQ."""

    title = "failovers of a cluster"
    CUT_OFF = "a primary that is cut off from its cluster"
    RETURN = ", because the returned primary becomes a replica at once"

    def __init__(self, group: EngineGroup, queue_url: str) -> None:
        self._group = group
        self.environ = {"REDIS_URL": group.url, "QUEUE_REDIS_URL": queue_url}

    @classmethod
    @contextlib.contextmanager
    def started(cls, folder: Path) -> Iterator["Clustered"]:
        """A new one."""
        debug = ("--enable-debug-command", "yes")
        with (
            cluster_engines(folder, *KEPT, *debug, primaries=3, replicas=1) as group,
            own_engine(folder / "queue") as queue_url,
        ):
            yield cls(group, queue_url)

    def until_whole(self) -> None:
        """Wait until there are three primaries with a replica each, and all agree."""
        until(lambda: sum(map(_has_replica, self._group.engines.values())) == 3)
        until(lambda: all(map(_says_ok, self._group.engines.values())))

    def primary(self, client: "Redis[Any]", cell: int) -> EngineProcess:
        """The engine that has this cell."""
        assert isinstance(client, ClusterClient)
        node = client.node_of(keys.cursor(cell))
        return self._group.engines[int(node.info("server")["tcp_port"])]

    def until_replaced(self, old: EngineProcess) -> None:
        """Wait until three others are primaries."""
        others = [engine for engine in self._group.engines.values() if engine is not old]
        until(lambda: sum(map(_is_primary, others)) == 3)

    def back(self, dead: EngineProcess) -> None:
        """Wait until another one has taken over, and start this one again, which then follows it."""
        self.until_replaced(dead)
        dead.start()

    @contextlib.contextmanager
    def cut_off(self, primary: EngineProcess) -> Iterator[None]:
        """No packet of the cluster's bus gets through, and no replica follows.

        A primary that sees no other one refuses after ``cluster-node-timeout``: that of this one is longer.
        """
        with Redis.from_url(primary.url) as client, _refused(primary, "psync", "sync"):

            def set_bus(timeout_ms: int, *, is_cut: bool) -> None:
                client.config_set("cluster-node-timeout", timeout_ms)
                for name, value in (
                    ("DISABLE-CLUSTER-RECONNECTION", int(is_cut)),
                    ("CLOSE-CLUSTER-LINK-ON-PACKET-DROP", int(is_cut)),
                    ("DROP-CLUSTER-PACKET-FILTER", -2 if is_cut else -1),  # all packets, or none
                ):
                    client.execute_command("DEBUG", name, value)

            set_bus(600_000, is_cut=True)
            yield
            set_bus(1_000, is_cut=False)


@contextlib.contextmanager
def _refused(engine: EngineProcess, *commands: str) -> Iterator[None]:
    """Commands that the engine refuses; its replicas have to come again."""
    with Redis.from_url(engine.url) as client:
        client.acl_setuser("default", enabled=True, commands=[f"-{name}" for name in commands])
        client.client_kill_filter(_type="replica")
        yield
        client.acl_setuser("default", enabled=True, commands=[f"+{name}" for name in commands])


def _info(engine: EngineProcess) -> Mapping[str, Any]:
    with Redis.from_url(engine.url) as client, contextlib.suppress(RedisError):
        return client.info("replication")
    return {}


def _is_primary(engine: EngineProcess) -> bool:
    return _info(engine).get("role") == "master"


def _has_replica(engine: EngineProcess) -> bool:
    with Redis.from_url(engine.url) as client, contextlib.suppress(RedisError):
        return replicas_of(client) == 1
    return False


def _says_ok(engine: EngineProcess) -> bool:
    with Redis.from_url(engine.url) as client, contextlib.suppress(RedisError):
        return b"cluster_state:ok" in raw_cluster_info(client)
    return False


def company_of(cell: int) -> str:
    """The id of a company of this cell."""
    names = (f"company-{number}" for number in itertools.count())
    return next(name for name in names if keys.cell_of(name) == cell)


def chapter(kind: type[Watched] | type[Clustered], times_: int, *, rate: float = RATE) -> Chapter:
    """Kill the primary so many times; what became of the promises."""
    accepting, handled = [], []
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as folder,
        kind.started(Path(folder)) as engines,
        traffic(rate, **engines.environ, ACK_REPLICAS="1") as (service, sent, subscriber),
        service.redis() as client,
    ):
        caller = Client(service)
        for turn in range(times_):
            sent.go_on()
            seconds = _fail_over(engines, caller, client, turn)
            sent.others.append(f"failover-{turn}")
            accepting.append(seconds[0])
            handled.append(seconds[1])
        engines.until_whole()
        caller.close()
        sent.stop()
        faults = judge(service, sent, subscriber)
    body = [
        f"{times_} primaries were killed with `ACK_REPLICAS=1` while {len(sent.accepted):,} messages were "
        f"accepted, {sent.repeated:,} of them sent again. Seconds from the death:",
        "",
        *times("until", [("a message for it is accepted", accepting), ("that message is handled", handled)]),
    ]
    bound = Bound(f"{kind.title}: accepting again, p99", percentile(accepting, 0.99), ACCEPTING_LIMIT_S)
    return Chapter(kind.title, faults, body, [bound])


def _fail_over(engines: Engines, caller: Client, client: "Redis[Any]", turn: int) -> tuple[float, float]:
    """Kill a primary; the seconds until a message for it is accepted, and handled."""
    engines.until_whole()
    cell = turn % len(keys.cells())
    dead = engines.primary(client, cell)
    starting = threading.Thread(target=engines.back, args=(dead,))
    event_id = f"failover-{turn}"
    began = time.monotonic()
    dead.kill()
    starting.start()
    caller.post(event_id, messages.connected(company_of(cell), event_id, at=datetime.now(UTC)))
    accepted_s = time.monotonic() - began
    until(lambda: caller.is_handled(event_id), poll_s=0.05)
    handled_s = time.monotonic() - began
    starting.join()
    return accepted_s, handled_s
