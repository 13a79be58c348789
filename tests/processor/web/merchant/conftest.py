"""Pages of a service with a mail server."""

from collections.abc import Iterator

import pytest

from tests.processor.web.conftest import OpenPlace
from tests.support.visiting import Place
from tests.workers.delivery.mailing import Mailbox, MailController


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def mailing_place(open_place: OpenPlace, mailbox: Mailbox) -> Iterator[Place]:
    """A service whose days have no quiet hours, reached at http://ours.example; its mails are in the box."""
    server = MailController(mailbox, hostname="127.0.0.1", port=0, ready_timeout=60)
    server.start()
    try:
        yield open_place(
            SMTP_URL=f"smtp://127.0.0.1:{server.port}",
            MAIL_FROM="us@ours.example",
            PUBLIC_URL="http://ours.example",
            QUIET_HOURS="off",
        )
    finally:
        server.stop()
