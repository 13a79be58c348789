"""Shared by all tests: a real engine, emptied before each test that asks for it."""

from collections.abc import Iterator

import pytest
import redis
from hypothesis import HealthCheck, settings

from processor.engine import Engine

# No test depends on the speed of the machine; a failure prints what repeats it.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def engine_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an embedded engine of this test process alone."""
    with Engine(tmp_path_factory.mktemp("data")) as engine:
        yield engine.url


@pytest.fixture
def redis_url(engine_url: str) -> str:
    """The address of an empty engine."""
    with redis.Redis.from_url(engine_url) as client:
        client.flushall()
    return engine_url
