"""The pool of connections to Redis: bounded, waiting, and never stuck with what does not work."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import ConnectionError, Redis, ResponseError

from processor.store import pool
from processor.store.client import close_idle_always, connect
from processor.store.connection_errors import connection_error_reason
from tests.support import messages
from tests.support.engines import own_engine
from tests.support.fault_proxy import fault_proxy
from tests.support.messages import signed
from tests.support.service import LIMIT_S, until
from tests.support.serving import ADDRESS, serving

MOST = 3


@pytest.fixture
def observer(redis_url: str) -> Iterator["Redis[Any]"]:
    with Redis.from_url(redis_url) as client:
        client.ping()
        yield client


def connected(observer: "Redis[Any]") -> int:
    """How many other connections the engine has."""
    own = observer.client_id()
    return sum(int(item["id"]) != own for item in observer.client_list())


def in_use(client: "Redis[Any]", count: int) -> contextlib.ExitStack:
    """Have so many connections of ``client`` in use, until the stack is closed."""
    stack = contextlib.ExitStack()
    for _ in range(count):
        taken = client.connection_pool.get_connection()
        stack.callback(client.connection_pool.release, taken)
    return stack


def test_many_callers_share_few_connections(redis_url, observer) -> None:
    """A plan of 40 connections was used up by 34 callers: each thread opened its own, and kept it."""
    with connect(redis_url, timeout_s=LIMIT_S, max_connections=MOST) as client:
        before, seen = connected(observer), []

        def work(_: int) -> int:
            seen.append(len(client.client_list()) - 1)
            return int(client.incr("n"))

        with ThreadPoolExecutor(20) as threads:
            counts = list(threads.map(work, range(400)))

        assert sorted(counts) == list(range(1, 401))
        assert max(seen) <= before + MOST


def test_who_finds_none_free_is_told_so_in_time(redis_url) -> None:
    with (
        connect(redis_url, timeout_s=LIMIT_S, max_connections=1, wait_s=0.01) as client,
        in_use(client, 1),
        pytest.raises(ConnectionError, match="No connection available"),
    ):
        client.ping()


def test_what_is_not_used_is_closed_and_opened_again_when_needed(redis_url, observer) -> None:
    """Idle connections stayed for ever, so a new release found none left."""
    with connect(redis_url, timeout_s=LIMIT_S, max_connections=MOST) as client:
        before = connected(observer)
        in_use(client, MOST).close()
        assert connected(observer) == before + MOST
        close_idle_always(client, idle_s=0.05)
        until(lambda: connected(observer) == before)

        assert client.ping()


def test_one_in_use_is_never_closed_as_idle(redis_url) -> None:
    with connect(redis_url, timeout_s=LIMIT_S, max_connections=MOST) as client:
        taken = client.connection_pool.get_connection()
        client.connection_pool.close_idle(0)
        taken.send_command("PING")
        assert taken.read_response() in (b"PONG", "PONG")
        client.connection_pool.release(taken)


def test_a_connection_that_redis_refused_is_not_preferred_to_one_that_works(data_dir: Path) -> None:
    """1,844 of 1,909 notifications stayed untold at zero load: the pool handed out, again and again, the
    connection that Redis had refused, and never the idle ones beneath it."""
    with (
        own_engine(data_dir, "--maxclients", "1") as url,
        connect(url, timeout_s=LIMIT_S, max_connections=MOST, wait_s=0.05) as client,
    ):
        with in_use(client, 1), pytest.raises(ConnectionError) as refused:
            client.ping()
        assert connection_error_reason(refused.value) == "max number of clients reached"

        for _ in range(10):
            assert client.ping()


def test_a_refusal_is_waited_out_as_long_as_another_connection_works(data_dir: Path) -> None:
    with (
        own_engine(data_dir, "--maxclients", "1") as url,
        connect(url, timeout_s=LIMIT_S, max_connections=MOST) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        with in_use(client, 1):
            waiting = thread.submit(client.incr, "n")
            until(lambda: threading.active_count() > 1)
        assert waiting.result(LIMIT_S) == 1


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def test_after_a_failover_behind_one_name_messages_are_kept_again_without_a_restart(data_dir: Path) -> None:
    """READONLY for ever: A became the replica of B, the name led to B, and all 30 posts went to A still."""
    with (
        own_engine(data_dir / "a") as first,
        own_engine(data_dir / "b") as second,
        fault_proxy(port_of(first)) as name,
        Redis.from_url(first) as old,
    ):
        caller = serving(name.url)

        def post(number: int) -> int:
            body = messages.connected("company-1", f"connection-{number}")
            return caller.post(ADDRESS, data=body, headers=signed(body, f"msg_{number}")).status_code

        assert post(0) == 202
        with ThreadPoolExecutor(3) as threads:  # several connections to the old primary
            assert set(threads.map(post, range(1, 30))) == {202}
        old.replicaof("127.0.0.1", str(port_of(second)))
        name.target = port_of(second)
        after = [post(number) for number in range(30, 60)]

        assert after[0] == 503
        assert set(after[1:]) == {202}


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("READONLY You can't write against a read only replica.", True),
        ("ERR Error running script: -READONLY You can't write against a read only replica.", True),
        ("UNBLOCKED force unblock from blocking operation", True),
        ("OOM command not allowed", False),
        ("ERR unknown command READONLY", False),
    ],
)
def test_which_refusals_mean_that_another_server_may_be_the_primary(text: str, moved: bool) -> None:
    assert pool.says_moved(ResponseError(text)) is moved
