"""The parts of the store on an empty engine."""

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from processor.store.inbox import Inbox
from processor.store.reader import Reader


@pytest.fixture
def client(redis_url: str) -> Iterator["Redis[Any]"]:
    """A client of an empty engine."""
    with Redis.from_url(redis_url) as connected:
        yield connected


@pytest.fixture
def inbox(client: "Redis[Any]") -> Inbox:
    """An inbox of four shards."""
    return Inbox(client, shards=4)


@pytest.fixture
def reader(client: "Redis[Any]") -> Reader:
    """A reader of four shards."""
    return Reader(client, shards=4)
