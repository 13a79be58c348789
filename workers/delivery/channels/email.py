"""E-mail to a company's contact, by SMTP."""

import json
import smtplib
import time
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from typing import Any

from jinja2 import TemplateError
from redis import Redis

from processor.clock import utc_now
from processor.delivery.email_templates import EmailTemplates, message
from processor.delivery.lane import AttemptVerdict, Lease
from processor.delivery.mail_server import ANSWER_S, AnswerLost, MailServer, words_of
from processor.delivery.send_log import LeaseLost, SendLog
from processor.store import keys
from workers.delivery.channels.blocking_sender import BlockingSender, CalledOff, PointOfNoReturn
from workers.delivery.channels.channel import Result

BEGIN_WITHIN_S = 60.0
"""From connecting until nothing but the message is left to send, in seconds."""

MARGIN_S = 30.0
"""How much longer than the answer to the final dot a whole send may take, in seconds."""

PERMANENT = 500
CONTACT = "contact"
"""The recipient's name in the log of sends: the address stays out of it."""

Link = Callable[[str], str | None]
"""The address at which a company connects; ``None`` where there is none."""


class Email:
    """Writes to the contact of the company that a notification is about.

    ``link`` makes the address at which a company connects.
    """

    answer_within_s = ANSWER_S + MARGIN_S

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        server: MailServer,
        letters: EmailTemplates,
        sender: str,
        link: Link = lambda _: None,
        product: str | None = None,
        support: str | None = None,
        link_days: int = 1,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._server = server
        self._letters = letters
        self._mail_from = sender
        self._link = link
        self._product, self._support, self._link_days = product, support, link_days
        self._clock = clock
        self._log = SendLog(client)
        self._sender = BlockingSender(
            "email", begin_within_s=BEGIN_WITHIN_S, answer_within_s=self.answer_within_s
        )

    @property
    def begun(self) -> int:
        """How many messages wait for the mail server's last word."""
        return self._sender.begun

    def prepare(self) -> None:
        """Nothing takes a moment."""

    async def deliver(self, claimed: Lease) -> Result:
        """Make one attempt; ``uncertain`` from the final dot until the mail server's answer."""
        return await self._sender.run(lambda handover: self._send(claimed, handover))

    def _send(self, claimed: Lease, handover: PointOfNoReturn) -> Result:
        if CONTACT in self._log.outcomes(claimed):
            return Result(
                AttemptVerdict.UNCERTAIN, 0, error="an earlier attempt ended before its answer came"
            )
        body = json.loads(claimed.body)
        company_id = body["data"]["company_id"]
        contact, given, name = self._client.hmget(
            keys.company(company_id), "contact_email", "given_name", "name"
        )
        name = given or name
        if not contact:
            return Result(AttemptVerdict.DEAD, 0, error="the company has no contact any more", counts=False)
        try:
            letter = self._letters.write(
                body,
                company_name=name.decode("utf-8", "replace") if name else None,
                link=self._link(company_id),
                product=self._product,
                support=self._support,
                link_days=self._link_days,
            )
            mail = message(
                letter,
                message_id=claimed.notification_id,
                sender=self._mail_from,
                to=contact.decode("utf-8", "replace"),
                at=self._clock(),
            )
        except TemplateError as error:
            return Result(
                AttemptVerdict.AGAIN, 0, error=f"a template cannot be used ({type(error).__name__})"
            )
        except ValueError:
            return Result(AttemptVerdict.DEAD, 0, error="the contact is no e-mail address", counts=False)

        def begin() -> None:
            handover.begin()
            self._log.begin(claimed, CONTACT)

        result = self._hand_in(mail, begin)
        if handover.begun and result.verdict is AttemptVerdict.AGAIN:
            self._log.failed(claimed, CONTACT)
        return result

    def _hand_in(self, mail: EmailMessage, begin: Callable[[], None]) -> Result:
        began = time.monotonic()
        try:
            said = self._server.send(mail, begin)
        except (CalledOff, LeaseLost):
            error = "the attempt was given up before the message was sent"
            return Result(AttemptVerdict.AGAIN, _since(began), error=error, counts=False)
        except AnswerLost as lost:
            return Result(AttemptVerdict.UNCERTAIN, _since(began), error=str(lost))
        except smtplib.SMTPRecipientsRefused as error:
            code = max((code for code, _ in error.recipients.values()), default=0)
            verdict = AttemptVerdict.DEAD if code >= PERMANENT else AttemptVerdict.AGAIN
            refused = "the recipient was refused"
            return Result(verdict, _since(began), status=code or None, error=refused, counts=False)
        except smtplib.SMTPNotSupportedError:
            unable = "the mail server cannot write to such an address"
            return Result(AttemptVerdict.DEAD, _since(began), error=unable, counts=False)
        except smtplib.SMTPResponseException as error:
            about_it = isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= PERMANENT
            return Result(
                AttemptVerdict.AGAIN,
                _since(began),
                status=error.smtp_code,
                excerpt=words_of(error)[:1024],
                error=f"the mail server refused ({type(error).__name__})",
                counts=not about_it,
            )
        except (smtplib.SMTPException, OSError) as error:
            return Result(AttemptVerdict.AGAIN, _since(began), error=f"{type(error).__name__}: {error}"[:300])
        return Result(AttemptVerdict.DELIVERED, _since(began), status=250, excerpt=said)


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
