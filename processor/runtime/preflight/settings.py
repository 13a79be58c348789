"""Checks the settings: mistakes, what they leave out, secrets that can be guessed, and the mail server."""

import base64
from collections.abc import Iterator

from processor.delivery.mail_server import probe
from processor.runtime.preflight.results import MAIL, SETTINGS, CheckResult
from processor.settings.definitions import Settings

MIN_SECRET_BYTES = 16


def check_settings(settings: Settings) -> Iterator[CheckResult]:
    """Report what valid settings leave out."""
    credentials = []
    if settings.codat_webhook_secrets:
        credentials.append(f"{len(settings.codat_webhook_secrets)} webhook secret(s)")
    if settings.codat_alert_authorizations:
        credentials.append(f"{len(settings.codat_alert_authorizations)} legacy Authorization value(s)")
    yield SETTINGS.ok(f"Codat's messages are recognised by {' and '.join(credentials)}.")
    if not settings.api_keys:
        yield SETTINGS.warning("API_KEYS is unset: nobody can use /v1.")
    yield from _check_secrets(settings)
    if settings.smtp_url and not settings.public_url:
        yield SETTINGS.warning("PUBLIC_URL is unset: e-mails ask to connect again and have no link.")
    if settings.smtp_url and not settings.mail_from:
        yield SETTINGS.warning(f"MAIL_FROM is unset: e-mails come from {settings.sender}.")


def check_mail(settings: Settings) -> Iterator[CheckResult]:
    """Check that the mail server accepts e-mails; no result without SMTP_URL."""
    if settings.smtp_url is not None:
        works, sentence = probe(settings)
        yield MAIL.ok(sentence) if works else MAIL.error(sentence)


def _check_secrets(settings: Settings) -> Iterator[CheckResult]:
    """Warn of secrets that can be guessed; Standard Webhooks recommends 24 bytes or more."""
    lengths = {
        "SECRET_KEY": map(len, settings.secret_key or ()),
        "CODAT_WEBHOOK_SECRETS": (
            len(base64.b64decode(secret.partition("_")[2])) for secret in settings.codat_webhook_secrets
        ),
        "OPERATOR_PASSWORD": map(len, filter(None, [settings.operator_password])),
    }
    for name, value_lengths in lengths.items():
        if any(length < MIN_SECRET_BYTES for length in value_lengths):
            yield SETTINGS.warning(
                f"{name} holds a value of less than {MIN_SECRET_BYTES} bytes, which can be guessed."
            )
