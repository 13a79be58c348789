"""Requirements of settings beyond their own form: optional libraries and valid Apprise URLs."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

from processor.settings.brands import load_brands
from processor.settings.consent_templates import template_mistakes
from processor.settings.kinds import is_mailbox
from processor.settings.redis_address import EngineKind, kind_of


def unmet_requirements(values: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each unmet requirement of ``values``, the settings that are set, by field."""
    if kind_of(values.get("redis_url", "")) is EngineKind.CLUSTER and "queue_redis_url" not in values:
        yield "QUEUE_REDIS_URL must be set where REDIS_URL is a cluster: RQ needs a plain server."
    if "sentry_dsn" in values and find_spec("sentry_sdk") is None:
        yield _missing_library("SENTRY_DSN", "sentry-sdk", extra="sentry")
    if "oidc_issuer" in values:
        yield from _check_oidc(values)
    if "consent_templates_dir" in values:
        yield from template_mistakes(values["consent_templates_dir"])
    yield from load_brands(values)[1]
    if "operator_alert_urls" in values:
        yield from _check_alert_urls(values["operator_alert_urls"])


def default_sender(smtp_url: str, public_url: str | None) -> str:
    """The sender of e-mails without MAIL_FROM: the account of the mail server, else ``no-reply``."""
    parts = urlsplit(smtp_url)
    account = unquote(parts.username or "")
    if is_mailbox(account):
        return account
    host = (urlsplit(public_url).hostname if public_url else None) or parts.hostname or "localhost"
    return f"no-reply@{host}"


def _check_oidc(values: Mapping[str, Any]) -> Iterator[str]:
    if find_spec("authlib") is None:
        yield _missing_library("OIDC_ISSUER", "authlib", extra="oidc")
    for name in ("oidc_client_id", "oidc_groups"):
        if name not in values:
            yield f"OIDC_ISSUER needs {name.upper()}."
    issuer = urlsplit(values["oidc_issuer"])
    if issuer.scheme != "https" and issuer.hostname not in ("localhost", "127.0.0.1", "::1"):
        yield "OIDC_ISSUER must begin with https:// (http:// for localhost alone)."


def _check_alert_urls(urls: Sequence[str]) -> Iterator[str]:
    if find_spec("apprise") is None:
        yield _missing_library("OPERATOR_ALERT_URLS", "apprise", extra="chat")
        return
    invalid = [f"{number}" for number, url in enumerate(urls, 1) if not _is_valid(url)]
    if invalid:
        which = f"number {', '.join(invalid)} of {len(urls)}" if len(urls) > 1 else "it"
        yield f"OPERATOR_ALERT_URLS must be a comma-separated list of Apprise URLs; {which} is none."


def _is_valid(url: str) -> bool:
    """Whether apprise accepts the URL; its log lines are dropped, because they quote the URL."""
    log = logging.getLogger("apprise")
    was_disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings(action="ignore"):  # its plug-ins use deprecated parts of Python
            apprise: Any = import_module("apprise")
            return apprise.Apprise.instantiate(url) is not None
    except Exception:  # its parsers raise any exception for invalid text
        return False
    finally:
        log.disabled = was_disabled


def _missing_library(setting: str, library: str, *, extra: str) -> str:
    return (
        f"{setting} needs {library}, which is not installed: install codat-processor[{extra}]"
        f' (in the folder of its source: pip install ".[{extra}]").'
    )
