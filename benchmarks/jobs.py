"""Jobs that the libraries under comparison import and run."""

import os
from functools import cache
from typing import Any
from unittest import mock

from redis import Redis

from handlers.registry import Policy
from workers.inbox import drain
from workers.inbox.drain import Drain


def do_nothing(*_: object) -> None:
    """The cheapest job that there is."""


DONE = "bench:done"
"""Key of a counter: the jobs that were done."""


@cache
def client() -> "Redis[Any]":
    return Redis.from_url(os.environ["REDIS_URL"])


@cache
def _drain() -> Drain:
    return Drain(client(), policy=Policy())


def handle_one(cell: int) -> None:
    """Handle one message of a cell with the code that handles batches; then count it for the benchmark."""
    with mock.patch.object(drain, "BATCH", 1):
        _drain().batch(cell)
    client().incr(DONE)
