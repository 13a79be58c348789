"""A mail server in this process: what it took in, and what it says."""

import asyncio
import email
import email.policy
import ssl
import threading
from collections.abc import Callable
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from workers.delivery.dispatcher import Dispatcher

Serve = Callable[..., "MailController"]
"""Starts a mail server."""

MakeDispatcher = Callable[..., Dispatcher]
"""Makes a dispatcher that sends e-mails by the mail server with this URL."""

LINK = "https://service.example/connect/a-token"


class Mailbox:
    """What a mail server took in, and what it says: a line of SMTP for each recipient or message."""

    def __init__(self) -> None:
        self.mails: list[email.message.EmailMessage] = []
        self.recipients: list[str] = []
        self.says_to_recipient = "250 OK"
        self.says_to_message = "250 taken"
        self.logins: list[tuple[bytes, bytes]] = []
        self.protected: list[bool] = []
        self.handed_over = 0
        self.answers = threading.Event()
        self.answers.set()
        self.hangs_up = False

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> Any:
        if self.says_to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
            self.recipients.append(address)
        return self.says_to_recipient

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> Any:  # noqa: N802
        self.handed_over += 1
        while not self.answers.is_set():
            await asyncio.sleep(0.01)
        if self.hangs_up:
            server.transport.abort()
        if self.says_to_message.startswith("2"):
            self.protected.append(isinstance(server.transport.get_extra_info("ssl_object"), ssl.SSLObject))
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return self.says_to_message

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: Any, data: Any) -> Any:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss", handled=False)


class MailController(Controller):
    """Serves; the port is chosen by the system."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def parts(mail: email.message.EmailMessage) -> tuple[str, str]:
    """The plain text and the HTML of an e-mail."""
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()
