"""The examples in docs/consuming.md work as written."""

import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from handlers.milestones import NOTIFICATION_TYPES
from processor.delivery.retry_schedule import AT_ONCE, RETRIES, SLOW_AFTER
from processor.delivery.rules import PORTS
from processor.delivery.signing import new_secret, signed_headers
from processor.store import keys
from tests.support import cells, messages
from tests.support.workbench import Workbench
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import Receiver

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "consuming.md").read_text("utf-8")
MOST_LINES = 12


def example(name: str) -> str:
    """Return the code of the example ``name``."""
    (code,) = re.findall(rf"^```python {name}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(code)


def namespace_of(*examples: str) -> dict[str, Any]:
    """Run ``examples`` in order in one namespace, and return it."""
    namespace: dict[str, Any] = {"__name__": "example"}
    for name in examples:
        exec(compile(example(name), name, "exec"), namespace)  # noqa: S102 - it is our own code
    return namespace


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with sqlite3.connect(":memory:", check_same_thread=False) as connection:
        connection.execute("CREATE TABLE seen (id TEXT PRIMARY KEY)")
        connection.execute("CREATE TABLE todo (type TEXT)")
        yield connection
    connection.close()


def message(secret: str, id_: str = "ntf_1") -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a notification sent now."""
    body = json.dumps({"id": id_, "type": "initial_sync.completed", "data": {}})
    return signed_headers(id_, body, datetime.now(UTC), [secret]), body.encode()


def test_it_takes_about_ten_lines() -> None:
    lines = [line for line in example("verify").splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES


def test_a_notification_is_verified_and_handled_once(db: sqlite3.Connection) -> None:
    receive, secret = namespace_of("verify")["receive"], new_secret()
    headers, body = message(secret)
    assert [receive(db, secret, headers, body) for _ in range(3)] == [204, 204, 204]
    assert db.execute("SELECT * FROM todo").fetchall() == [("initial_sync.completed",)]
    assert receive(db, secret, *message(secret, "ntf_2")) == 204
    assert db.execute("SELECT count(*) FROM todo").fetchone() == (2,)


@pytest.mark.parametrize("broken", ["body", "secret", "signature", "nothing"])
def test_what_is_not_ours_is_refused_and_handled_not_at_all(db: sqlite3.Connection, broken: str) -> None:
    receive, secret = namespace_of("verify")["receive"], new_secret()
    headers, body = message(new_secret() if broken == "secret" else secret)
    if broken == "body":
        body += b" "
    elif broken == "signature":
        headers["webhook-signature"] = "v1,&&&"
    elif broken == "nothing":
        headers = {}
    assert receive(db, secret, headers, body) == 401
    assert db.execute("SELECT count(*) FROM seen").fetchone() == (0,)


def test_the_application_hears_what_the_service_sends(db: sqlite3.Connection, redis_url: str) -> None:
    """The example gets the bytes and headers that the dispatcher sent over HTTP."""
    receiver = Receiver()
    with Redis.from_url(redis_url) as client:
        post = Post(client)
        post.clock.now = datetime.now(UTC)
        subscriber = post.subscribe(receiver.url)
        post.decide()
        post.dispatcher().run_once()
    receiver.stop()
    (request,) = receiver.received
    app = namespace_of("verify", "flask")["create_app"](db, subscriber.secret)
    response = app.test_client().post("/notifications", data=request.raw, headers=dict(request.headers))
    assert response.status_code == 204
    assert db.execute("SELECT id FROM seen").fetchall() == [(request.id,)]


def test_a_consumer_group_reads_the_stream_and_takes_over_from_the_dead(redis_url: str) -> None:
    example_code = namespace_of("stream")
    join, read, stream = example_code["join"], example_code["read"], example_code["STREAM"]
    with Redis.from_url(f"{redis_url}{'&' if '?' in redis_url else '?'}protocol=2") as client:
        post = Post(client)
        ids = [post.decide(f"connection-{number}") for number in range(3)]
        post.fan_out()
        join(client, "billing")
        join(client, "billing")
        client.xreadgroup("billing", "dead", {stream: ">"}, count=1)

        handled: list[str] = []

        def handle(notification: dict[str, Any]) -> None:
            handled.append(notification["id"])

        read(client, "billing", "alive", handle, block_ms=1)
        assert handled == ids[1:]
        read(client, "billing", "alive", handle, block_ms=1, patience_ms=0)
        assert handled == [*ids[1:], ids[0]]
        read(client, "billing", "alive", handle, block_ms=1, patience_ms=0)
        assert len(handled) == 3
        assert client.xpending(stream, "billing")["pending"] == 0


def test_what_was_not_handled_to_the_end_comes_again(redis_url: str) -> None:
    example_code = namespace_of("stream")
    read = example_code["read"]
    with Redis.from_url(f"{redis_url}{'&' if '?' in redis_url else '?'}protocol=2") as client:
        post = Post(client)
        id_ = post.decide()
        post.fan_out()
        example_code["join"](client, "billing")

        def fail(notification: dict[str, Any]) -> None:
            raise RuntimeError(notification["id"])

        with pytest.raises(RuntimeError, match=id_):
            read(client, "billing", "one", fail, block_ms=1)
        handled: list[dict[str, Any]] = []
        read(client, "billing", "two", handled.append, block_ms=1, patience_ms=0)
        assert [notification["id"] for notification in handled] == [id_]


def test_the_page_says_what_holds() -> None:
    assert namespace_of("stream")["STREAM"] == keys.stream()
    assert [name for name in NOTIFICATION_TYPES if f"`{name}`" not in PAGE] == []
    assert [port for port in PORTS if str(port) not in PAGE] == []
    waits = ["5 s", "5 min", "30 min", "2 h", "5 h", "10 h", "10 h"]
    assert len(waits) == len(RETRIES)
    assert ", ".join(waits) in PAGE
    assert {AT_ONCE, SLOW_AFTER} == {10}


def test_the_stream_is_bounded_by_the_setting(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        bench = Workbench(client)
        for number in range(30):
            bench.send(*(messages.connected(f"company-{number}", f"c-{number}-{item}") for item in range(20)))
            bench.drain_all()
            bench.publish(stream_length=100)
        assert cells.count(client, keys.outbox) == 600
        assert 100 <= client.xlen(keys.stream()) < 300
