"""Lanes on an empty engine, under a clock that only the test moves, and receivers on free ports."""

from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from processor.delivery import http_sender
from tests.workers.delivery.mailing import Mailbox, MailController
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import WAIT_S, Answering, Receiver
from workers.delivery import dispatcher


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts come to their end, and answers arrive whole, however long the machine takes for it."""
    monkeypatch.setattr(dispatcher, "PATIENCE_S", WAIT_S)
    monkeypatch.setattr(http_sender, "REST_S", WAIT_S)


@pytest.fixture
def post(redis_url: str) -> Iterator[Post]:
    """Lanes, subscribers and a courier."""
    with Redis.from_url(redis_url) as client:
        yield Post(client)


@pytest.fixture
def receiver() -> Iterator[Callable[..., Receiver]]:
    """Makes receivers that end with the test."""
    made: list[Receiver] = []

    def make(always: Answering | None = None, **how: object) -> Receiver:
        made.append(Receiver(always, **how))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def serve(mailbox) -> Iterator:
    """Starts mail servers that put everything into the mailbox."""
    started: list[MailController] = []

    def start(**how):
        tls = how.pop("smtps", None)
        controller = MailController(
            mailbox, hostname="127.0.0.1", port=0, ssl_context=tls, ready_timeout=WAIT_S, **how
        )
        controller.start()
        started.append(controller)
        return controller

    yield start
    for one in started:
        one.stop()
