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
