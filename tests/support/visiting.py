"""Somebody who visits the pages, without JavaScript, on a real engine and a simulated Codat."""

import dataclasses
import time
from datetime import timedelta
from typing import Any

import httpx
from redis import Redis

from handlers.registry import Policy
from processor.container import for_web
from processor.journey.models import CompanyView
from processor.settings.loading import load
from processor.simulator import SimulatorServer
from tests.processor.simulator.pages import Browser
from tests.processor.simulator.receiving import Receiver
from tests.support import platforms_read
from tests.support.applications import lent_app
from tests.support.journeying import CODAT_KEY, Desk
from tests.support.serving import ENVIRON
from tests.support.workbench import Workbench
from workers import runtime

OURS = "http://ours.example"
WAIT_S = 30.0


class Wall:
    """Codat's clock: right, and moved forward by ``later_s``."""

    def __init__(self) -> None:
        self.later_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.later_s


class Place:
    """The pages of one service. Nothing is handled in the background: ``settle`` does that."""

    def __init__(
        self,
        client: "Redis[Any]",
        redis_url: str,
        codat: SimulatorServer,
        receiver: Receiver,
        wall: Wall,
        *,
        api_key: str | None = CODAT_KEY,
        **environ: str,
    ) -> None:
        given: dict[str, Any] = {"SECRET_KEY": "a key of the tests", **environ}
        self.codat, self.receiver, self._wall = codat, receiver, wall
        self._client, self._api_key = client, api_key
        self._handled = 0
        self.desk = Desk(client, codat, api_key=api_key, **given)
        settings = load(
            {
                **ENVIRON,
                "REDIS_URL": redis_url,
                "CODAT_API_KEY": api_key or "",
                "CODAT_API_URL": codat.url,
                **given,
            }
        )
        self.container = dataclasses.replace(
            for_web(settings), journey=self.desk.journey, clock=self.desk.clock
        )
        self.app = lent_app(self.container)
        self.bench = Workbench(client, policy=Policy(can_ask=True, patience_s=60, late_after_s=600))
        self._asking = runtime.build(self.container)
        self._clients: list[httpx.Client] = []

    def company(self, merchant_id: str = "corner-shop", name: str = "Corner Shop") -> tuple[str, str]:
        """A company that signed up: its id and the token of its link."""
        result = self.sign_up(merchant_id=merchant_id, name=name)
        return result.company_id, result.connect_url.rpartition("/")[2]

    def sign_up(self, merchant_id: str = "shop", **wish: Any) -> CompanyView:
        """Sign a company up, and read the platforms that it is offered."""
        account = (self._client, self.codat.url, self._api_key)
        platforms_read.copy(*account)
        result, _ = self.desk.journey.sign_up(merchant_id=merchant_id, **wish)
        self.desk.do_in_background()
        platforms_read.remember(*account)
        return result

    def visitor(self, base_url: str = OURS) -> Browser:
        """Somebody with a browser of their own. They follow no redirects."""
        http = httpx.Client(transport=httpx.WSGITransport(app=self.app), base_url=base_url)
        self._clients.append(http)
        return Browser(http)

    def settle(self) -> None:
        """Handle what Codat sent and what waits, ask Codat what is to be asked, and handle the answers."""
        assert self.codat.simulation.wait_until_idle(WAIT_S)
        received = self.receiver.received
        for message in received[self._handled :]:
            self.bench.clock.now = self.desk.clock()
            self.bench.send(message.raw, event_id=message.headers["webhook-id"])
        self._handled = len(received)
        for _ in range(20):  # more than once or twice where the machine is slow: by then more is to be asked
            self.bench.clock.now = self.desk.clock()
            self.bench.drain_all()
            if not self._asking.ask():
                return

    def change(self, connection_id: str, name: str, **options: object) -> None:
        """Make something happen at Codat, and learn it."""
        self.codat.simulation.change(connection_id, name, options)
        self.settle()

    def linked(self, company_id: str, platform_key: str = "gbol") -> str:
        """A connection that was authorised."""
        connection_id = self.desk.journey.connect(company_id, platform_key).connection_id
        self.change(connection_id, "authorize")
        assert self.bench.state(connection_id) == "authorized"
        return connection_id

    def later(self, seconds: float) -> None:
        """Let time pass, for us and for Codat."""
        self._wall.later_s += seconds
        self.desk.later += timedelta(seconds=seconds)

    def close(self) -> None:
        """Give everything back."""
        for http in self._clients:
            http.close()
        self.desk.close()
        self.container.redis.close()
        if self.container.codat is not None:
            self.container.codat.close()
