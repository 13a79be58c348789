"""The store filled the real way, the API on it, and what delivers."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import TestResponse

from processor.container import Container
from processor.delivery.channels.webhook import WEBHOOK
from processor.delivery.http_sender import HttpSender
from processor.delivery.redelivery import RedeliveryService
from tests.processor.web.v1 import filling as filling_module
from tests.processor.web.v1.filling import KEY, Filling
from tests.workers.delivery.receiving import WAIT_S, MakeReceiver, receivers
from workers.delivery.channels.webhook import WebhookSender
from workers.delivery.wiring import SENDERS, dispatcher_of

Call = Callable[..., TestResponse]


class Service(Filling):
    """A store with private subscribers allowed."""

    @property
    def redelivery(self) -> RedeliveryService:
        """Sends notifications again."""
        return self.container.redelivery_service

    def deliver(self) -> int:
        """Carry out what is due; how many attempts were made."""
        return dispatcher_of(self.container).run_once()


def _patient_sender(_container: Container) -> WebhookSender:
    return WebhookSender(HttpSender(allow_private=True, lookups=ThreadPoolExecutor(4), body_s=WAIT_S))


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Responses arrive whole, however long the machine takes."""
    monkeypatch.setitem(SENDERS, WEBHOOK.name, _patient_sender)


@pytest.fixture
def service(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The store and the application on it."""
    real = filling_module.load
    monkeypatch.setattr(
        filling_module, "load", lambda environ: real({**environ, "ALLOW_PRIVATE_SUBSCRIBERS": "true"})
    )
    made = Service(redis_url)
    made.environ["ALLOW_PRIVATE_SUBSCRIBERS"] = "true"
    yield made
    made.close()


@pytest.fixture
def call(service: Service) -> Call:
    """Calls the API with a key; the answer."""
    client = service.app.test_client()

    def call(method: str, path: str, body: Any = None, **query: Any) -> TestResponse:
        more = {} if body is None else {"json": body}
        return client.open(
            path, method=method, query_string=query, headers={"Authorization": f"Bearer {KEY}"}, **more
        )

    return call


@pytest.fixture
def receiver() -> Iterator[MakeReceiver]:
    """Makes receivers that end with the test."""
    with receivers() as make:
        yield make
