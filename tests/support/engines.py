"""Engines that are started with options of their own, on a port, and ended by their own process."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import BusyLoadingError, Redis, RedisError

from processor.runtime.embedded_engine import get_binary_path
from tests.support.ports import own_port
from tests.support.service import until

PROMPT_SYNC = ("--repl-diskless-sync-delay", "0")
"""A replica is served at once: the engine waits five seconds for others to come."""


class EngineProcess:
    """An engine on a port of its own that can be killed and started again in its folder.

    ``options`` are those of the engine's command line.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = own_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.folder, self._options = folder, options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def start(self, *more: str, is_awaited: bool = True) -> None:
        """Start it with its options and some more, and wait until it answers unless told otherwise."""
        place = ("--port", str(self.port), "--bind", "127.0.0.1")
        argv = [str(get_binary_path()), *self._options, *more, *place]
        # What Python ignores, the engine ignores too, among it the signal of a file that may grow no more.
        self._process = subprocess.Popen(
            argv, cwd=self.folder, stdout=subprocess.DEVNULL, restore_signals=False
        )
        if is_awaited:
            with Redis(port=self.port) as client:
                until(lambda: _answers(client, self._process))

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> "EngineProcess":
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def engine(folder: Path, *options: str) -> EngineProcess:
    """An engine that keeps nothing on disk, unless its options say so."""
    bus = str(own_port())  # a cluster's own choice is 10,000 above the engine's port, which may be taken
    return EngineProcess(folder, "--save", "", "--cluster-port", bus, *options)


@contextlib.contextmanager
def own_engine(folder: Path, *options: str) -> Iterator[str]:
    """The address of a new engine on a port of its own; ``options`` as on the engine's command line."""
    with engine(folder, *options) as process:
        yield process.url


@contextlib.contextmanager
def cluster_node(folder: Path) -> Iterator[str]:
    """The address of a cluster of one node, which holds every slot."""
    with own_engine(folder, "--cluster-enabled", "yes") as url, Redis.from_url(url) as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        until(lambda: b"cluster_state:ok" in raw_cluster_info(client))
        yield url


def sentinel(folder: Path, primary: int) -> EngineProcess:
    """A Sentinel that watches the primary on this port, under the name ``ours``."""
    folder.mkdir(parents=True)
    config = folder / "sentinel.conf"
    config.write_text(f"sentinel monitor ours 127.0.0.1 {primary} 1\n")
    return EngineProcess(folder, str(config), "--sentinel")


@dataclass(frozen=True, slots=True)
class EngineGroup:
    """Engines behind one address, by port; ``sentinel_url`` is empty in a cluster."""

    url: str
    engines: Mapping[int, EngineProcess]
    sentinel_url: str = ""


@contextlib.contextmanager
def watched_engines(
    folder: Path, *options: str, replicas: int, down_after_ms: int = 300
) -> Iterator[EngineGroup]:
    """A primary with replicas under a Sentinel that does without it after so many milliseconds."""
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(engine(folder / "primary", *PROMPT_SYNC, *options))
        engines = {primary.port: primary}
        for number in range(replicas):
            following = ("--replicaof", f"127.0.0.1 {primary.port}", *PROMPT_SYNC, *options)
            replica = stack.enter_context(engine(folder / f"replica-{number}", *following))
            engines[replica.port] = replica
        with Redis.from_url(primary.url) as client:
            until(lambda: replicas_of(client) == replicas)
        watching = stack.enter_context(sentinel(folder / "sentinel", primary.port))
        with Redis.from_url(watching.url) as asked:
            for option, value in (("down-after-milliseconds", down_after_ms), ("failover-timeout", 2000)):
                asked.execute_command("SENTINEL", "SET", "ours", option, value)
            until(lambda: asked.sentinel_master("ours")["num-slaves"] == replicas)
        url = f"redis+sentinel://{urlsplit(watching.url).netloc}/ours"
        yield EngineGroup(url, engines, watching.url)


@contextlib.contextmanager
def watched_service(folder: Path, *, replicas: int) -> Iterator[str]:
    """The address of a primary with replicas under a Sentinel that does without it after 300 ms."""
    with watched_engines(folder, replicas=replicas) as group:
        yield group.url


@contextlib.contextmanager
def cluster_engines(folder: Path, *more: str, primaries: int, replicas: int = 0) -> Iterator[EngineGroup]:
    """A cluster; each primary has an equal part of the slots and so many replicas."""
    with contextlib.ExitStack() as stack:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", *PROMPT_SYNC, *more)
        engines = [
            stack.enter_context(engine(folder / f"node-{number}", *options))
            for number in range(primaries * (1 + replicas))
        ]
        clients = [stack.enter_context(Redis.from_url(process.url)) for process in engines]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < primaries:
                first, end = (16384 * part // primaries for part in (number, number + 1))
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            for other in clients[:number]:
                server = other.connection_pool.connection_kwargs
                bus = other.config_get("cluster-port")["cluster-port"]
                client.execute_command("CLUSTER", "MEET", server["host"], server["port"], bus)
        until(lambda: all(_knows(client, len(clients)) for client in clients))
        for number, client in enumerate(clients[primaries:]):
            client.execute_command(
                "CLUSTER", "REPLICATE", clients[number % primaries].execute_command("CLUSTER", "MYID")
            )
        until(lambda: all(replicas_of(client) == replicas for client in clients[:primaries]))
        until(lambda: all(b"cluster_state:ok" in raw_cluster_info(client) for client in clients))
        url = f"redis+cluster://{','.join(urlsplit(process.url).netloc for process in engines)}"
        yield EngineGroup(url, {process.port: process for process in engines})


@contextlib.contextmanager
def cluster(folder: Path, primaries: int, *, replicas: int = 0) -> Iterator[str]:
    """The address of a cluster; each primary has an equal part of the slots and so many replicas."""
    with cluster_engines(folder, primaries=primaries, replicas=replicas) as group:
        yield group.url


def _knows(client: "Redis[Any]", nodes: int) -> bool:
    info = raw_cluster_info(client)
    return f"cluster_known_nodes:{nodes}".encode() in info and b"cluster_state:ok" in info


@contextlib.contextmanager
def half_moved(source: "Redis[Any]", target: "Redis[Any]", slot: int) -> Iterator[None]:
    """A slot that moves key by key, and has come half of its way; it has moved at the end."""
    ids = [node.execute_command("CLUSTER", "MYID").decode() for node in (source, target)]
    place = target.connection_pool.connection_kwargs

    def move(names: list[bytes]) -> None:
        if names:
            source.execute_command("MIGRATE", place["host"], place["port"], "", 0, 5000, "KEYS", *names)

    target.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
    source.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
    try:
        move(sorted(source.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1_000))[::2])
        yield
    finally:
        while names := source.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 10):
            move(names)
        for node in (target, source):
            node.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[1])


def replicas_of(client: "Redis[Any]") -> int:
    """How many replicas follow that have all that was written before they came."""
    rows = client.info("replication").values()
    return sum(isinstance(row, dict) and row.get("state") == "online" for row in rows)


def kill_primary(client: "Redis[Any]") -> None:
    """Kill the engine that ``client`` leads to, by its own process id."""
    os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)


def raw_cluster_info(client: "Redis[Any]") -> bytes:
    """What CLUSTER INFO says, as text."""
    return bytes(str(client.execute_command("CLUSTER", "INFO")), "utf-8")


def _answers(client: "Redis[Any]", process: "subprocess.Popen[bytes] | None") -> bool:
    assert process is not None
    assert process.poll() is None, f"the engine ended with {process.returncode}"
    try:
        return bool(client.ping())
    except BusyLoadingError:
        return True
    except RedisError:
        return False
