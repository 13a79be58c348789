"""A simulated Codat over HTTP whose clock is the test's, and what of ours asks it in the background."""

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
from redis import Redis
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler, make_server

from handlers.registry import Policy
from processor.alerts.signature import Authenticator
from processor.codat.client import CodatClient
from processor.codat.http import CodatHttp
from processor.codat.questions import QuestionClient
from processor.codat.rate_limit import Priority, RateLimiter
from processor.codat.rate_limited_transport import RateLimitedTransport
from processor.container import for_web
from processor.erasure.erase import CompanyEraser
from processor.journey.reminders import Reminders
from processor.reconciliation import wiring
from processor.reconciliation.missed_webhooks import WebhookMonitor
from processor.settings.loading import load
from processor.simulator import SimulatorConfig, SimulatorServer
from processor.simulator.config import Generation
from processor.simulator.entities import SimulatedConnection
from processor.simulator.server import stop_serving
from processor.store import keys
from tests.support import cells, messages, serving
from tests.support.applications import lent_app
from tests.support.workbench import Moving, Workbench
from workers.codat.questions import QuestionRunner
from workers.reconciliation.maintenance import Maintenance
from workers.reconciliation.poller import Poller

PATIENCE_S = 60.0
LIMIT_S = 60.0
"""How long an answer of the simulated Codat may take in real seconds, which no test is about."""

EVERY = timedelta(hours=24)
STATES = {
    "PendingAuth": "pending",
    "Unlinked": "unlinked",
    "Deauthorized": "deauthorized",
}
SYNCED = {None: "authorized", "running": "syncing", "complete": "ready", "failed": "sync_failed"}


def state_of(connection: SimulatedConnection) -> str:
    """The public state that a connection of the simulator ought to have."""
    if connection.deleted:
        return "deleted"
    if connection.status == "PendingAuth" and any(
        problem.resolved is None for problem in connection.problems
    ):
        return "authorization_failed"
    first_sync = connection.first_sync.value if connection.first_sync else None
    return STATES.get(connection.status.value) or SYNCED[first_sync]


class Quiet(WSGIRequestHandler):
    """Says nothing of each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


class Counted(httpx.HTTPTransport):
    """Real HTTP that counts, and keeps the most requests that were under way at once for one company."""

    def __init__(self, clock: Moving) -> None:
        super().__init__(trust_env=False)
        self.clock = clock
        self.requests: list[tuple[datetime, str]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it."""
        self.requests.append((self.clock(), request.url.path))
        return super().handle_request(request)

    def paths(self, part: str = "") -> list[str]:
        """What was asked, where ``part`` stands in it."""
        return [path for _, path in self.requests if part in path]


class TruthBench:
    """Time moves only by the test; waiting moves it."""

    def __init__(self, server: SimulatorServer, bench: Workbench, **environ: str) -> None:
        self.server, self.bench, self.clock = server, bench, bench.clock
        self.simulation, self.world = server.simulation, server.simulation.world
        self.wire = Counted(self.clock)
        self.waits: list[float] = []
        self.rate_limiter = RateLimiter(bench.client, clock=self.clock, sleep=self.wait)
        self.settings = load(
            {
                "CODAT_WEBHOOK_SECRETS": messages.SECRET,
                "CODAT_API_KEY": server.config.api_key,
                "CODAT_API_URL": server.url,
                "REDIS_URL": "redis://unused",
                **environ,
            }
        )
        self.own = SimpleNamespace(
            settings=self.settings,
            redis=bench.client,
            reader=bench.reader,
            inbox=bench.inbox,
            waker=bench.waker,
            policy=bench.policy,
            clock=self.clock,
        )
        self.codat = self.client(Priority.BACKGROUND)
        self.checking = self.client(Priority.CHECK)
        self.polling = self.parts()
        self.asking = QuestionRunner(
            questions=bench.questions,
            inbox=bench.inbox,
            reader=bench.reader,
            waker=bench.waker,
            asker=QuestionClient(self.checking, clock=self.clock),
            clock=self.clock,
        )
        self.monitor = Poller(
            bench.client,
            reader=bench.reader,
            comparer=self.polling.comparer,
            enqueuer=self.polling.enqueuer,
            interval=EVERY,
            clock=self.clock,
        )
        self.silence = WebhookMonitor(bench.client, settings=self.settings)
        self.erasure = CompanyEraser(bench.client)
        self.reminders = Reminders(
            bench.client,
            reader=bench.reader,
            waker=bench.waker,
            settings=self.settings,
            read_again=self.codat.read_again,
            clock=self.clock,
        )
        self.sweep = Maintenance(
            bench.client,
            codat=self.codat,
            scan=self.polling.scan,
            webhook_monitor=self.silence,
            eraser=self.erasure,
            grace=timedelta(days=self.settings.erase_after_days),
            reminders=self.reminders,
            clock=self.clock,
        )

    def parts(self, **how: Any) -> wiring.Reconciliation:
        """Everything that asks in the background; ``stop`` ends it early."""
        result = wiring.build_reconciliation(self.own, codat=self.codat, sleep=self.wait, **how)  # type: ignore[arg-type]
        assert result is not None
        return result

    def client(self, priority: Priority) -> CodatClient:
        """A client under the budget."""
        transport = RateLimitedTransport(self.rate_limiter, priority, inner=self.wire, clock=self.clock)
        return CodatClient(
            CodatHttp(
                api_key=self.server.config.api_key,
                base_url=self.server.url,
                timeout_s=LIMIT_S,
                budget_s=2 * LIMIT_S,
                transport=transport,
                sleep=lambda _: None,
                jitter=lambda: 0.0,
                clock=self.clock,
            )
        )

    def give_up_after(self, seconds: float) -> None:
        """Wait so long for an answer in the background, in real seconds: for tests in which none comes."""
        self.codat._http._timeout_s = seconds

    def wait(self, seconds: float) -> None:
        """Nobody sleeps: time moves."""
        self.waits.append(seconds)
        self.clock.forward(seconds)

    # What happens at Codat

    def company(self, name: str = "Toft stores", **tags: str) -> str:
        """A company, of which we hear nothing by this."""
        with self.simulation.delivery.with_mode(None):
            return str(self.world.create_company(name, {"merchantId": f"m-{name}", **tags}).id)

    def connect(self, company_id: str, platform: str = "gbol") -> str:
        """A connection that waits for authorisation."""
        return str(self.world.create_connection(company_id, platform).id)

    def change(self, connection_id: str, name: str, **options: object) -> None:
        """Something happens; its message goes wherever the simulator's deliveries go."""
        self.simulation.change(connection_id, name, {"auto_sync": False, **options})

    def fault(self, **fault: object) -> None:
        """Codat's API fails."""
        self.simulation.faults.plan(fault)

    def truth(self) -> dict[str, str]:
        """The state that each connection ought to have."""
        with self.simulation.lock:
            return {
                value.id: state_of(value)
                for company in self.world.every_company()
                for value in company.connections.values()
            }

    def ours(self) -> dict[str, str | None]:
        """The state of each of these connections as we know it."""
        return {connection_id: self.bench.state(connection_id) for connection_id in self.truth()}

    # What we do

    def settle(self, *, for_s: float = 0.0) -> None:
        """Handle what waits and ask what is to be checked, moving the clock from question to question."""
        end = self.clock() + timedelta(seconds=for_s)
        while True:
            self.bench.drain_all()
            due = self.bench.next_question()
            if due is None or due > end:
                self.clock.now = max(self.clock.now, end)
                return
            self.clock.now = max(self.clock.now, due)
            self.asking.run()

    def reconcile(self) -> list[Any]:
        """An operator reconciles; everything that follows is handled."""
        outcomes = list(self.polling.reconciler.run_all())
        self.settle(for_s=2 * PATIENCE_S)
        return outcomes

    def run(self, for_s: float, *, step_s: float = 15.0) -> None:
        """Everything in the background goes its way for so long."""
        end = self.clock() + timedelta(seconds=for_s)
        while self.clock() < end:
            self.sweep.run()
            self.monitor.run()
            self.settle()
            self.clock.forward(step_s)

    def next_look(self, company_id: str) -> float | None:
        """In how many seconds the company is looked at next."""
        score = cells.score(self.bench.client, keys.looks, company_id)
        return None if score is None else score / 1000 - self.clock().timestamp()

    def count(self, name: str) -> int:
        """How often something happened."""
        return cells.counter(self.bench.client, name)


@contextmanager
def receiving(redis_url: str, clock: Moving) -> Iterator[str]:
    """Our endpoint, served over HTTP by the application itself; its address."""
    environ = {**serving.ENVIRON, "REDIS_URL": redis_url}
    container = dataclasses.replace(
        for_web(load(environ)),
        clock=clock,
        authenticator=Authenticator(
            secrets=(messages.SECRET,),
            authorizations=(messages.AUTHORIZATION,),
            clock=lambda: clock().timestamp(),
        ),
    )
    server = make_server("127.0.0.1", 0, lent_app(container), threaded=True, request_handler=Quiet)
    assert isinstance(server, ThreadedWSGIServer)
    server.daemon_threads = False  # none of them writes into what the next test has emptied
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{serving.ADDRESS}"
    finally:
        stop_serving(server)
        thread.join()
        server.server_close()
        container.redis.close()


@contextmanager
def truth_bench(redis_url: str, *, heard: bool = False, **environ: str) -> Iterator[TruthBench]:
    """A Codat without companies, and us on an empty engine; ``heard``: its messages reach us over HTTP."""
    clock = Moving(datetime.now(UTC).replace(microsecond=0))
    generations = frozenset(Generation(item) for item in environ.pop("generations", "current").split(","))
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(Redis.from_url(redis_url))
        config = SimulatorConfig(
            auto_sync=False,
            generations=generations,
            webhook_url=stack.enter_context(receiving(redis_url, clock)) if heard else None,
            webhook_secret=messages.SECRET,
            alert_authorization=messages.AUTHORIZATION,
            retry_scale=0.0,
        )
        server = stack.enter_context(SimulatorServer(config, lambda: clock().timestamp()))
        policy = Policy(can_ask=True, patience_s=PATIENCE_S, late_after_s=600)
        bench = TruthBench(server, Workbench(client, policy=policy, clock=clock), **environ)
        try:
            yield bench
        finally:
            bench.codat.close()
            bench.checking.close()
