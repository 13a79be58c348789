"""Engines that are started with options of their own, on a port, and ended by their own process."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import BusyLoadingError, Redis, RedisError

from processor.runtime.embedded_engine import get_binary_path
from tests.support.ports import own_port
from tests.support.service import until

PROMPT_SYNC = ("--repl-diskless-sync-delay", "0")
"""A replica is served at once: the engine waits five seconds for others to come."""


@contextlib.contextmanager
def own_engine(folder: Path, *options: str) -> Iterator[str]:
    """The address of a new engine on a port of its own; ``options`` as on the engine's command line."""
    folder.mkdir(parents=True, exist_ok=True)
    bus = str(own_port())  # a cluster's own choice is 10,000 above the engine's port, which may be taken
    with _process(folder, "--save", "", "--cluster-port", bus, *options) as url:
        yield url


@contextlib.contextmanager
def _process(folder: Path, *options: str) -> Iterator[str]:
    port = own_port()
    argv = [str(get_binary_path()), *options, "--port", str(port), "--bind", "127.0.0.1"]
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            with Redis(port=port) as client:
                until(lambda: _answers(client, process))
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()


@contextlib.contextmanager
def cluster_node(folder: Path) -> Iterator[str]:
    """The address of a cluster of one node, which holds every slot."""
    with own_engine(folder, "--cluster-enabled", "yes") as url, Redis.from_url(url) as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        until(lambda: b"cluster_state:ok" in raw_cluster_info(client))
        yield url


@contextlib.contextmanager
def sentinel(folder: Path, primary: int) -> Iterator[str]:
    """The address of a Sentinel that watches the primary on this port, under the name ``ours``."""
    folder.mkdir(parents=True)
    config = folder / "sentinel.conf"
    config.write_text(f"sentinel monitor ours 127.0.0.1 {primary} 1\n")
    with _process(folder, str(config), "--sentinel") as url:
        yield url


@contextlib.contextmanager
def watched_service(folder: Path, *, replicas: int) -> Iterator[str]:
    """The address of a primary with replicas under a Sentinel that does without it after 300 ms."""
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(own_engine(folder / "primary", *PROMPT_SYNC))
        port = urlsplit(primary).port
        for number in range(replicas):
            following = ("--replicaof", f"127.0.0.1 {port}", *PROMPT_SYNC)
            stack.enter_context(own_engine(folder / f"replica-{number}", *following))
        with Redis.from_url(primary) as client:
            until(lambda: replicas_of(client) == replicas)
            watching = stack.enter_context(sentinel(folder / "sentinel", port or 0))
            with Redis.from_url(watching) as asked:
                for option, value in (("down-after-milliseconds", 300), ("failover-timeout", 2000)):
                    asked.execute_command("SENTINEL", "SET", "ours", option, value)
                until(lambda: asked.sentinel_master("ours")["num-slaves"] == replicas)
        yield f"redis+sentinel://{urlsplit(watching).netloc}/ours"


@contextlib.contextmanager
def cluster(folder: Path, primaries: int, *, replicas: int = 0) -> Iterator[str]:
    """The address of a cluster; each primary has an equal part of the slots and so many replicas."""
    with contextlib.ExitStack() as stack:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", *PROMPT_SYNC)
        urls = [
            stack.enter_context(own_engine(folder / f"node-{number}", *options))
            for number in range(primaries * (1 + replicas))
        ]
        clients = [stack.enter_context(Redis.from_url(url)) for url in urls]
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
        yield f"redis+cluster://{','.join(urlsplit(url).netloc for url in urls)}"


def _knows(client: "Redis[Any]", nodes: int) -> bool:
    info = raw_cluster_info(client)
    return f"cluster_known_nodes:{nodes}".encode() in info and b"cluster_state:ok" in info


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


def _answers(client: "Redis[Any]", process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, f"the engine ended with {process.returncode}"
    try:
        return bool(client.ping())
    except BusyLoadingError:
        return True
    except RedisError:
        return False
