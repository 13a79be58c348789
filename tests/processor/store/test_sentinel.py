"""Redis behind Sentinels, and messages that replicas must have."""

import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import Redis

from processor.errors import SettingsError
from processor.settings.loading import load
from processor.store.client import connect
from processor.store.connection_errors import connection_error_reason
from tests.support import messages
from tests.support.engines import PROMPT_SYNC, kill_primary, own_engine, replicas_of, watched_service
from tests.support.messages import signed
from tests.support.service import until
from tests.support.serving import ADDRESS, ENVIRON, serving
from tests.support.workbench import Workbench

UNRECOGNISED = b"[]"


def test_a_killed_primary_costs_no_message_and_no_restart(tmp_path: Path) -> None:
    with watched_service(tmp_path, replicas=2) as url:
        caller = serving(url, ACK_REPLICAS="1", API_KEYS="key")
        kept: set[str] = set()

        def post(number: int) -> int:
            body = messages.connected(f"company-{number}", f"connection-{number}")
            answer = caller.post(ADDRESS, data=body, headers=signed(body, f"msg_{number}"))
            assert answer.status_code in (202, 200, 503), answer.data
            if answer.status_code != 503:
                kept.add(f"msg_{number}")
            return answer.status_code

        with connect(url, timeout_s=5) as client:
            for number in range(20):
                until(lambda: post(number) != 503)  # noqa: B023 - called at once
            with client.pipeline(transaction=False) as pipe:  # Sentinel may elect either replica
                pipe.set("mark", 1)
                pipe.execute_command("WAIT", 2, 60_000)
                assert pipe.execute()[-1] == 2
            kill_primary(client)
            assert post(20) == 503
            assert caller.get("/readyz").status_code == 503
            numbers = iter(range(21, 100_000))
            until(lambda: post(next(numbers)) == 202)
            bench = Workbench(client)

            drained = bench.drain().run()

            shown = [
                caller.get(f"/v1/events/{event_id}", headers={"Authorization": "Bearer key"}).json
                for event_id in sorted(kept)
            ]
            assert {message["status"] for message in shown} == {"processed"}
            assert drained.handled >= len(kept)
            until(lambda: post(0) == 200)
            until(lambda: caller.get("/readyz").status_code == 200)


def test_what_too_few_replicas_have_is_refused_until_they_do(tmp_path: Path) -> None:
    """Also what comes again: a duplicate was answered 200 while one server alone had the message."""
    with own_engine(tmp_path / "primary", *PROMPT_SYNC) as url, Redis.from_url(url) as primary:
        following = ("--replicaof", f"127.0.0.1 {urlsplit(url).port}", *PROMPT_SYNC)
        with (
            own_engine(tmp_path / "replica", *following) as replica_url,
            Redis.from_url(replica_url) as replica,
        ):
            until(lambda: replicas_of(primary) == 1)
            pid = int(replica.info("server")["process_id"])
            caller = serving(url, ACK_REPLICAS="1", ACK_TIMEOUT_MS="200")
            body = messages.connected("company-1", "connection-1")

            def post(sent: bytes, event_id: str) -> int:
                answer = caller.post(ADDRESS, data=sent, headers=signed(sent, event_id))
                assert answer.status_code != 503 or "Retry-After" in answer.headers
                return answer.status_code

            os.kill(pid, signal.SIGSTOP)
            try:
                refused = [
                    post(sent, name) for sent in (body, UNRECOGNISED) for name in (f"a{len(sent)}",) * 2
                ]
                warned = caller.get("/readyz")
            finally:
                os.kill(pid, signal.SIGCONT)
            assert refused == [503] * 4
            assert warned.status_code == 503
            assert "replicas" in warned.text
            until(lambda: post(body, f"a{len(body)}") == 200)
            until(lambda: post(UNRECOGNISED, f"a{len(UNRECOGNISED)}") == 200)
            until(lambda: caller.get("/readyz").status_code == 200)


def test_without_a_sentinel_that_answers_the_reason_is_named() -> None:
    with (
        connect("redis+sentinel://127.0.0.1:1/ours", timeout_s=1) as client,
        pytest.raises(RedisConnectionError) as refused,
    ):
        client.ping()
    assert connection_error_reason(refused.value) == "no Sentinel names a primary that is up"


@pytest.mark.parametrize(
    ("url", "mistake"),
    [
        ("redis+sentinel://host", "must end with /SERVICE"),
        ("redis+sentinel://host/ours/x", "must have nothing behind /SERVICE but the number of a database"),
        ("redis+sentinel://hush@host/ours", "no password"),
        ("redis+sentinel://host,/ours", "at place 2 of its list"),
        ("redis+sentinel://host:hush/ours", "at place 1 of its list"),
        ("redis+sentinel://host,host:26379/ours", "names a host twice"),
        ("redis+sentinel://host/ours?password=hush", "no other options than"),
        ("redis+sentinel://host/ours?socket_timeout=hush", "as seconds"),
        ("redis+sentinel://:hush hush@host/ours", "must not contain blanks"),
        ("rediss+cluster://:hush@host/1", "must not name a database"),
        ("rediss+cluster://:hush@/", "at place 1 of its list"),
    ],
)
def test_a_mistake_in_an_address_is_named_and_no_secret_is(url: str, mistake: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({**ENVIRON, "REDIS_URL": url, "QUEUE_REDIS_URL": "redis://host"})
    (sentence,) = refused.value.mistakes
    assert sentence.startswith("REDIS_URL ")
    assert mistake in sentence
    assert "hush" not in sentence


def test_a_cluster_needs_a_plain_server_for_its_queue() -> None:
    for given in ({}, {"QUEUE_REDIS_URL": "redis+cluster://host"}):
        with pytest.raises(SettingsError, match="QUEUE_REDIS_URL must be"):
            load({**ENVIRON, "REDIS_URL": "redis+cluster://host", **given})


def test_passwords_of_an_address_are_masked_in_logs() -> None:
    url = "redis+sentinel://user:a%40b@h1,h2/ours?sentinel_password=s%23t"
    assert {"a@b", "a%40b", "s#t"} <= set(load({**ENVIRON, "REDIS_URL": url}).secrets())
