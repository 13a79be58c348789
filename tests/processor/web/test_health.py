"""``/healthz`` says that the process is alive; ``/readyz`` whether a message could be kept and handled."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import BusyLoadingError, ConnectionError, Redis

from processor.runtime.embedded_engine import Engine, get_binary_path
from processor.store import heartbeats, keys
from tests.processor.web.ops.operating import PASSWORD, basic
from tests.support import messages
from tests.support.messages import signed
from tests.support.service import until
from tests.support.serving import ADDRESS, frozen, serving

BODY = messages.connected("company-1", "connection-1")
TRIES = 20


@pytest.fixture
def engine(data_dir: Path) -> Iterator[Engine]:
    """An engine to be spoilt."""
    with Engine(data_dir) as engine:
        yield engine


@pytest.fixture
def store(engine: Engine) -> Iterator[Redis]:
    """What is in it."""
    with Redis.from_url(engine.url) as client:
        yield client
        client.config_set("save", "")  # an engine that cannot save does not end by itself


def now_ms() -> Any:
    return int(time.time() * 1000)


def refuses_within_a_second(caller: FlaskClient, address: str) -> Any:
    """Whether it does where nothing else keeps the machine busy, as far as some tries tell."""

    def took_s() -> Any:
        began = time.monotonic()
        assert caller.get(address).status_code == 503
        return time.monotonic() - began

    return any(took_s() < 1 for _ in range(TRIES))


def accepts(caller: FlaskClient) -> Any:
    return caller.post(ADDRESS, data=BODY, headers=signed(BODY)).status_code == 202


def test_it_is_ready_when_everybody_was_seen(engine: Engine, store: Redis) -> None:
    for role in heartbeats.ROLES:
        heartbeats.record(store, role, f"{role}-1")

    answer = serving(engine.url).get("/readyz")

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize("missed", heartbeats.ROLES)
def test_it_is_ready_with_a_warning_when_somebody_was_not_seen_lately(
    engine: Engine, store: Redis, missed: Any
) -> None:
    for role in heartbeats.ROLES:
        silent_ms = heartbeats.MISSED_AFTER_MS + 1000 if role == missed else 0
        heartbeats.record(store, role, f"{role}-1", silent_ms=silent_ms)

    answer = serving(engine.url).get("/readyz")

    assert (answer.status_code, answer.json["status"]) == (200, "ok")
    assert [missed in warning for warning in answer.json["warnings"]] == [True]


def test_one_that_ended_is_missed_at_once_and_one_of_two_is_enough(engine: Engine, store: Redis) -> None:
    heartbeats.record(store, "clock", "clock-1")
    for name in ("worker-1", "worker-2"):
        heartbeats.record(store, "worker", name)
    caller = serving(engine.url)
    heartbeats.remove(store, "worker", "worker-1")
    assert "warnings" not in caller.get("/readyz").get_json()

    heartbeats.remove(store, "worker", "worker-2")
    assert len(caller.get("/readyz").json["warnings"]) == 1


def test_processes_that_died_long_ago_are_forgotten(store: Redis) -> None:
    heartbeats.record(store, "worker", "worker-1", silent_ms=20 * heartbeats.MISSED_AFTER_MS)
    heartbeats.record(store, "worker", "worker-2")

    assert store.zrange(keys.alive("worker"), 0, -1) == [b"worker-2"]


def full(store: Redis) -> None:
    store.config_set("maxmemory", "1")


def a_replica(store: Redis) -> None:
    store.replicaof("127.0.0.1", "1")


def without_enough_replicas(store: Redis) -> None:
    store.config_set("min-replicas-to-write", "1")


def unable_to_save(store: Redis) -> None:
    """A folder stands in the place of the file, so saving in the background fails."""
    where = store.config_get("dir")["dir"]
    (Path(where) / "dump.rdb" / "something").mkdir(parents=True)
    store.config_set("save", "3600 1")
    store.bgsave()
    while store.info("persistence")["rdb_bgsave_in_progress"]:
        pass
    assert store.info("persistence")["rdb_last_bgsave_status"] == "err"


@pytest.mark.parametrize("spoil", [full, a_replica, without_enough_replicas, unable_to_save])
def test_it_is_not_ready_whenever_a_message_could_not_be_kept_and_says_why(
    engine: Engine, store: Redis, spoil: Any
) -> None:
    caller = serving(engine.url)
    assert accepts(caller)
    spoil(store)
    assert not accepts(caller)

    answer = caller.get("/readyz")

    assert answer.status_code == 503
    assert answer.json["status"] == "unavailable"
    assert all(answer.json["reasons"])
    assert len(answer.json["reasons"]) >= 1
    assert int(answer.headers["Retry-After"]) > 0
    assert caller.get("/healthz").status_code == 200


@pytest.fixture
def loading(data_dir: Path) -> Iterator[str]:
    """Where a server answers that will not have read its data for a long time."""
    data_dir.mkdir(parents=True, exist_ok=True)
    address = f"unix://{data_dir}/slow.sock"
    argv = [get_binary_path(), "--port", "0", "--unixsocket", "slow.sock", "--save", ""]
    slowly = ["--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024"]
    with Redis.from_url(address) as client:
        with running(argv, data_dir):
            until(lambda: is_there(client))
            client.mset({f"key-{number}": number for number in range(100_000)})
            client.save()
        with running([*argv, *slowly], data_dir):
            until(lambda: is_there(client))
            yield address


@contextlib.contextmanager
def running(argv: Any, folder: Any) -> Iterator[None]:
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def is_there(client: Redis) -> Any:
    try:
        return client.ping()
    except BusyLoadingError:
        return True
    except ConnectionError:
        return False


def test_while_redis_loads_its_data_everybody_is_told_so(loading: Any) -> None:
    """For the library this is a broken connection."""
    caller = serving(loading, OPERATOR_PASSWORD=PASSWORD)
    answer = caller.get("/readyz")
    page = caller.get("/ops", headers={"Authorization": basic()})

    assert (answer.status_code, answer.json["reasons"]) == (503, ["Redis is loading its data"])
    assert page.status_code == 503
    assert "Redis is loading its data: it has just been started" in page.text


def test_it_is_not_ready_without_redis_and_ready_again_with_it(engine: Engine) -> None:
    caller = serving(engine.url, hurried=True)
    until(lambda: caller.get("/readyz").status_code == 200)
    engine.stop()

    answer = caller.get("/readyz")
    assert (answer.status_code, len(answer.json["reasons"])) == (503, 1)
    assert refuses_within_a_second(caller, "/readyz")
    assert caller.get("/healthz").json == {"status": "ok"}

    engine.start()
    until(lambda: caller.get("/readyz").status_code == 200)


def test_it_says_so_within_a_second_when_redis_hangs(engine: Engine) -> None:
    caller = serving(engine.url, hurried=True)
    with frozen(engine.folder):
        assert caller.get("/readyz").status_code == 503
        assert refuses_within_a_second(caller, "/readyz")
        assert caller.get("/healthz").status_code == 200
    until(lambda: caller.get("/readyz").status_code == 200)


def test_neither_needs_a_key_or_tells_where_redis_is(engine: Engine) -> None:
    caller = serving(engine.url, hurried=True, API_KEYS="a-key-of-the-tests")
    engine.stop()
    for address in ("/healthz", "/readyz"):
        answer = caller.get(address)
        assert answer.status_code in (200, 503)
        assert str(engine.folder) not in answer.text
