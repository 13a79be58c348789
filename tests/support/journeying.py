"""The journey on a real engine and a simulated Codat behind HTTP, without processes around it."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
from redis import Redis

from processor.clock import utc_now
from processor.codat.client import CodatClient
from processor.codat.http import CodatHttp
from processor.container import Container, for_web, for_worker
from processor.journey.records import LOCK_WAIT_S
from processor.journey.service import Journey
from processor.journey.wiring import make_journey
from processor.settings.definitions import Settings
from processor.settings.loading import load
from processor.simulator import SimulatorServer
from processor.store import heartbeats
from processor.store.inbox import Inbox
from processor.store.queries import Reader
from processor.store.waker import Waker
from tests.support import cells
from tests.support.serving import ENVIRON
from workers import runtime

CODAT_KEY = "simulator-api-key"


class Recording(httpx.BaseTransport):
    """Real HTTP that remembers what was asked."""

    def __init__(self) -> None:
        self._real = httpx.HTTPTransport(verify=False)
        self._lock = threading.Lock()
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.requests.append(request)
        return self._real.handle_request(request)

    def close(self) -> None:
        self._real.close()

    def asked(self, method: str, path: str) -> list[httpx.Request]:
        """The requests with this method whose path ends like this."""
        return [
            request
            for request in self.requests
            if request.method == method and request.url.path.endswith(path)
        ]


class Desk:
    """One process with a journey: ``spawned`` is what it wants to do in the background.

    ``later`` is how much later than really it is for us, and not for Codat; ``ticks`` counts seconds.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        codat: SimulatorServer,
        *,
        timeout_s: float = 10.0,
        sleep: Callable[[float], None] | None = None,
        lock_wait_s: float = LOCK_WAIT_S,
        transport: httpx.BaseTransport | None = None,
        api_key: str | None = CODAT_KEY,
        **environ: str,
    ) -> None:
        given = {**ENVIRON, "REDIS_URL": "redis://unused", "CODAT_API_URL": codat.url, **environ}
        if api_key is not None:
            given["CODAT_API_KEY"] = api_key
        self.settings = load(given)
        self.client, self.codat = client, codat
        self.later = timedelta()
        self.ticks: Callable[[], float] = time.monotonic
        self.wire = Recording()
        self.http = None
        if api_key is not None:
            self.http = CodatClient(
                CodatHttp(
                    api_key=api_key,
                    base_url=codat.url,
                    timeout_s=timeout_s,
                    transport=transport or self.wire,
                    sleep=lambda _: None,
                )
            )
        self.inbox = Inbox(client)
        self.reader = Reader(client)
        self.waker = Waker(client)
        self.spawned: list[Callable[[], None]] = []
        self.journey: Journey = make_journey(
            self.settings,
            client=client,
            inbox=self.inbox,
            reader=self.reader,
            waker=self.waker,
            codat=self.http,
            settle_s=0,
            spawn=self.spawned.append,
            clock=self.clock,
            monotonic=lambda: self.ticks() + self.later.total_seconds(),
            sleep=sleep or (lambda _: None),
            lock_wait_s=lock_wait_s,
        )

    def clock(self) -> datetime:
        """Our clock."""
        return utc_now() + self.later

    def do_in_background(self) -> int:
        """Do what was to be done in the background; how many things that were."""
        works, self.spawned[:] = self.spawned[:], []
        for work in works:
            work()
        return len(works)

    def close(self) -> None:
        """Give the connections back."""
        if self.http is not None:
            self.http.close()

    def company(self, merchant_id: str = "m-1") -> str:
        """The id of a company that signed up."""
        return self.journey.sign_up(merchant_id=merchant_id)[0].company_id


def serving_journeys(settings: Settings) -> Container:
    """What a web process works with, but it waits as long as it takes and does nothing behind one's back."""
    container = for_web(settings)
    journey = make_journey(
        settings,
        client=container.redis,
        inbox=container.inbox,
        reader=container.reader,
        waker=container.waker,
        codat=container.codat,
        settle_s=60,
        spawn=lambda work: work(),
    )
    return dataclasses.replace(container, journey=journey)


@contextlib.contextmanager
def working(settings: Settings) -> Iterator[None]:
    """Workers in a thread: what waits is drained, and Codat is asked, until the end."""
    container = for_worker(settings)
    workers, stop = runtime.build(container, linger_s=0.0), threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            heartbeats.record(container.redis, "worker", "thread")
            for cell in cells.waiting(container.redis):
                workers.drain.run(cell)
            workers.ask()

    thread = threading.Thread(target=work, name="workers")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        container.redis.close()
        if container.codat is not None:
            container.codat.close()
