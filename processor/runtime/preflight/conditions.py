"""``check`` on a service that runs already: the conditions that hold now, from the list of all surfaces."""

from collections.abc import Iterator

from processor.clock import utc_now
from processor.conditions import evaluation
from processor.conditions.model import Severity
from processor.runtime.preflight.results import CheckResult, CheckStatus
from processor.settings.definitions import Settings
from processor.store.client import connect

TIMEOUT_S = 5.0

NOT_HERE = frozenset({"no_worker", "no_clock"})
"""Before the service is started there is neither."""

JUDGED = ("redis_", "clock_", "codat_unreachable", "codat_key_", "codat_account_")
"""How codes begin of what the other checks judge by trying it."""


def check_conditions(settings: Settings, url: str) -> Iterator[CheckResult]:
    """A warning for each condition: none of them is a reason not to start a new release."""
    client = connect(url, timeout_s=TIMEOUT_S, verify_tls=settings.redis_tls_verify)
    try:
        for one in evaluation.current(client, settings, now=utc_now()):
            if one.severity is Severity.INFO or one.code in NOT_HERE or one.code.startswith(JUDGED):
                continue
            yield CheckResult(CheckStatus.WARNING, "service", f"{one.sentence} {one.advice}")
    finally:
        client.close()
