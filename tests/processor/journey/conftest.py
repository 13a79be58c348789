"""An empty engine, an empty Codat, and a journey between them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from handlers.registry import Policy
from processor import bootstrap
from processor.settings import load
from processor.simulator import SimulatorConfig, SimulatorServer
from tests.support.journeying import CODAT_KEY, Desk
from tests.support.workbench import Workbench
from workers import runtime


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis[Any]"]:
    """A client of an empty engine."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def codat() -> Iterator[SimulatorServer]:
    """A simulated Codat that sends nothing and reads nothing by itself."""
    with SimulatorServer(SimulatorConfig(api_key=CODAT_KEY, auto_sync=False)) as server:
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
    own = bootstrap.for_worker(load(environ))
    asking = runtime.build(own)

    def drain() -> None:
        bench.clock.now = own.clock()
        bench.drain_all()
        if asking.ask():
            bench.clock.now = own.clock()
            bench.drain_all()

    yield drain
    own.redis.close()
    if own.codat is not None:
        own.codat.close()
