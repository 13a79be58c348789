"""Workers of pytest-xdist, and services under test, run in forks of processes that imported all they need."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import messages, preloaded

ROOT = Path(__file__).parents[1]


def test_a_worker_of_this_run_is_a_fork() -> None:
    main = sys.modules["__main__"].__spec__
    is_fork = main is not None and main.name == "tests.support.forked_workers"
    assert is_fork == (sys.platform == "linux" and "PYTEST_XDIST_WORKER" in os.environ)


FORKING = """
import pytest
from tests.support.forked_workers import fork_workers

@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config):
    fork_workers(config)
"""


def test_a_module_that_cannot_be_imported_fails_the_run(tmp_path: Path) -> None:
    """The collecting process met the error, and its forks took the half of the module for all of it."""
    (tmp_path / "conftest.py").write_text(FORKING)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib -p no:cacheprovider")
    (tmp_path / "test_broken.py").write_text("import a_module_that_is_nowhere")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "xdist.plugin", "-n", "1", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert "a_module_that_is_nowhere" in result.stdout
    assert result.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def test_a_fast_test_that_starts_a_command_fails(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """It went unseen where the process that is forked was there already, as it is for all workers."""
    preloaded.server()
    request.node.add_marker("fast")
    with (tmp_path / "log").open("wb") as log, pytest.raises(pytest.fail.Exception):
        preloaded.start(["workers", "ask"], env={}, cwd=tmp_path, output=log)


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
