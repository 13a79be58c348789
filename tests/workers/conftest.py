"""A workbench on an empty engine."""

from collections.abc import Iterator

import pytest
from redis import Redis

from tests.support.workbench import Workbench


@pytest.fixture
def bench(redis_url: str) -> Iterator[Workbench]:
    """Four shards; Codat cannot be asked; time stands still."""
    with Redis.from_url(redis_url) as client:
        yield Workbench(client)
