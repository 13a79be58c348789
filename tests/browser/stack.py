"""The whole service with a simulated Codat, in processes of their own, for a browser to visit."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from processor.cli.demo_welcome import redirect_url
from processor.cli.run import service, store_environment
from processor.container import Container, for_worker
from processor.journey.tokens import Tokens
from processor.runtime.supervisor import Supervisor
from processor.settings.definitions import Settings
from processor.settings.loading import load
from processor.simulator import SimulatorClient, SimulatorConfig, SimulatorServer
from processor.simulator.config import new_webhook_secret
from processor.simulator.lender import BRANDS, LENDER_PATH
from processor.simulator.mailbox import Mailbox
from tests.support.ports import own_port

API_KEY = "browser-tests"
OPERATOR_PASSWORD = "the-password-of-the-night-watch"
SECRET_KEY = "a-key-for-the-browser-tests"
READY_WITHIN_S = 90.0
PATIENCE_S = 60
"""How long everybody waits for Redis, in seconds: a page would be answered 503 after 0.65 s."""

SYNC_S = 6.0
RETRY_SCALE = 0.002
"""Codat sends again after 5 s, then after 5 minutes: nobody here would wait for what was refused twice."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A running service. ``codat`` makes things happen at the simulated Codat."""

    settings: Settings
    simulator: SimulatorServer
    codat: SimulatorClient
    http: httpx.Client
    container: Container
    mailbox: Mailbox

    @property
    def url(self) -> str:
        """Where the service is."""
        return self.settings.local_url

    def sign_up(self, merchant_id: str, name: str, *, brand: str | None = None) -> tuple[str, str]:
        """A company that signed up: its id, and its link."""
        journey = self.container.journey
        company, _ = journey.sign_up(merchant_id=merchant_id, name=name, brand=brand, root=self.url)
        return company.company_id, company.connect_url

    def state(self, connection_id: str) -> str:
        """The public state of a connection; empty while it is not known yet."""
        answer = self.http.get(f"/v1/connections/{connection_id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return ""
        return str(answer.raise_for_status().json()["state"])

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The first page of a list."""
        answer = self.http.get(path, params=query)
        return list(answer.raise_for_status().json()["items"])

    def connections(self, company_id: str) -> list[str]:
        """The ids of a company's connections, newest first."""
        return [str(one["id"]) for one in self.items(f"/v1/companies/{company_id}/connections")]

    def token_of_another_day(self, company_id: str) -> str:
        """A token that was good until a while ago."""
        return Tokens(lambda: [SECRET_KEY], clock=lambda: time.time() - 100_000).make(company_id)


@contextlib.contextmanager
def stack(**more: str) -> Iterator[Stack]:
    """Run everything; ``more`` are settings."""
    with contextlib.ExitStack() as held:
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix="codat-"))
        port = own_port()
        secret = new_webhook_secret()
        mailbox = held.enter_context(Mailbox())
        simulator = held.enter_context(
            SimulatorServer(
                SimulatorConfig(
                    product_url=f"http://127.0.0.1:{port}",
                    webhook_url=f"http://127.0.0.1:{port}/webhooks/codat",
                    webhook_secret=secret,
                    redirect_url=redirect_url(f"http://127.0.0.1:{port}"),
                    auto_sync=False,
                    sync_s=SYNC_S,
                    retry_scale=RETRY_SCALE,
                )
            )
        )
        environ = {
            "DATA_DIR": folder,
            "PORT": str(port),
            "API_KEYS": API_KEY,
            "OPERATOR_PASSWORD": OPERATOR_PASSWORD,
            "SECRET_KEY": SECRET_KEY,
            "CODAT_API_KEY": simulator.config.api_key,
            "CODAT_API_URL": simulator.url,
            "CODAT_WEBHOOK_SECRETS": secret,
            "RETURN_URL": f"{simulator.url}{LENDER_PATH}",
            "EMBED_ORIGINS": simulator.url,
            "BRAND_DIR": str(BRANDS),
            "SMTP_URL": mailbox.url,
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "WORKERS": "1",
            "WEB_CONCURRENCY": "1",
            "LOG_LEVEL": "WARNING",
            **more,
        }
        settings = load(environ)
        where = held.enter_context(store_environment(settings))
        env = {**environ, "REDIS_URL": _patient(where["REDIS_URL"])}
        held.enter_context(Supervisor(service(settings, env)))
        codat = held.enter_context(SimulatorClient(simulator.url))
        headers = {"Authorization": f"Bearer {API_KEY}"}
        http = held.enter_context(
            httpx.Client(base_url=settings.local_url, headers=headers, timeout=PATIENCE_S, trust_env=False)
        )
        _await_ready(http)
        container = for_worker(load(env))
        held.callback(container.redis.close)
        if container.codat is not None:
            held.callback(container.codat.close)
        yield Stack(settings, simulator, codat, http, container, mailbox)


def _patient(redis_url: str) -> str:
    sign = "&" if "?" in redis_url else "?"
    return f"{redis_url}{sign}socket_timeout={PATIENCE_S}&socket_connect_timeout={PATIENCE_S}"


def _await_ready(http: httpx.Client) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            answer = http.get("/readyz")
            if answer.status_code == httpx.codes.OK and not answer.json().get("warnings"):
                return
        time.sleep(0.05)
    raise AssertionError(f"the service was not ready within {READY_WITHIN_S:.0f} s")
