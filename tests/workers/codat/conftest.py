"""A simulated Codat whose clock is the test's, and everything that asks it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from redis import Redis

from handlers.registry import Policy
from processor.codat.client import CodatClient
from processor.codat.http import CodatHttp
from processor.simulator import SimulatorConfig, SimulatorServer
from tests.support.workbench import Moving, Workbench
from tests.workers.codat.asking import BUDGET_S, PATIENCE_S, Codat


@pytest.fixture
def codat(redis_url: str) -> Iterator[Codat]:
    """A Codat without any connection, and us with a key to it."""
    clock = Moving(datetime.now(UTC).replace(microsecond=0))

    def theirs() -> float:
        return (clock() + made[0].ahead if made else clock()).timestamp()

    made: list[Codat] = []
    config = SimulatorConfig(auto_sync=False)
    with (
        Redis.from_url(redis_url) as client,
        SimulatorServer(config, theirs) as server,
        CodatClient(
            CodatHttp(
                api_key=config.api_key,
                base_url=server.url,
                timeout_s=BUDGET_S,
                budget_s=BUDGET_S,
                sleep=lambda _: None,
                jitter=lambda: 0.0,
            )
        ) as api,
    ):
        policy = Policy(can_ask=True, patience_s=PATIENCE_S, late_after_s=600)
        made.append(Codat(server, Workbench(client, policy=policy, clock=clock), api))
        yield made[0]
