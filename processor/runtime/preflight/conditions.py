"""Reports the conditions of a service that is already running: the list that all surfaces show."""

from collections.abc import Iterator

from processor.clock import utc_now
from processor.conditions import evaluation
from processor.conditions.model import Severity
from processor.runtime.preflight.results import SERVICE, CheckResult
from processor.settings.definitions import Settings
from processor.store.client import connect

TIMEOUT_S = 5.0

BEFORE_START = frozenset({"no_worker", "no_clock"})
"""These hold before every start of the service."""

CHECKED_DIRECTLY = ("redis_", "clock_", "codat_unreachable", "codat_key_", "codat_account_")
"""Prefixes of the codes of conditions that other checks test themselves."""


def check_conditions(settings: Settings, url: str) -> Iterator[CheckResult]:
    """A warning for each condition; none of them stops a new release."""
    with connect(url, timeout_s=TIMEOUT_S, verify_tls=settings.redis_tls_verify) as client:
        conditions = evaluation.current(client, settings, now=utc_now())
    for condition in conditions:
        is_info = condition.severity is Severity.INFO or condition.code in BEFORE_START
        if not is_info and not condition.code.startswith(CHECKED_DIRECTLY):
            yield SERVICE.warning(f"{condition.sentence} {condition.advice}")
