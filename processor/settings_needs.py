"""What settings need beyond a form of their own: a library that is optional, or another setting."""

import logging
import warnings
from collections.abc import Container, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

from processor.settings_kinds import is_mailbox


def unmet(values: Mapping[str, Any], refused: Container[str] = ()) -> Iterator[str]:
    """A sentence for each need of ``values`` (the settings that are set, by field) that nothing meets.

    ``refused`` are fields whose own form is wrong: that was said, and they are not missing besides.
    """
    if "sentry_dsn" in values and not _is_installed("sentry_sdk"):
        yield _absent("SENTRY_DSN", "sentry-sdk", extra="sentry")
    if "operator_alert_urls" in values:
        yield from _alerts(values["operator_alert_urls"])
    sender_is_given = "mail_from" in values or "mail_from" in refused
    if "smtp_url" in values and not sender_is_given and account_of(values["smtp_url"]) is None:
        yield "MAIL_FROM must be set with SMTP_URL: e-mails need a sender."


def account_of(smtp_url: str) -> str | None:
    """The account of a mail server where it is an address, and so can be the sender of e-mails."""
    account = unquote(urlsplit(smtp_url).username or "")
    return account if is_mailbox(account) else None


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
