"""The pages on an empty engine: a merchant's with an empty Codat, the operators' on a store to fill."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from processor.simulator import SimulatorConfig, SimulatorServer
from tests.processor.simulator.pages import Browser
from tests.processor.simulator.receiving import Receiver
from tests.processor.web.ops.operating import PASSWORD, Operator
from tests.processor.web.v1.filling import Filling
from tests.support.journeying import CODAT_KEY
from tests.support.visiting import Place, Wall

OpenPlace = Callable[..., Place]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where Codat's messages arrive; places take them from there."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def wall() -> Wall:
    """The clock that Codat looks at."""
    return Wall()


@pytest.fixture
def codat(receiver: Receiver, wall: Wall) -> Iterator[SimulatorServer]:
    """A simulated Codat that reads nothing by itself."""
    config = SimulatorConfig(api_key=CODAT_KEY, auto_sync=False, sync_s=0.1, webhook_url=receiver.url)
    with SimulatorServer(config, wall) as server:
        yield server


@pytest.fixture
def open_place(redis_url: str, codat: SimulatorServer, receiver: Receiver, wall: Wall) -> Iterator[OpenPlace]:
    """Opens services on one engine; settings are given by name."""
    places: list[Place] = []

    with Redis.from_url(redis_url) as client:

        def open_place(**environ: Any) -> Place:
            places.append(Place(client, redis_url, codat, receiver, wall, **environ))
            return places[-1]

        yield open_place
        for place in places:
            place.close()


@pytest.fixture
def place(open_place: OpenPlace) -> Place:
    """One service."""
    return open_place()


@pytest.fixture
def visitor(place: Place) -> Browser:
    """Somebody with a browser."""
    return place.visitor()


@pytest.fixture
def filling(redis_url: str) -> Iterator[Filling]:
    """The store and the application on it."""
    filling = Filling(redis_url, OPERATOR_PASSWORD=PASSWORD, ALLOW_PRIVATE_SUBSCRIBERS="true")
    yield filling
    filling.close()


@pytest.fixture
def operator(filling: Filling) -> Operator:
    """Somebody who is logged in."""
    return Operator(filling)


@pytest.fixture
def store(redis_url: str) -> Iterator[Redis]:
    """What is kept."""
    with Redis.from_url(redis_url) as client:
        yield client
