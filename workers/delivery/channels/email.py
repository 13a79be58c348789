"""E-mail to a company's contact, by SMTP."""

import json
import smtplib
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from email.message import EmailMessage
from typing import Any

from jinja2 import TemplateError
from redis import Redis

from processor.clock import elapsed_ms
from processor.container import Container
from processor.delivery.channels.email import MAILED, PERMANENT, REMINDERS
from processor.delivery.email_templates import EmailTemplates, to_message
from processor.delivery.lane import AttemptVerdict, Lease
from processor.delivery.mail_server import FINAL_REPLY_S, MailServer, ReplyLost, reply_text
from processor.delivery.send_log import LeaseLost, SendLog
from processor.journey.reminders import Obstacle, Reminders
from processor.settings.brands import Brand, brand_of
from processor.store import keys
from processor.store.encryption import KeyMissing, decrypt
from workers.delivery.channels.blocking_sender import BlockingSender, PointOfNoReturn, SendCancelled
from workers.delivery.channels.sender import AttemptResult, Sender, undeliverable

BEGIN_WITHIN_S = 60.0
"""Limit from connecting until only the message is left to send, in seconds."""

REPLY_WITHIN_S = FINAL_REPLY_S + 30.0
"""Limit for the rest of the send, in seconds: longer than the wait for the final reply."""

CONTACT = "contact"
"""The recipient's name in the send log, which must not contain the address."""

LinkUrl = Callable[[str], str | None]
"""Returns the URL at which a company connects; ``None`` where it has none."""

UnsubscribeUrl = Callable[[str, str], str | None]
"""Returns the URL at which the holder of an address ends reminders of a company."""


class EmailSender(Sender):
    """Sends e-mails to the contact of the company that a notification is about.

    ``link_url`` makes the link in the e-mail, which is valid for ``link_days``. ``obstacle`` says what keeps
    a reminder from being sent now, and ``unsubscribe_url`` where its reader ends reminders.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        server: MailServer,
        templates: EmailTemplates,
        sender: str,
        link_url: LinkUrl,
        unsubscribe_url: UnsubscribeUrl,
        obstacle: Callable[[Mapping[str, Any]], Obstacle | None],
        brands: Mapping[str, Brand],
        link_days: int,
        default_language: str,
        reply_within_s: float = REPLY_WITHIN_S,
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._server = server
        self._templates = templates
        self._mail_from = sender
        self._link_url, self._unsubscribe_url, self._obstacle = link_url, unsubscribe_url, obstacle
        self._brands, self._link_days = brands, link_days
        self._default_language = default_language
        self._clock = clock
        self._log = SendLog(client)
        self._sender = BlockingSender("email", begin_within_s=BEGIN_WITHIN_S, reply_within_s=reply_within_s)

    @property
    def awaiting_reply(self) -> int:
        """The number of messages that await the mail server's final reply."""
        return self._sender.awaiting_reply

    async def deliver(self, lease: Lease) -> AttemptResult:
        """Make one attempt; ``uncertain`` from the final dot until the mail server's reply."""
        return await self._sender.run(lambda point: self._send(lease, point))

    def _send(self, lease: Lease, point: PointOfNoReturn) -> AttemptResult:
        if CONTACT in self._log.outcomes(lease):
            error = "an earlier attempt ended before its answer came"
            return AttemptResult(AttemptVerdict.UNCERTAIN, 0, error=error)
        body = json.loads(lease.body)
        if body["type"] not in MAILED:
            return undeliverable("there is no such e-mail")
        if body["type"] in REMINDERS and (obstacle := self._obstacle(body)) is not None:
            verdict = AttemptVerdict.CANCELLED if obstacle.wait is None else AttemptVerdict.AGAIN
            return AttemptResult(verdict, 0, error=obstacle.reason, retry_after=obstacle.wait, counts=False)
        company_id = body["data"]["company_id"]
        contact, given_name, name, brand, language = self._client.hmget(
            keys.company(company_id), "contact_email", "given_name", "name", "brand", "language"
        )
        if not contact:
            return undeliverable("the company has no contact any more")
        try:
            message = self._message(
                lease,
                company_id,
                contact,
                given_name or name,
                brand_of(self._brands, brand and brand.decode()),
                language.decode() if language else self._default_language,
            )
        except TemplateError as template_error:
            error = f"a template cannot be used ({type(template_error).__name__})"
            return AttemptResult(AttemptVerdict.AGAIN, 0, error=error)
        except KeyMissing as missing:
            return AttemptResult(AttemptVerdict.AGAIN, 0, error=str(missing))
        except ValueError:
            return undeliverable("the contact is no e-mail address")

        def before_message() -> None:
            point.enter()
            self._log.begin(lease, CONTACT)

        result = self._submit(message, before_message)
        if point.passed and result.verdict is AttemptVerdict.AGAIN:
            self._log.failed(lease, CONTACT)
        return result

    def _message(
        self, lease: Lease, company_id: str, contact: bytes, name: bytes | None, brand: Brand, language: str
    ) -> EmailMessage:
        """The e-mail. Raises ``TemplateError``, and ``ValueError`` for an invalid contact."""
        body, to = json.loads(lease.body), decrypt(contact.decode("utf-8", "replace"))
        email = self._templates.render(
            body,
            company_name=name.decode("utf-8", "replace") if name else None,
            link=self._link_url(company_id),
            product=brand.name,
            support=brand.support_email,
            link_days=self._link_days,
            unsubscribe=self._unsubscribe_url(company_id, to) if body["type"] in REMINDERS else None,
            language=language,
        )
        return to_message(
            email, message_id=lease.notification_id, sender=self._mail_from, to=to, at=self._clock()
        )

    def _submit(self, message: EmailMessage, before_message: Callable[[], None]) -> AttemptResult:
        began = time.monotonic()
        try:
            self._server.send(message, before_message)
        except (SendCancelled, LeaseLost):
            error = "the attempt was given up before the message was sent"
            return AttemptResult(AttemptVerdict.AGAIN, elapsed_ms(began), error=error, counts=False)
        except ReplyLost as lost:
            return AttemptResult(AttemptVerdict.UNCERTAIN, elapsed_ms(began), error=str(lost))
        except (smtplib.SMTPException, OSError) as failure:
            return _refusal(failure, elapsed_ms(began))
        return AttemptResult(AttemptVerdict.DELIVERED, elapsed_ms(began), status=250, excerpt="250 accepted")


def email_sender(container: Container) -> EmailSender:
    """The sender with the collaborators of ``container``."""
    settings = container.settings

    def link_url(company_id: str) -> str | None:
        if settings.public_url is None or container.codat is None:
            return None  # readers could not reach the link, or could not connect there
        return container.journey.links.mailed_url(company_id)

    return EmailSender(
        container.redis,
        server=MailServer(settings.smtp_url or "", verify=settings.smtp_tls_verify),
        templates=EmailTemplates(settings.mail_templates_dir),
        sender=settings.sender or "",
        link_url=link_url,
        unsubscribe_url=container.journey.opt_out.url,
        obstacle=Reminders(
            container.redis,
            reader=container.reader,
            waker=container.waker,
            settings=settings,
            read_again=None,
            clock=container.clock,
        ).obstacle,
        brands=container.journey.brands,
        link_days=settings.link_days,
        default_language=settings.default_language,
        clock=container.clock,
    )


def _refusal(failure: Exception, duration_ms: int) -> AttemptResult:
    """The result of an e-mail that the mail server certainly does not have."""
    if isinstance(failure, smtplib.SMTPRecipientsRefused):
        code = max((code for code, _ in failure.recipients.values()), default=0)
        verdict = AttemptVerdict.DEAD if code >= PERMANENT else AttemptVerdict.AGAIN
        error = "the recipient was refused"
        return AttemptResult(verdict, duration_ms, status=code or None, error=error, counts=False)
    if isinstance(failure, smtplib.SMTPNotSupportedError):
        error = "the mail server cannot write to such an address"
        return AttemptResult(AttemptVerdict.DEAD, duration_ms, error=error, counts=False)
    if isinstance(failure, smtplib.SMTPResponseException):
        is_about_message = isinstance(failure, smtplib.SMTPDataError) and failure.smtp_code >= PERMANENT
        return AttemptResult(
            AttemptVerdict.AGAIN,
            duration_ms,
            status=failure.smtp_code,
            excerpt=reply_text(failure)[:1024],
            error=f"the mail server refused ({type(failure).__name__})",
            counts=not is_about_message,
        )
    return AttemptResult(
        AttemptVerdict.AGAIN, duration_ms, error=f"{type(failure).__name__}: {failure}"[:300]
    )
