"""An empty engine, an empty Codat, and a journey between them."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from handlers.registry import Policy
from processor.container import for_worker
from processor.settings.loading import load
from processor.simulator import SimulatorConfig, SimulatorServer
from tests.support.journeying import CODAT_KEY, Desk
from tests.support.workbench import Workbench
from workers import runtime


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis[Any]"]:
    """A client of an empty engine."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


class CodatClock:
    """Codat's clock, which a test may put forward: what its API shows counts a minute after a change."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s

    def forward(self, seconds: float) -> None:
        """Let so much time pass at Codat."""
        self.ahead_s += seconds


@pytest.fixture
def codat_clock() -> CodatClock:
    """The clock of the simulated Codat."""
    return CodatClock()


@pytest.fixture
def codat(codat_clock: CodatClock) -> Iterator[SimulatorServer]:
    """A simulated Codat that sends nothing and reads nothing by itself."""
    config = SimulatorConfig(api_key=CODAT_KEY, auto_sync=False)
    with SimulatorServer(config, clock=codat_clock) as server:
        yield server


@pytest.fixture
def open_desk(client: "redis.Redis[Any]", codat: SimulatorServer) -> Iterator[Callable[..., Desk]]:
    """Opens desks: each is like a process of its own."""
    desks: list[Desk] = []

    def open_desk(**options: Any) -> Desk:
        desks.append(Desk(client, codat, **options))
        return desks[-1]

    yield open_desk
    for desk in desks:
        desk.close()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    """One process."""
    return open_desk()


@pytest.fixture
def drain(client: "redis.Redis[Any]", redis_url: str, codat: SimulatorServer) -> Iterator[Callable[[], None]]:
    """Handles what waits in the inbox, and puts the questions that are due to Codat."""
    bench = Workbench(client, policy=Policy(can_ask=True, patience_s=60, late_after_s=600))
    environ = {
        "REDIS_URL": redis_url,
        "CODAT_API_KEY": CODAT_KEY,
        "CODAT_API_URL": codat.url,
        "CODAT_ALERT_AUTHORIZATIONS": "Basic c29tZWJvZHk6ZWxzZQ==",
    }
    container = for_worker(load(environ))
    asking = runtime.build(container)

    def drain() -> None:
        bench.clock.now = container.clock()
        bench.drain_all()
        if asking.ask():
            bench.clock.now = container.clock()
            bench.drain_all()

    yield drain
    container.redis.close()
    if container.codat is not None:
        container.codat.close()
