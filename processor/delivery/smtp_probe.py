"""Probe the mail server of SMTP_URL, for ``codat-processor check``."""

import smtplib
import ssl

from processor.delivery.mail_server import MailServer, reply_text
from processor.settings.definitions import Settings


def probe(settings: Settings) -> tuple[bool, str]:
    """Connect, start TLS and log in, without sending an e-mail; whether that works, and a sentence."""
    server = MailServer(settings.smtp_url or "", verify=settings.smtp_tls_verify)
    try:
        protected = server.probe()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return False, f"The mail server cannot be used: {_reason(error)}."
    return True, f"The mail server answers{', within TLS' if protected else ', without TLS'}."


def _reason(error: Exception) -> str:
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
