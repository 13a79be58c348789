"""A simulated Codat over real HTTP, and somebody who gets its messages."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from processor.simulator import Generation, SimulatorClient, SimulatorConfig, SimulatorServer
from processor.simulator.clients import http_client
from tests.processor.simulator.receiving import Receiver

MakeServer = Callable[..., SimulatorServer]
PATIENCE_S = 60.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where the messages go."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def make_server(receiver: Receiver) -> Iterator[MakeServer]:
    """Starts simulators that send to ``receiver`` and read nothing by themselves, unless told otherwise."""
    servers: list[SimulatorServer] = []

    def make(*, clock: Callable[[], float] | None = None, **settings: Any) -> SimulatorServer:
        settings = {"webhook_url": receiver.url, "auto_sync": False, "sync_s": 0.2, **settings}
        config = SimulatorConfig(**settings)
        server = SimulatorServer(config) if clock is None else SimulatorServer(config, clock)
        servers.append(server.start())
        return server

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def server(make_server: MakeServer) -> SimulatorServer:
    """A simulator that sends the current generation."""
    return make_server(generations=frozenset({Generation.CURRENT}))


@pytest.fixture
def api(server: SimulatorServer) -> Iterator[httpx.Client]:
    """A caller of the API with the right key."""
    headers = {"Authorization": server.config.api_authorization}
    with http_client(base_url=server.url, headers=headers, timeout_s=PATIENCE_S) as client:
        yield client


@pytest.fixture
def control(server: SimulatorServer) -> Iterator[SimulatorClient]:
    """A caller of the control API."""
    with SimulatorClient(server.url) as client:
        yield client
