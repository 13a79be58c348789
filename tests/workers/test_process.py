"""A worker process as the supervisor starts it."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from redis import Redis

from tests.support import messages, preloaded
from tests.support.engines import cluster_node, own_engine
from tests.support.service import LIMIT_S, until

WAITS, AGAIN = "a worker waits for Redis", "a worker reaches Redis again"
ATTEMPTS = 4
"""So many refusals are seen before a test goes on."""


class Worker:
    """``python -m workers ROLE`` and what it logs."""

    def __init__(self, folder: Path, url: str, role: str) -> None:
        self._log = folder / f"{role}.log"
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "REDIS_URL": url,
            "CODAT_WEBHOOK_SECRETS": messages.SECRET,
            "LOG_LEVEL": "WARNING",
        }
        with self._log.open("wb") as log:
            self.process = preloaded.start(["workers", role], env=environ, cwd=folder, output=log)

    def lines(self) -> list[dict[str, Any]]:
        """What it logged; fails on a line that is not JSON, as a traceback is."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def said(self, sentence: str) -> list[dict[str, Any]]:
        """Its lines with this sentence."""
        return [line for line in self.lines() if line["message"] == sentence]

    def end(self) -> int:
        """SIGTERM; its exit code."""
        self.process.terminate()
        return self.process.wait(LIMIT_S)


@contextlib.contextmanager
def worker(folder: Path, url: str, role: str = "drain") -> Iterator[Worker]:
    """A worker process, ended afterwards."""
    started = Worker(folder, url, role)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()


def at_once(scenario: Callable[[str], None], names: Iterable[str]) -> None:
    """Play a scenario under each name, all at the same time: they wait far more than they compute."""
    names = list(names)
    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(scenario, names))


def refusals(client: "Redis[Any]") -> int:
    """How often this engine refused something so far."""
    return int(client.info("stats")["total_error_replies"])


def full(client: "Redis[Any]") -> None:
    client.config_set("maxmemory", "1")


def roomy(client: "Redis[Any]") -> None:
    client.config_set("maxmemory", "0")


def demoted(client: "Redis[Any]") -> None:
    client.replicaof("127.0.0.1", "1")


def promoted(client: "Redis[Any]") -> None:
    client.replicaof("NO", "ONE")


def without_replicas(client: "Redis[Any]") -> None:
    client.config_set("min-replicas-to-write", "1")


def without_need_of_replicas(client: "Redis[Any]") -> None:
    client.config_set("min-replicas-to-write", "0")


def forbidden(client: "Redis[Any]") -> None:
    client.execute_command("ACL", "SETUSER", "default", "-@write", "-@scripting")


def allowed(client: "Redis[Any]") -> None:
    client.execute_command("ACL", "SETUSER", "default", "+@all")


SPOILT = {
    "OOM": (full, roomy),
    "READONLY": (demoted, promoted),
    "NOREPLICAS": (without_replicas, without_need_of_replicas),
    "NOPERM": (forbidden, allowed),
}


def test_a_redis_that_answers_but_refuses_is_waited_for_and_is_one_line_in_the_log_each_time(
    data_dir: Path,
) -> None:
    """28 deaths in 20 s while Redis was full, each with a traceback of forty lines.

    RQ waits for a Redis that is away, and ends where one answers with a refusal: at the start and later.
    """

    def wait_for(word: str) -> None:
        spoil, mend = SPOILT[word]
        folder = data_dir / word
        with own_engine(folder) as url, Redis.from_url(url, socket_timeout=LIMIT_S) as client:
            spoil(client)
            with worker(folder, url) as process:

                def wait_out(outage: int) -> None:
                    until(lambda: len(process.said(WAITS)) == outage)
                    before = refusals(client)
                    until(lambda: refusals(client) >= before + ATTEMPTS)
                    assert process.process.poll() is None
                    mend(client)
                    until(lambda: len(process.said(AGAIN)) == outage)

                wait_out(1)
                until(lambda: client.exists("rq:workers"))
                spoil(client)
                wait_out(2)

                assert [word in line["reason"] for line in process.said(WAITS)] == [True, True]
                assert len(process.lines()) == 4
                assert process.end() == 0

    at_once(wait_for, SPOILT)


def test_a_blocked_read_that_redis_ends_is_not_a_refusal(data_dir: Path) -> None:
    """When Redis became a replica the log named UNBLOCKED and not READONLY as the reason, now and then.

    The word that comes first is that of the read that Redis ends, where the worker was reading just then.
    """
    with own_engine(data_dir) as url, Redis.from_url(url, socket_timeout=LIMIT_S) as client:

        def unblock_readers() -> bool:
            blocked = [item["id"] for item in client.client_list() if "b" in item["flags"]]
            return any(client.client_unblock(int(id_), error=True) for id_ in blocked)

        with worker(data_dir, url) as process:
            for _ in range(ATTEMPTS):
                until(unblock_readers)
            demoted(client)
            until(lambda: process.said(WAITS))

            assert [line["message"] for line in process.lines()] == [WAITS]
            assert "READONLY" in process.lines()[0]["reason"]


def test_on_a_cluster_a_process_waits_too(data_dir: Path) -> None:
    """45 deaths on a cluster, which RQ cannot use; ``check`` says so, and the processes stay calm."""

    def wait_as(role: str) -> None:
        folder = data_dir / role
        with (
            cluster_node(folder) as url,
            Redis.from_url(url, socket_timeout=LIMIT_S) as client,
            worker(folder, url, role) as process,
        ):
            # Before its first line a process has only looked at the store; the clock pauses longer each time.
            until(lambda: process.lines() and refusals(client) >= 3)

            assert process.process.poll() is None
            assert process.end() == 0
            assert 1 <= len(process.lines()) <= 2  # a process waits in more than one place

    at_once(wait_as, ("drain", "deliver", "poll", "clock"))


def test_more_clients_than_redis_takes_are_waited_for_too(data_dir: Path) -> None:
    """For the library that is a broken connection, and the words of Redis were lost."""
    with own_engine(data_dir, "--maxclients", "1") as url, Redis.from_url(url) as client:
        client.ping()
        with worker(data_dir, url) as process:
            until(lambda: process.said(WAITS))
            client.config_set("maxclients", "100")
            until(lambda: client.exists("rq:workers"))

            (line,) = process.said(WAITS)
            assert line["reason"] == "max number of clients reached"
            assert process.end() == 0
