"""The parts of the store on an empty engine."""

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from processor.store import inbox as keeping
from processor.store import leases, wakeups
from processor.store.inbox import Inbox
from processor.store.queries import Reader
from tests.support import messages

AWAKE_MS = 600_000
COMPANY, CONNECTION = "company-1", "connection-1"
BODY = messages.connected(COMPANY, CONNECTION)


@pytest.fixture(autouse=True)
def _flags_outlast_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """They expire by Redis's clock; here they stand longer than any test takes."""
    for place in (keeping, wakeups):
        monkeypatch.setattr(place, "WAKE_MS", AWAKE_MS)
    monkeypatch.setattr(wakeups, "POLL_CLAIM_MS", AWAKE_MS)
    monkeypatch.setattr(leases, "LEASE_MS", AWAKE_MS)


@pytest.fixture
def client(redis_url: str) -> Iterator["Redis[Any]"]:
    """A client of an empty engine."""
    with Redis.from_url(redis_url) as connected:
        yield connected


@pytest.fixture
def inbox(client: "Redis[Any]") -> Inbox:
    """An inbox of four cells."""
    return Inbox(client)


@pytest.fixture
def reader(client: "Redis[Any]") -> Reader:
    """A reader of four cells."""
    return Reader(client)
