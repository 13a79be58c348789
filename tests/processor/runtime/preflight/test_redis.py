"""The checks of Redis."""

import contextlib
import dataclasses
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
import trustme

from processor.runtime.preflight.redis import check_queue, check_redis
from processor.runtime.preflight.results import CheckStatus
from tests.processor.runtime.preflight.conftest import settings, statuses
from tests.support.engines import cluster_node, sentinel
from tests.support.engines import own_engine as engine_on_port
from tests.support.service import until


def configure(url: str, name: str, value: str) -> None:
    """CONFIG SET."""
    with redis.Redis.from_url(url) as client:
        client.config_set(name, value)


def test_the_embedded_engine_passes(own_engine: str) -> None:
    results = list(check_redis(settings(), own_engine))
    assert statuses(results) == [CheckStatus.OK] * 4
    assert results[0].sentence.startswith("Valkey ")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"appendonly": "no"}, CheckStatus.ERROR),
        ({"appendonly": "no", "save": "60 1"}, CheckStatus.WARNING),
        ({"appendfsync": "everysec"}, CheckStatus.WARNING),
        ({"appendfsync": "no"}, CheckStatus.WARNING),
    ],
)
def test_weak_persistence_is_found(own_engine: str, changes: dict[str, str], expected: CheckStatus) -> None:
    for name, value in changes.items():
        configure(own_engine, name, value)
    assert statuses(check_redis(settings(), own_engine)) == [
        CheckStatus.OK,
        CheckStatus.OK,
        expected,
        CheckStatus.OK,
    ]


def test_eviction_is_found(own_engine: str) -> None:
    configure(own_engine, "maxmemory-policy", "allkeys-lru")
    results = list(check_redis(settings(), own_engine))
    assert statuses(results) == [CheckStatus.OK, CheckStatus.OK, CheckStatus.OK, CheckStatus.ERROR]
    assert "allkeys-lru" in results[3].sentence


@pytest.mark.parametrize(("appendonly", "expected"), [("yes", CheckStatus.OK), ("no", CheckStatus.WARNING)])
def test_a_server_that_hides_its_configuration_is_judged_by_what_it_shows(
    own_engine: str, appendonly: str, expected: CheckStatus
) -> None:
    configure(own_engine, "appendonly", appendonly)
    with redis.Redis.from_url(own_engine) as client:
        client.execute_command("ACL", "SETUSER", "managed", "on", ">pw", "~*", "&*", "+@all", "-config")
    results = list(check_redis(settings(), own_engine.replace("unix://", "unix://managed:pw@")))
    assert statuses(results) == [CheckStatus.OK, CheckStatus.OK, expected, CheckStatus.OK]


def test_what_a_server_does_not_show_is_unknown_and_no_error(own_engine: str) -> None:
    """A user with `codat:*` and `rq:*` and without INFO failed, though the service works with these rights.

    What it may not see is unknown; that a message can be kept and handled is proven by doing it.
    """
    with redis.Redis.from_url(own_engine) as client:
        client.execute_command(
            *("ACL", "SETUSER", "ours", "on", ">pw", "~codat:*", "~rq:*", "&*", "+@all", "-info", "-config")
        )
    results = list(check_redis(settings(), own_engine.replace("unix://", "unix://ours:pw@")))
    assert statuses(results) == [CheckStatus.OK, CheckStatus.OK, CheckStatus.UNKNOWN, CheckStatus.UNKNOWN]


def test_a_user_without_a_right_that_is_needed_fails_with_what_is_enough(own_engine: str) -> None:
    with redis.Redis.from_url(own_engine) as client:
        client.execute_command("ACL", "SETUSER", "other", "on", ">pw", "~other:*", "&*", "+@all")
    results = list(check_redis(settings(), own_engine.replace("unix://", "unix://other:pw@")))
    assert results[1].status is CheckStatus.ERROR
    assert "~codat:*" in results[1].sentence


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--maxmemory", "3mb"), "Its memory is limited to 3.0 MiB"),
        (("--maxmemory", "1mb"), "Redis cannot keep a message: it is full"),
        (("--maxclients", "3"), "It takes 3 connections"),
        (("--cluster-enabled", "yes"), "Redis cannot keep a message: it is a node of a cluster"),
        (("--replicaof", "127.0.0.1 1"), "Redis cannot keep a message: it is a replica"),
    ],
)
def test_stores_that_cannot_work_fail(tmp_path: Path, options: tuple[str, str], expected: str) -> None:
    """A read-only replica, a cluster, a full store, and one with three connections or 3 MB all passed."""
    with engine_on_port(tmp_path, *options) as url:
        results = list(check_redis(settings(), url))
    errors = [result.sentence for result in results if result.status is CheckStatus.ERROR]
    assert any(sentence.startswith(expected) for sentence in errors), results


def test_a_whole_cluster_fails_too(tmp_path: Path) -> None:
    """One that serves every slot writes a single key, and refuses what one message needs."""
    with cluster_node(tmp_path) as url:
        results = list(check_redis(settings(), url))
    assert results[1].status is CheckStatus.ERROR
    assert "node of a cluster" in results[1].sentence


def test_a_sentinel_is_recognised_and_names_its_primary(tmp_path: Path) -> None:
    """A Sentinel answers like Redis and keeps nothing: its address was taken for the store's."""
    with engine_on_port(tmp_path / "primary") as url:
        port = urlsplit(url).port
        with sentinel(tmp_path / "sentinel", port or 0) as watching:
            (result,) = check_redis(settings(), watching.url)
    assert result.status is CheckStatus.ERROR
    assert "leads to a Sentinel" in result.sentence
    assert f"ours at 127.0.0.1:{port}" in result.sentence


def test_what_is_wrong_with_the_server_of_rq_names_its_own_setting(tmp_path: Path) -> None:
    """It said that REDIS_URL must begin with redis+cluster://, and spoke of an unknown command."""
    with (
        cluster_node(tmp_path / "node") as node,
        engine_on_port(tmp_path / "primary") as url,
        sentinel(tmp_path / "sentinel", urlsplit(url).port or 0) as watching,
    ):
        wrong = {node: "RQ needs a plain server: QUEUE_REDIS_URL", watching.url: "it is a Sentinel"}
        for queue_url, expected in wrong.items():
            chosen = dataclasses.replace(settings(), queue_redis_url=queue_url)
            errors = [row.sentence for row in check_queue(chosen) if row.status is CheckStatus.ERROR]
            assert len(errors) == 1
            assert expected in errors[0]
            assert " REDIS_URL" not in errors[0]

        address = f"redis+sentinel://{urlsplit(watching.url).netloc}/theirs"
        said = [result.sentence for result in check_redis(settings(), address)]
        assert any("they do not watch theirs, but ours" in sentence for sentence in said)


def test_a_store_whose_connections_are_all_in_use_says_so_and_stops_no_release(tmp_path: Path) -> None:
    """`check` said that Redis closed the connection, and failed while the old processes held theirs."""
    with engine_on_port(tmp_path, "--maxclients", "40") as url, contextlib.ExitStack() as held:
        for _ in range(45):
            client = held.enter_context(redis.Redis.from_url(url))
            with contextlib.suppress(redis.ConnectionError):
                client.ping()
        (result,) = check_redis(settings(), url)
    assert result.status is CheckStatus.WARNING
    assert "max number of clients reached" in result.sentence


def test_a_primary_with_replicas_says_what_a_failover_costs(tmp_path: Path) -> None:
    """341 of 1,221 accepted messages were lost by a failover to a replica that lagged: nothing warned."""
    with engine_on_port(tmp_path / "primary") as url:
        place = f"127.0.0.1 {urlsplit(url).port}"
        with engine_on_port(tmp_path / "replica", "--replicaof", place), redis.Redis.from_url(url) as client:
            until(lambda: client.info("replication")["connected_slaves"] == 1)
            results = list(check_redis(settings(), url))
    assert any("a failover can lose messages" in result.sentence for result in results)


def test_refused_credentials_are_found(engine_url: str) -> None:
    (result,) = check_redis(settings(), engine_url.replace("unix://", "unix://somebody:hush@"))
    assert result.status is CheckStatus.ERROR
    assert "refuses the credentials" in result.sentence


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://127.0.0.1:1/0", "connection refused: nothing listens there"),
        ("rediss://:hush@127.0.0.1:1/0", "connection refused: nothing listens there"),
        ("unix://:hush@/no/such/socket", "there is no such file or socket"),
        ("redis://:hush@no-such-host.invalid", "its name is not found"),
    ],
)
def test_redis_out_of_reach_is_found_with_the_reason(url: str, reason: str) -> None:
    """It said ``ConnectionError`` for all of them."""
    for environ in ({}, {"REDIS_TLS_VERIFY": "false"}):
        (result,) = check_redis(settings(**environ), url)
        assert result.status is CheckStatus.ERROR
        assert result.sentence == f"Redis cannot be reached: {reason}."


@contextlib.contextmanager
def answering(answer: bytes, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Where something listens that says the same to everybody, once they said something."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                line = self.request if tls is None else tls.wrap_socket(self.request, server_side=True)
                with line:
                    line.recv(1000)
                    line.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_certificate_that_is_not_trusted_is_found_with_what_to_do() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with answering(b"", tls) as place:
        (result,) = check_redis(settings(), f"rediss://:hush@{place}")
        (accepted,) = check_redis(settings(REDIS_TLS_VERIFY="false"), f"rediss://:hush@{place}")
    assert result.sentence.startswith("Redis cannot be reached: its certificate is not trusted: ")
    assert "REDIS_TLS_VERIFY" in result.sentence
    assert accepted.sentence == "Redis cannot be reached: it closed the connection."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "What REDIS_URL leads to answers, but is no Redis."),
        (
            b"-ERR unknown command 'AUTH', with args beginning with: 'hu%sh'\r\n",
            "Redis refuses: its words are withheld, for they repeat the password.",
        ),
        (b"-ERR value is out of range\r\n", "Redis refuses: value is out of range."),
    ],
)
def test_what_answers_strangely_is_quoted_without_the_password(answer: bytes, expected: str) -> None:
    with answering(answer) as place:
        (result,) = check_redis(settings(), f"redis://:hu%25sh@{place}")
    assert result.status is CheckStatus.ERROR
    assert result.sentence == expected


def test_what_redis_itself_refuses_is_said_in_its_words(engine_url: str) -> None:
    (result,) = check_redis(settings(), engine_url.replace("db=0", "db=99"))
    assert result.sentence == "Redis refuses: DB index is out of range."
