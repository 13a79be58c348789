"""E-mail to a company's contact, by SMTP."""

import asyncio
import contextlib
import json
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

from jinja2 import TemplateError
from redis import Redis

from processor import times
from processor.delivery.lane import Claimed, Verdict
from processor.delivery.mail import Letters, message
from processor.store import keys
from workers.channels.channel import Result

THREADS = 10
TIMEOUT_S = 15.0
"""For each step of the conversation with the mail server, in seconds."""

TOTAL_S = 60.0
PORTS = {"smtps": 465, "smtp": 587, "smtp+starttls": 587}
LOCAL = ("localhost", "127.0.0.1", "::1")
PERMANENT = 500

Link = Callable[[str], str | None]
"""The address at which a company connects; ``None`` where there is none."""


class _Unprotected(smtplib.SMTPException):
    """The mail server offers no TLS, and without it we do not go on."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mails are handed in: SMTP_URL. ``tls`` holds the authorities that are trusted."""

    url: str = field(repr=False)
    tls: ssl.SSLContext | None = None

    def send(self, mail: EmailMessage) -> str:
        """Hand one e-mail in; the server's last word. Raises ``smtplib.SMTPException`` or ``OSError``."""
        with self._open() as server:
            server.send_message(mail)
        return "250 accepted"

    @contextlib.contextmanager
    def _open(self) -> Iterator[smtplib.SMTP]:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        context = self.tls or ssl.create_default_context()
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
        try:
            server.ehlo()
            protected = parts.scheme == "smtps"
            if not protected and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
                protected = True
            if not protected and (parts.scheme != "smtp" or (parts.username and host not in LOCAL)):
                raise _Unprotected("the mail server offers no TLS")
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            yield server
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()


class Email:
    """Writes to the contact of the company that a notification is about.

    ``link`` makes the address at which a company connects.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        server: MailServer,
        letters: Letters,
        sender: str,
        link: Link = lambda _: None,
        product: str | None = None,
        clock: Callable[[], datetime] = times.now,
    ) -> None:
        self._client = client
        self._server = server
        self._letters = letters
        self._sender = sender
        self._link = link
        self._product = product
        self._clock = clock
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="email")

    def prepare(self) -> None:
        """Nothing takes a moment."""

    async def deliver(self, claimed: Claimed) -> Result:
        """Make one attempt."""
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        try:
            work = loop.run_in_executor(self._pool, self._send, claimed)
            return await asyncio.wait_for(work, TOTAL_S)
        except TimeoutError:
            duration_ms = int((time.monotonic() - began) * 1000)
            return Result(Verdict.AGAIN, duration_ms, error=f"not handed in within {TOTAL_S:g} s")

    def _send(self, claimed: Claimed) -> Result:
        body = json.loads(claimed.body)
        company_id = body["data"]["company_id"]
        contact, given, name = self._client.hmget(
            keys.company(company_id), "contact_email", "given_name", "name"
        )
        name = given or name
        if not contact:
            return Result(Verdict.DEAD, 0, error="the company has no contact any more", counts=False)
        try:
            letter = self._letters.write(
                body,
                company_name=name.decode("utf-8", "replace") if name else None,
                link=self._link(company_id),
                product=self._product,
            )
            mail = message(
                letter,
                message_id=claimed.notification_id,
                sender=self._sender,
                to=contact.decode("utf-8", "replace"),
                at=self._clock(),
            )
        except TemplateError as error:
            return Result(Verdict.AGAIN, 0, error=f"a template cannot be used ({type(error).__name__})")
        except ValueError:
            return Result(Verdict.DEAD, 0, error="the contact is no e-mail address", counts=False)
        return self._hand_in(mail)

    def _hand_in(self, mail: EmailMessage) -> Result:
        began = time.monotonic()
        try:
            said = self._server.send(mail)
        except smtplib.SMTPRecipientsRefused as error:
            code = max((code for code, _ in error.recipients.values()), default=0)
            final = code >= PERMANENT
            verdict = Verdict.DEAD if final else Verdict.AGAIN
            return Result(
                verdict, _since(began), status=code or None, error="the recipient was refused", counts=False
            )
        except smtplib.SMTPNotSupportedError:
            error_said = "the mail server cannot write to such an address"
            return Result(Verdict.DEAD, _since(began), error=error_said, counts=False)
        except smtplib.SMTPResponseException as error:
            text = error.smtp_error
            said = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
            about_it = isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= PERMANENT
            return Result(
                Verdict.AGAIN,
                _since(began),
                status=error.smtp_code,
                excerpt=said[:1024],
                error=f"the mail server refused ({type(error).__name__})",
                counts=not about_it,
            )
        except (smtplib.SMTPException, OSError, socket.gaierror) as error:
            return Result(Verdict.AGAIN, _since(began), error=f"{type(error).__name__}: {error}"[:300])
        return Result(Verdict.DELIVERED, _since(began), status=250, excerpt=said)


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
