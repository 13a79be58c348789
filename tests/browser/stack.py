"""The whole service with a simulated Codat, in processes of their own, for a browser to visit."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from processor.cli.demo_welcome import redirect_url
from processor.container import Container, for_worker
from processor.journey.tokens import Tokens
from processor.runtime.embedded_engine import Engine
from processor.settings.definitions import Settings
from processor.settings.loading import load
from processor.simulator import SimulatorClient, SimulatorConfig, SimulatorServer
from processor.simulator.config import new_webhook_secret
from processor.simulator.lender import BRANDS, LENDER_PATH
from processor.simulator.mailbox import Mailbox
from tests.support.ports import own_port
from tests.support.service import Service
from tests.support.serving import patient

API_KEY = "browser-tests"
OPERATOR_PASSWORD = "the-password-of-the-night-watch"
SECRET_KEY = "a-key-for-the-browser-tests"
PATIENCE_S = 60

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
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="codat-")))
        redis_url = patient(held.enter_context(Engine(folder)).url)
        mailbox = held.enter_context(Mailbox())
        port, secret = own_port(), new_webhook_secret()
        url = f"http://127.0.0.1:{port}"
        simulator = held.enter_context(
            SimulatorServer(
                SimulatorConfig(
                    product_url=url,
                    webhook_url=f"{url}/webhooks/codat",
                    webhook_secret=secret,
                    redirect_url=redirect_url(url),
                    auto_sync=False,
                    sync_s=SYNC_S,
                    retry_scale=RETRY_SCALE,
                )
            )
        )
        environ = {
            "DATA_DIR": str(folder),
            "REDIS_URL": redis_url,
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
            "PUBLIC_URL": url,
            "WORKERS": "1",
            "WEB_CONCURRENCY": "1",
            "LOG_LEVEL": "WARNING",
            **more,
        }
        settings = load(environ)
        held.enter_context(Service(folder, **environ))
        codat = held.enter_context(SimulatorClient(simulator.url))
        headers = {"Authorization": f"Bearer {API_KEY}"}
        http = held.enter_context(
            httpx.Client(base_url=url, headers=headers, timeout=PATIENCE_S, trust_env=False)
        )
        container = for_worker(settings)
        held.callback(container.redis.close)
        if container.codat is not None:
            held.callback(container.codat.close)
        yield Stack(settings, simulator, codat, http, container, mailbox)
