"""Checks that Codat accepts the API key, and compares our clock with Codat's. No secret is shown."""

import base64
import time
from collections.abc import Iterator

import httpx

from processor.codat.http_headers import as_http_date
from processor.runtime.preflight.results import CLOCK, CODAT, CheckResult
from processor.settings.definitions import Settings
from processor.store import clock_skew
from processor.store.connection_errors import connection_error_reason

TIMEOUT_S = 5.0


def check_codat(settings: Settings) -> Iterator[CheckResult]:
    """One result for the API key and one for the clock."""
    if settings.codat_api_key is None:
        yield CODAT.warning(
            "CODAT_API_KEY is unset: legacy alerts are taken at their word, and bad news is told unchecked."
        )
        yield CLOCK.warning("Without CODAT_API_KEY the clock is not compared.")
        return
    key = base64.b64encode(settings.codat_api_key.encode()).decode()
    asked_at = time.time()
    try:
        response = httpx.get(
            f"{settings.codat_api_url}/companies",
            params={"page": 1, "pageSize": 1},
            headers={"Authorization": f"Basic {key}"},
            timeout=TIMEOUT_S,
            trust_env=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = (
            f"no answer within {TIMEOUT_S:.0f} s"
            if isinstance(error, httpx.TimeoutException)
            else connection_error_reason(error) or type(error).__name__
        )
        yield CODAT.error(f"Codat cannot be reached, so the key could not be tried: {reason}.")
        yield CLOCK.warning("Without an answer of Codat's the clock is not compared.")
        return
    yield _check_key(response)
    yield _check_clock(response.headers.get("Date"), (asked_at + time.time()) / 2)


def _check_key(response: httpx.Response) -> CheckResult:
    status = response.status_code
    if status in (401, 403):
        return CODAT.error(f"Codat refuses the key in CODAT_API_KEY ({status}).")
    if status == 402:
        return CODAT.error(
            "Codat answers 402: a limit of the account is reached; the portal or Codat's support says which."
        )
    if status == 429 or status >= 500:
        return CODAT.warning(f"Codat answers {status}: the key could not be tried now.")
    if status != 200:
        return CODAT.error(f"Codat answers {status} instead of 200: is CODAT_API_URL right?")
    if not _is_company_list(response):
        return CODAT.error(
            "The answer is 200, but no list of companies, as Codat's is: is CODAT_API_URL right?"
        )
    return CODAT.ok("Codat accepts the key.")


def _is_company_list(response: httpx.Response) -> bool:
    try:
        body = response.json()
    except ValueError:
        return False
    return isinstance(body, dict) and isinstance(body.get("results"), list)


def _check_clock(date: str | None, now: float) -> CheckResult:
    codat_time = as_http_date(date)
    if codat_time is None:
        return CLOCK.warning("Codat's answer names no time to compare the clock with.")
    offset_s = now - codat_time.timestamp()
    direction = "ahead of" if offset_s > 0 else "behind"
    sentence = f"This machine's clock is {abs(offset_s):.0f} s {direction} Codat's."
    if abs(offset_s) > clock_skew.ERROR_S:
        return CLOCK.error(f"{sentence} Genuine messages would be refused.")
    if abs(offset_s) > clock_skew.WARNING_S:
        return CLOCK.warning(sentence)
    return CLOCK.ok("This machine's clock agrees with Codat's.")
