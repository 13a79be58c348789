"""The mail server of SMTP_URL: sending e-mails and probing.

RFC 5321: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2
"""

import contextlib
import ipaddress
import smtplib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

from processor.settings.definitions import Settings

TIMEOUT_S = 15.0
"""Timeout for connecting and for each reply but the last, in seconds."""

FINAL_REPLY_S = 600.0
"""Timeout for the reply to the final dot, in seconds: a server may process the message before it replies.

A sender with a shorter timeout sends copies of messages that the server delivers (RFC 5321, 4.5.3.2.6).
"""

PORTS = {"smtps": 465, "smtp": 587, "smtp+starttls": 587}
START_INPUT = 354


class ReplyLost(smtplib.SMTPException):
    """The whole message was sent and no reply came: the server may have accepted it."""


class TlsUnavailable(smtplib.SMTPException):
    """The mail server does not offer the required TLS."""


class _Session:
    """SMTP session. ``before_message`` runs just before the message is sent, and can raise to prevent it."""

    before_message: Callable[[], None] | None = None
    is_in_message = False

    def data(self: Any, msg: Any) -> Any:
        """Send the message (bytes); the final reply, awaited as long as RFC 5321 requires.

        Raises :class:`ReplyLost` where no valid reply comes.
        """
        self.putcmd("data")
        code, reply = self.getreply()
        if code != START_INPUT:
            raise smtplib.SMTPDataError(code, reply)
        self.is_in_message = True
        if self.before_message is not None:
            self.before_message()
        text = (b"\n" + msg).replace(b"\n.", b"\n..")[1:]  # a dot at the start of a line is doubled
        self.send(text + (b".\r\n" if text.endswith(b"\r\n") else b"\r\n.\r\n"))
        self.sock.settimeout(FINAL_REPLY_S)
        try:
            code, reply = self.getreply()
        except (smtplib.SMTPException, OSError) as error:
            raise ReplyLost(f"no answer after the message was handed over ({error})") from error
        if not (200 <= code < 300 or 400 <= code < 600):
            raise ReplyLost("the answer after the message was handed over is not SMTP")
        self.is_in_message = False
        self.sock.settimeout(TIMEOUT_S)
        return (250 if code < 300 else code), reply


class _Smtp(_Session, smtplib.SMTP):
    """A session that starts without TLS."""


class _Smtps(_Session, smtplib.SMTP_SSL):
    """A session within TLS."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail server at ``url`` (SMTP_URL).

    ``verify``: certificates are checked (SMTP_TLS_VERIFY); ``tls`` has the trusted authorities, by default
    those of the system. With ``smtp://`` on a loopback address TLS is optional and its certificate is not
    checked. Methods raise ``smtplib.SMTPException`` or ``OSError``.
    """

    url: str = field(repr=False)
    tls: ssl.SSLContext | None = None
    verify: bool = True

    def send(self, mail: EmailMessage, before_message: Callable[[], None] | None = None) -> None:
        """Send an e-mail.

        ``before_message`` is called just before the message is sent, and can raise to prevent it. Raises
        :class:`ReplyLost` where the server may have accepted it.
        """
        with self._open() as server:
            server.before_message = before_message
            server.send_message(mail)

    def probe(self) -> bool:
        """Start TLS, log in and send NOOP; whether the session has TLS."""
        with self._open() as server:
            code, reply = server.noop()
            if not 200 <= code < 300:
                raise smtplib.SMTPResponseException(code, reply)
            return isinstance(server.sock, ssl.SSLSocket)

    @contextlib.contextmanager
    def _open(self) -> Iterator[_Smtp | _Smtps]:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        server = self._connect(parts.scheme, host, parts.port or PORTS[parts.scheme])
        try:
            has_tls = isinstance(server.sock, ssl.SSLSocket)
            if not has_tls and (parts.scheme != "smtp" or (parts.username and not is_loopback(host))):
                raise TlsUnavailable("the mail server offers no TLS")
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            yield server
        finally:
            _close(server)

    def _connect(self, scheme: str, host: str, port: int) -> _Smtp | _Smtps:
        """A session after EHLO, with TLS where the server offers it."""
        is_optional = scheme == "smtp" and is_loopback(host)
        context = self._context(verify=self.verify and not is_optional)
        if scheme == "smtps":
            return _greet(_Smtps(host, port, timeout=TIMEOUT_S, context=context))
        server = _greet(_Smtp(host, port, timeout=TIMEOUT_S))
        if not server.has_extn("starttls"):
            return server
        try:
            server.starttls(context=context)
            return _greet(server)
        except (smtplib.SMTPException, OSError):
            server.close()
            if not is_optional:
                raise
        return _greet(_Smtp(host, port, timeout=TIMEOUT_S))

    def _context(self, *, verify: bool) -> ssl.SSLContext:
        if verify:
            return self.tls or ssl.create_default_context()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def is_loopback(host: str) -> bool:
    """Whether a host is a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def reply_text(error: smtplib.SMTPResponseException) -> str:
    """The text of a mail server's refusal."""
    reply = error.smtp_error
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)


def _greet(server: _Smtp | _Smtps) -> _Smtp | _Smtps:
    try:
        server.ehlo_or_helo_if_needed()
    except (smtplib.SMTPException, OSError):
        server.close()
        raise
    return server


def _close(server: _Smtp | _Smtps) -> None:
    """Send QUIT unless a message is under way, and close."""
    with contextlib.suppress(smtplib.SMTPException, OSError):
        if not server.is_in_message:
            server.quit()
    server.close()


def probe(settings: Settings) -> tuple[bool, str]:
    """Log in to SMTP_URL as for an e-mail, without sending one; whether that works, and a sentence."""
    server = MailServer(settings.smtp_url or "", verify=settings.smtp_tls_verify)
    try:
        protected = server.probe()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return False, f"The mail server cannot be used: {_probe_error(error)}."
    return True, f"The mail server answers{', within TLS' if protected else ', without TLS'}."


def _probe_error(error: Exception) -> str:
    """Why the probe failed; without the login, which a server may repeat."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"it refuses the login in SMTP_URL ({error.smtp_code})"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answers {error.smtp_code} {reply_text(error)[:200]}".rstrip(". ")
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({error.verify_message}); SMTP_TLS_VERIFY=false accepts any"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}"[:300].rstrip(". ")
