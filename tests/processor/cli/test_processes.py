"""The commands as processes of their own: the embedded engine, and pipes that break."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from processor.runtime.embedded_engine import Engine
from processor.runtime.file_locks import try_lock
from tests.processor.web.v1.filling import Filling
from tests.support import preloaded
from tests.support.ports import own_port
from tests.support.service import until
from tests.support.serving import ENVIRON

ROOT = Path(__file__).parents[3]
FULL = Path("/dev/full")


def environ(filling: Filling, **more: str) -> dict[str, str]:
    container = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DATA_DIR")}
    return container | {"PYTHONPATH": str(ROOT)} | filling.environ | more


def test_without_redis_url_a_command_joins_the_embedded_engine(data_dir: Path, tmp_path: Path) -> None:
    words = ["processor", "connections", "list", "--json"]
    with Engine(data_dir) as engine:
        filling = Filling(engine.url)
        env = environ(filling, REDIS_URL="", DATA_DIR=str(data_dir))
        filling.make_ready()
        running = preloaded.run(words, env=env, cwd=tmp_path)
        assert filling.container.redis.ping()
        filling.close()
    alone = preloaded.run(words, env=env, cwd=tmp_path)
    assert (running.returncode, alone.returncode) == (0, 0)
    assert [item["id"] for item in json.loads(running.stdout)["items"]] == ["xero"]
    assert alone.stdout == running.stdout
    assert alone.stderr == ""


def test_a_reader_that_goes_away_is_no_traceback(redis_url: str, tmp_path: Path) -> None:
    filling = Filling(redis_url)
    for number in range(200):
        filling.tell("connection.created", f"n{number}")
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as broken:
        words = ["processor", "events", "list", "--limit", "200"]
        result = preloaded.run(words, env=environ(filling), cwd=tmp_path, stdout=broken)
    filling.close()
    assert result.stderr == ""
    assert result.returncode == 128 + signal.SIGPIPE


@pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")
def test_a_full_disk_is_one_sentence(redis_url: str, tmp_path: Path) -> None:
    filling = Filling(redis_url)
    filling.make_ready()
    with FULL.open("wb") as full:
        result = preloaded.run(
            ["processor", "events", "list"], env=environ(filling), cwd=tmp_path, stdout=full
        )
    filling.close()
    assert result.returncode == 1
    assert result.stderr == "Error: Something could not be written: No space left on device.\n"


SERVING = ("CODAT_WEBHOOK_SECRETS", "CODAT_ALERT_AUTHORIZATIONS")


def test_commands_need_no_secrets_of_codats_messages(redis_url: str, tmp_path: Path) -> None:
    """They stopped with "The service cannot start" in the shell beside ``make run``."""
    filling = Filling(redis_url)
    container = {name: value for name, value in environ(filling).items() if name not in SERVING}
    words = ["processor", "connections", "list"]
    listed = preloaded.run(words, env=container, cwd=tmp_path)
    wrong = preloaded.run(words, env=container | {"PORT": "no"}, cwd=tmp_path)
    filling.close()
    assert (listed.returncode, listed.stderr) == (0, "")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("Error: The command cannot start: 1 setting is missing or wrong.")


SLOW_START = """
import sys, time
from processor.__main__ import main

slow = sys.argv.pop()
sys.argv.append("run")

class Slow:
    def find_spec(self, name, *_):
        if name == slow:
            print("loading", flush=True)
            while True:  # a signal between a call and its sleep is seen after the sleep
                time.sleep(0.05)

sys.meta_path.insert(0, Slow())
main()
"""


@contextlib.contextmanager
def loading(module: str, cwd: Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    """``run``, where it imports this module, which takes long."""
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_START, module],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "loading\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("module", ["click", "processor.errors", "processor.cli.run", "redis"])
def test_ctrl_c_while_it_is_loading_is_no_traceback(tmp_path: Path, module: str) -> None:
    with loading(module, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert errors == ""
    assert process.returncode == 128 + signal.SIGINT


ORPHANED = """
import os
from processor.__main__ import main
from processor.runtime.parent_watch import PARENT_FD
ours, gone = os.pipe()
os.close(gone)
os.environ[PARENT_FD] = str(ours)
main()
"""


def test_run_ends_with_the_demonstration_that_started_it(redis_url: str, tmp_path: Path) -> None:
    """However that one ended: what holds the other end of the pipe is gone after ``kill -9`` too."""
    env = {
        **os.environ,
        **ENVIRON,
        "DATA_DIR": str(tmp_path),
        "REDIS_URL": redis_url,
        "PORT": str(own_port()),
    }
    assert preloaded.run(["-c", ORPHANED, "run"], env=env, cwd=tmp_path).returncode == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks into /proc")
@pytest.mark.parametrize("module", ["processor.web", "workers.clock"])
def test_a_stop_while_run_imports_what_its_processes_share_ends_it_at_once(
    data_dir: Path, tmp_path: Path, module: str
) -> None:
    """It imported everything and started all processes, to stop them. A second signal changes nothing."""
    env = {**ENVIRON, "DATA_DIR": str(data_dir), "REDIS_URL": "", "PORT": str(own_port())}
    with loading(module, tmp_path, **env) as process:
        with (data_dir / "engine" / "start.lock").open("ab") as lock:  # which the end of the engine needs
            assert try_lock(lock)
            process.terminate()
            until(lambda: _has_open(process.pid, "start.lock"))
            process.terminate()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Process started" not in errors
    assert errors.endswith('"message": "Engine stopped"}\n')


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="claims are Linux's abstract sockets")
def test_of_two_web_that_start_at_one_moment_one_serves(redis_url: str, tmp_path: Path) -> None:
    """Both found the port free and listened on it: requests went to one or the other, whichever.

    The second says that the port is taken, and ends with 1.
    """
    filling, port = Filling(redis_url), own_port()
    env = environ(filling, PORT=str(port), WEB_CONCURRENCY="1")
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    both: list[preloaded.Process] = []
    try:
        for path in logs:
            with path.open("wb") as log:
                both.append(preloaded.start(["processor", "web"], env=env, cwd=tmp_path, output=log))
        until(lambda: any(item.poll() is not None for item in both))
        (ended,) = [number for number, item in enumerate(both) if item.poll() is not None]
        assert both[ended].returncode == 1
        assert f"somebody listens on 127.0.0.1:{port}" in logs[ended].read_text()
        until(lambda: _answers(f"http://127.0.0.1:{port}/healthz"))
        assert both[1 - ended].poll() is None
    finally:
        for item in both:
            item.terminate()
            item.wait(60)
    filling.close()


def _has_open(pid: int, name: str) -> bool:
    return any(fd.resolve().name == name for fd in Path(f"/proc/{pid}/fd").iterdir())


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
