"""The API with a simulated Codat, and workers that work."""

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from processor.settings.loading import load
from processor.simulator import SimulatorConfig, SimulatorServer
from tests.processor.web.v1.journey.calling import KEY
from tests.support import platforms_read
from tests.support.applications import lent_app
from tests.support.journeying import CODAT_KEY, serving_journeys, working
from tests.support.serving import ENVIRON


@pytest.fixture
def codat() -> Any:
    with SimulatorServer(SimulatorConfig(api_key=CODAT_KEY, auto_sync=False)) as server:
        yield server


@pytest.fixture
def settings(redis_url: str, codat: SimulatorServer) -> Any:
    given = {"CODAT_API_KEY": CODAT_KEY, "CODAT_API_URL": codat.url, "API_KEYS": "key-of-a-caller"}
    given["RETURN_URL_ORIGINS"] = "https://lender.example"
    return load({**ENVIRON, **given, "REDIS_URL": redis_url})


@pytest.fixture
def call(settings: Any) -> Any:
    """Calls the API with a key, while workers work."""
    container = serving_journeys(settings)
    client = lent_app(container).test_client()

    def call(method: str, path: Any, body: Any = None, **more) -> Any:
        return client.open(path, method=method, json=body, headers=KEY, **more)

    with working(settings):
        yield call
    container.redis.close()
    container.codat.close()


@pytest.fixture
def company_id(call: Callable[..., Any], codat: SimulatorServer, redis_url: str) -> Any:
    with Redis.from_url(redis_url) as client:
        platforms_read.copy(client, codat.url, CODAT_KEY)
        signed_up = call("POST", "/v1/companies", {"merchant_id": "m-1"}).json
        platforms_read.remember(client, codat.url, CODAT_KEY)
    return signed_up["company_id"]


@pytest.fixture
def linked(call: Callable[..., Any], codat: SimulatorServer, company_id: str) -> Any:
    """A connection that is authorised at Codat; we have not heard of it."""
    started = call("POST", f"/v1/companies/{company_id}/connections", {"platform_key": "gbol"}).json
    codat.simulation.change(started["connection_id"], "authorize", {})
    return started["connection_id"]
