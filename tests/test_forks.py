"""Workers of pytest-xdist, and services under test, run in forks of processes that imported all they need."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import messages, preloaded


def test_a_worker_of_this_run_is_a_fork() -> None:
    main = sys.modules["__main__"].__spec__
    is_fork = main is not None and main.name == "tests.support.forked_workers"
    assert is_fork == (sys.platform == "linux" and "PYTEST_XDIST_WORKER" in os.environ)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[preloaded.Process]:
    """A worker of the service, which waits for its Redis."""
    environ = {"REDIS_URL": f"unix://{tmp_path}/absent", "CODAT_WEBHOOK_SECRETS": messages.SECRET}
    with (tmp_path / "log").open("wb") as log:
        process = preloaded.start(["workers", "ask"], env=environ, cwd=tmp_path, output=log)
    yield process
    process.kill()
    process.wait()


def test_a_command_in_a_fork_is_a_process_of_its_own(command: preloaded.Process) -> None:
    assert command.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        command.wait(0)
    command.kill()
    assert command.wait() == command.poll() == -signal.SIGKILL
    command.terminate()


def test_a_command_ends_with_its_exit_code(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = preloaded.start(
            ["processor", "no-such-command"], env=dict(os.environ), cwd=tmp_path, output=log
        )
    assert process.wait() == 2
    assert b"no-such-command" in (tmp_path / "log").read_bytes()
