"""What settings need beyond a form of their own: a library that is optional, or another setting."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

from processor.settings.kinds import is_mailbox


def unmet(values: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each need of ``values`` (the settings that are set, by field) that nothing meets."""
    if "sentry_dsn" in values and not _is_installed("sentry_sdk"):
        yield _absent("SENTRY_DSN", "sentry-sdk", extra="sentry")
    if "operator_alert_urls" in values:
        yield from _alerts(values["operator_alert_urls"])


def default_sender(smtp_url: str, public_url: str | None) -> str:
    """Whom e-mails come from where MAIL_FROM is unset: the account that sends them, or nobody here."""
    parts = urlsplit(smtp_url)
    account = unquote(parts.username or "")
    if is_mailbox(account):
        return account
    host = (urlsplit(public_url).hostname if public_url else None) or parts.hostname or "localhost"
    return f"no-reply@{host}"


def _alerts(urls: Sequence[str]) -> Iterator[str]:
    if not _is_installed("apprise"):
        yield _absent("OPERATOR_ALERT_URLS", "apprise", extra="chat")
        return
    strange = [f"{number}" for number, url in enumerate(urls, 1) if not _is_understood(url)]
    if strange:
        which = f"number {', '.join(strange)} of {len(urls)}" if len(urls) > 1 else "it"
        yield f"OPERATOR_ALERT_URLS must be a comma-separated list of Apprise URLs; {which} is none."


def _is_understood(url: str) -> bool:
    """Whether apprise makes something of it; what it says of it is dropped: that quotes the address."""
    log = logging.getLogger("apprise")
    before, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings(action="ignore"):  # its many parts use what Python gives up one day
            apprise: Any = import_module("apprise")
            return apprise.Apprise.instantiate(url) is not None
    except Exception:  # its parsers raise whatever strange text leads them to
        return False
    finally:
        log.disabled = before


def _is_installed(module: str) -> bool:
    return find_spec(module) is not None


def _absent(setting: str, library: str, *, extra: str) -> str:
    return (
        f"{setting} needs {library}, which is not installed: install codat-processor[{extra}]"
        f' (in the folder of its source: pip install ".[{extra}]").'
    )
