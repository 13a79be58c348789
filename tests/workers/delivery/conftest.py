"""Lanes on an empty engine, under a clock that only the test moves, and receivers on free ports."""

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from processor.delivery.channels.email import EMAIL
from processor.delivery.email_templates import EmailTemplates
from processor.delivery.mail_server import MailServer
from processor.languages.catalogues import SOURCE
from processor.settings.brands import Brand
from processor.store import keys
from tests.support.certificates import trusting
from tests.workers.delivery.mailing import LINK, Mailbox, MailController
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import WAIT_S, MakeReceiver, receivers
from workers.delivery.channels.email import EmailSender


@pytest.fixture
def post(redis_url: str) -> Iterator[Post]:
    """Lanes, subscribers and a dispatcher."""
    with Redis.from_url(redis_url) as client:
        yield Post(client)


@pytest.fixture
def receiver() -> Iterator[MakeReceiver]:
    """Makes receivers that end with the test."""
    with receivers() as make:
        yield make


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def serve(mailbox: Mailbox) -> Iterator:
    """Starts mail servers that put everything into the mailbox."""
    started: list[MailController] = []

    def start(**how: Any) -> Any:
        tls = how.pop("smtps", None)
        controller = MailController(
            mailbox, hostname="127.0.0.1", port=0, ssl_context=tls, ready_timeout=WAIT_S, **how
        )
        controller.start()
        started.append(controller)
        return controller

    yield start
    for item in started:
        item.stop()


@pytest.fixture
def mail(post: Post) -> Any:
    """Makes dispatchers that write to the contact of company-1."""
    post.set(smtp_url="smtp://127.0.0.1")
    post.client.hset(
        keys.company("company-1"), mapping={"contact_email": "owner@example.test", "name": "Toft & Co"}
    )

    def dispatcher(
        url: str,
        *,
        verify: bool = True,
        sender: str = "Bank of Dave <hello@bank.example>",
        grace_s: float = WAIT_S,
        **how: Any,
    ) -> Any:
        how = {
            "link_url": lambda _: LINK,
            "unsubscribe_url": lambda _company_id, _address: None,
            "obstacle": lambda _body: None,
            "link_days": 1,
            "default_language": SOURCE,
            "brands": {"default": Brand(name="Bank of Dave")},
            "templates": EmailTemplates(),
            **how,
        }
        email_sender = EmailSender(
            post.client,
            server=MailServer(url, tls=trusting(), verify=verify),
            sender=sender,
            clock=post.clock,
            **how,
        )
        return post.dispatcher(senders={EMAIL.name: email_sender}, grace_s=grace_s)

    return dispatcher
