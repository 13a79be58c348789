"""The mail server of SMTP_URL: handing e-mails in, and trying whether it would take them.

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

TIMEOUT_S = 15.0
"""For connecting, and for each answer but the last, in seconds."""

ANSWER_S = 600.0
"""For the answer to the final dot, in seconds: a server may work on the message before it answers.

Whoever gives up earlier sends copies of what the server goes on to deliver (RFC 5321, 4.5.3.2.6).
"""

PORTS = {"smtps": 465, "smtp": 587, "smtp+starttls": 587}
START_INPUT = 354


class AnswerLost(smtplib.SMTPException):
    """The whole message was handed over and no answer came: it may have been accepted, or not."""


class Unprotected(smtplib.SMTPException):
    """The mail server offers no TLS, and without it we do not go on."""


class _Session:
    """Our part of a session. ``before_message`` runs before the text is sent; by raising it keeps it back."""

    before_message: Callable[[], None] | None = None
    is_in_message = False

    def data(self: Any, msg: Any) -> Any:
        """Send the message (bytes); its answer, for which we wait as long as RFC 5321 says.

        Raises :class:`AnswerLost` where the answer does not come, or is none.
        """
        self.putcmd("data")
        code, said = self.getreply()
        if code != START_INPUT:
            raise smtplib.SMTPDataError(code, said)
        self.is_in_message = True
        if self.before_message is not None:
            self.before_message()
        text = (b"\n" + msg).replace(b"\n.", b"\n..")[1:]  # dots at the beginning of a line are doubled
        self.send(text + (b".\r\n" if text.endswith(b"\r\n") else b"\r\n.\r\n"))
        self.sock.settimeout(ANSWER_S)
        try:
            code, said = self.getreply()
        except (smtplib.SMTPException, OSError) as error:
            raise AnswerLost(f"no answer after the message was handed over ({error})") from error
        if not (200 <= code < 300 or 400 <= code < 600):
            raise AnswerLost("the answer after the message was handed over is not SMTP")
        self.is_in_message = False
        self.sock.settimeout(TIMEOUT_S)
        return (250 if code < 300 else code), said


class _Smtp(_Session, smtplib.SMTP):
    """A session that begins in the clear."""


class _Smtps(_Session, smtplib.SMTP_SSL):
    """A session within TLS."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mails are handed in: SMTP_URL.

    ``verify``: certificates are checked (SMTP_TLS_VERIFY); ``tls`` holds the trusted authorities, by default
    those of the system. With ``smtp://`` on this very machine TLS is used where it works, whatever the
    certificate, and left out where it does not. Its methods raise ``smtplib.SMTPException`` or ``OSError``.
    """

    url: str = field(repr=False)
    tls: ssl.SSLContext | None = None
    verify: bool = True

    def send(self, mail: EmailMessage, before_message: Callable[[], None] | None = None) -> str:
        """Hand one e-mail in; the server's last word.

        ``before_message`` is called when nothing but the text is left to send, and may raise to keep it back.
        Raises :class:`AnswerLost` where the server may have taken it.
        """
        with self._open() as server:
            server.before_message = before_message
            server.send_message(mail)
        return "250 accepted"

    def probe(self) -> bool:
        """Go as far as one can without a message: TLS, login, NOOP; whether the session is protected."""
        with self._open() as server:
            code, said = server.noop()
            if not 200 <= code < 300:
                raise smtplib.SMTPResponseException(code, said)
            return isinstance(server.sock, ssl.SSLSocket)

    @contextlib.contextmanager
    def _open(self) -> Iterator[_Smtp | _Smtps]:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        server = self._connected(parts.scheme, host, parts.port or PORTS[parts.scheme])
        try:
            protected = isinstance(server.sock, ssl.SSLSocket)
            if not protected and (parts.scheme != "smtp" or (parts.username and not is_loopback(host))):
                raise Unprotected("the mail server offers no TLS")
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            yield server
        finally:
            _leave(server)

    def _connected(self, scheme: str, host: str, port: int) -> _Smtp | _Smtps:
        """A session that has said EHLO, protected where the server offers it."""
        is_optional = scheme == "smtp" and is_loopback(host)
        context = self._context(verify=self.verify and not is_optional)
        if scheme == "smtps":
            return _greeted(_Smtps(host, port, timeout=TIMEOUT_S, context=context))
        server = _greeted(_Smtp(host, port, timeout=TIMEOUT_S))
        if not server.has_extn("starttls"):
            return server
        try:
            server.starttls(context=context)
            return _greeted(server)
        except (smtplib.SMTPException, OSError):
            server.close()
            if not is_optional:
                raise
        return _greeted(_Smtp(host, port, timeout=TIMEOUT_S))

    def _context(self, *, verify: bool) -> ssl.SSLContext:
        if verify:
            return self.tls or ssl.create_default_context()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def is_loopback(host: str) -> bool:
    """Whether a host is this very machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def words_of(error: smtplib.SMTPResponseException) -> str:
    """What the mail server said."""
    said = error.smtp_error
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _greeted(server: _Smtp | _Smtps) -> _Smtp | _Smtps:
    try:
        server.ehlo_or_helo_if_needed()
    except (smtplib.SMTPException, OSError):
        server.close()
        raise
    return server


def _leave(server: _Smtp | _Smtps) -> None:
    """Say QUIT where it would be understood, and close."""
    with contextlib.suppress(smtplib.SMTPException, OSError):
        if not server.is_in_message:
            server.quit()
    server.close()
