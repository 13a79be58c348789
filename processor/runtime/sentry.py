"""Reporting faults of ours to Sentry, where ``SENTRY_DSN`` is set and the extra ``sentry`` installed."""

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from processor.runtime.logs import Redactor
from processor.settings.definitions import Settings

_WORDS = re.compile(r"(\s+)")


def report_faults(settings: Settings) -> bool:
    """Send what is logged as an error to Sentry from now on, without requests, users or secrets.

    Nothing of Sentry goes to anybody else: trace headers, which name the project's key, are added to no
    request. Whether anything is sent. That the library is there was seen to when the settings were loaded.
    """
    if settings.sentry_dsn is None:
        return False
    import_module("sentry_sdk").init(
        dsn=settings.sentry_dsn,
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
        trace_propagation_targets=[],
        before_breadcrumb=_without_requests,
        before_send=lambda event, _hint: _masked(event, Redactor(settings.secrets())),
    )
    return True


def _without_requests(breadcrumb: dict[str, Any], _hint: object) -> dict[str, Any] | None:
    """No trace of requests that we sent: addresses of subscribers are theirs alone, and may hold keys."""
    return None if breadcrumb.get("type") == "http" else breadcrumb


def _without_queries(text: str) -> str:
    """The text with the queries of addresses left out."""
    if "://" not in text or "?" not in text:
        return text
    words = (word.partition("?")[0] if "://" in word else word for word in _WORDS.split(text))
    return "".join(words)


def _masked(event: dict[str, Any], redact: Callable[[str], str]) -> dict[str, Any]:
    """A report without the request (the token of a link stands in its address), and without secrets."""

    def mask(value: Any) -> Any:
        if isinstance(value, str):
            return redact(_without_queries(value))
        if isinstance(value, dict):
            return {name: mask(one) for name, one in value.items()}
        return [mask(one) for one in value] if isinstance(value, (list, tuple)) else value

    return {name: mask(value) for name, value in event.items() if name not in ("request", "user")}
