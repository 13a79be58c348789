"""Lanes on an empty engine, under a clock that only the test moves, and receivers on free ports."""

from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from tests.workers.deliver.post import Post
from tests.workers.deliver.receiving import Answering, Receiver


@pytest.fixture
def post(redis_url: str) -> Iterator[Post]:
    """Lanes, subscribers and a courier."""
    with Redis.from_url(redis_url) as client:
        yield Post(client)


@pytest.fixture
def receiver() -> Iterator[Callable[..., Receiver]]:
    """Makes receivers that end with the test."""
    made: list[Receiver] = []

    def make(always: Answering | None = None, **how: object) -> Receiver:
        made.append(Receiver(always, **how))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.stop()
