"""Shared by all tests: a real engine, emptied before each test that asks for it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings

from processor.engine import Engine

# No test depends on the speed of the machine; a failure prints what repeats it.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("suite")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder for an engine, with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="codat-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def engine_url() -> Iterator[str]:
    """The address of an embedded engine of this test process alone."""
    with tempfile.TemporaryDirectory(prefix="codat-") as folder, Engine(Path(folder)) as engine:
        yield engine.url


@pytest.fixture
def redis_url(engine_url: str) -> str:
    """The address of an empty engine."""
    with redis.Redis.from_url(engine_url) as client:
        client.flushall()
    return engine_url
