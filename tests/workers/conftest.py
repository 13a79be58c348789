"""A workbench on an empty engine."""

from collections.abc import Iterator

import pytest
from redis import Redis

from processor.store import inbox, wakeups
from tests.support.workbench import Workbench


@pytest.fixture
def bench(redis_url: str) -> Iterator[Workbench]:
    """Four cells; Codat cannot be asked; time stands still."""
    with Redis.from_url(redis_url) as client:
        yield Workbench(client)


@pytest.fixture
def lasting_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags expire by Redis's clock; here they stand until somebody takes them down."""
    for place in (inbox, wakeups):
        monkeypatch.setattr(place, "WAKE_MS", 600_000)
    monkeypatch.setattr(wakeups, "POLL_CLAIM_MS", 600_000)
