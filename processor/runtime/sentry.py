"""Reports errors to Sentry if ``SENTRY_DSN`` is set (extra ``sentry``)."""

import atexit
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from processor.runtime.logs import Redactor
from processor.settings.definitions import Settings

_LAST_REPORT_S = 2.0
"""How long the end of a process waits for its last reports, in seconds."""

_WORDS = re.compile(r"(\s+)")


def report_errors(settings: Settings) -> bool:
    """Send logged errors to Sentry from now on, without requests, users or secrets; whether it does.

    No request gets trace headers, which would show the key of the project to its receiver. The loading of
    the settings has checked that the library is installed.
    """
    if settings.sentry_dsn is None:
        return False
    sdk = import_module("sentry_sdk")
    sdk.init(
        dsn=settings.sentry_dsn,
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
        trace_propagation_targets=[],
        before_breadcrumb=_without_requests,
        before_send=lambda event, _hint: _masked(event, Redactor(settings.secrets())),
    )
    atexit.register(sdk.flush, timeout=_LAST_REPORT_S)  # its own function at the end is lost in a fork
    return True


def _without_requests(breadcrumb: dict[str, Any], _hint: object) -> dict[str, Any] | None:
    """Drop breadcrumbs of our requests: URLs of subscribers may contain keys."""
    return None if breadcrumb.get("type") == "http" else breadcrumb


def _without_queries(text: str) -> str:
    """The text without the queries of its URLs."""
    if "://" not in text or "?" not in text:
        return text
    words = (word.partition("?")[0] if "://" in word else word for word in _WORDS.split(text))
    return "".join(words)


def _masked(event: dict[str, Any], redact: Callable[[str], str]) -> dict[str, Any]:
    """A report without secrets and without the request, whose URL may contain the token of a link."""

    def mask(value: Any) -> Any:
        if isinstance(value, str):
            return redact(_without_queries(value))
        if isinstance(value, dict):
            return {name: mask(part) for name, part in value.items()}
        return [mask(part) for part in value] if isinstance(value, (list, tuple)) else value

    return {name: mask(value) for name, value in event.items() if name not in ("request", "user")}
