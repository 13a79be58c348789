"""Shared by all tests: a real engine, emptied before each test that asks for it."""

import functools
import gc
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.utils
from httpx._transports import default as httpx_transport
from hypothesis import HealthCheck, settings

from processor.runtime import logs
from processor.runtime.embedded_engine import Engine
from tests.support import serving
from tests.support.effort import IN_CI, TURN, examples
from tests.support.forked_workers import fork_workers
from tests.support.markers import markers_of
from tests.support.ordering import ordered, workers
from tests.support.truth import TruthBench, truth_bench

# No test depends on the speed of the machine; a failure prints what repeats it. With CI set, a run repeats
# the run before it, so that a change is judged by itself. At a desk each run tries a few new examples.
for profile, max_examples in (("desk", examples(100)), ("ci", 100)):
    settings.register_profile(
        profile,
        max_examples=max_examples,
        derandomize=profile == "ci",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
settings.load_profile("ci" if IN_CI else "desk")


# Without bytecode every process of a test compiles every module anew, and so does each worker of pytest.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The library reads and parses its own metadata for every connection, and tests open thousands.
vars(redis.utils)["get_lib_version"] = functools.cache(vars(redis.utils)["get_lib_version"])

# A client of httpx reads all certificates, which takes longer than most tests.
vars(httpx_transport)["create_ssl_context"] = functools.cache(vars(httpx_transport)["create_ssl_context"])

# Building a service makes thousands of objects, and most collections would find them all alive.
gc.set_threshold(20_000, 10, 10)

TESTS = Path(__file__).parent
SEED = "HISTORIES_SEED"
os.environ.setdefault(SEED, "20261122")  # another one samples other histories; see tests/handlers


def pytest_configure() -> None:
    """Take signals back that were ignored when the run was started (``nohup``, a job in the background).

    Processes under test inherit that, and could not be ended by what the tests send them.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Import for all workers at once."""
    fork_workers(config)


def pytest_report_header() -> str:
    """Print what chooses the samples, so that a run can be repeated."""
    return f"{SEED}={os.environ[SEED]} {TURN}={os.environ[TURN]}"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even load the other tests when only fast ones are wanted."""
    if config.option.markexpr != "fast" or not collection_path.name.startswith("test_"):
        return None
    return True if "fast" not in markers_of(collection_path.relative_to(TESTS).as_posix()) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Spare the garbage collector modules and thousands of tests, which all live until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark each test by its file, and begin with those that take long; see ``markers`` and ``ordering``."""
    for item in items:
        for marker in markers_of(_path_of(item)):
            item.add_marker(marker)
    yield
    if workers() > 1:
        items[:] = ordered(items, _path_of, workers())


def _path_of(item: pytest.Item) -> str:
    """The path of its file below ``tests/``."""
    return _below_tests(item.path)


@functools.cache
def _below_tests(path: Path) -> str:
    return path.relative_to(TESTS).as_posix()


_test_running: list[pytest.Item] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Remember the test that is running, for ``_refuse_processes``."""
    _test_running.append(item)
    try:
        return (yield)
    finally:
        _test_running.clear()


def _refuse_processes(event: str, arguments: tuple[Any, ...]) -> None:
    """Fail a fast test that starts an interpreter or forks: it belongs to another marker."""
    is_ours = event == "os.fork" or (event == "subprocess.Popen" and str(arguments[0]) == sys.executable)
    if is_ours and any(item.get_closest_marker("fast") for item in _test_running):
        pytest.fail("a fast test starts no process of ours; see tests/support/markers.py")


sys.addaudithook(_refuse_processes)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Undo what a command under test did to logging in this process."""
    root = logging.getLogger()
    handlers, levels = (
        list(root.handlers),
        {name: logging.getLogger(name).level for name in ("", *logs.OUR_LOGGERS)},
    )
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logger = logging.getLogger(name)
        if logger.level != level:  # setting it has all loggers forget what they remember
            logger.setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.fixture(autouse=True)
def _connections_given_back() -> Iterator[None]:
    """Leave no open socket to the garbage collector, which warns of it in the middle of another test."""
    yield
    serving.give_back()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder for an engine, with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="codat-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def engine_url() -> Iterator[str]:
    """The address of an embedded engine of this test process, which writes nothing to disk.

    Its clients, web processes too, wait up to a minute for an answer: no test depends on the speed of the
    machine. Tests of a slow or absent Redis, and of durability, start an engine with its real configuration.
    """
    with tempfile.TemporaryDirectory(prefix="codat-") as folder, Engine(Path(folder)) as engine:
        with redis.Redis.from_url(engine.url) as client:
            client.config_set("appendonly", "no")
        yield serving.patient(engine.url)


@pytest.fixture
def redis_url(engine_url: str) -> str:
    """The address of an empty engine."""
    with redis.Redis.from_url(engine_url) as client:
        client.flushall()
    return engine_url


@pytest.fixture
def truth(redis_url: str) -> Iterator[TruthBench]:
    """A simulated Codat and everything that asks it in the background; no message ever arrives."""
    with truth_bench(redis_url) as bench:
        yield bench
