"""``codat-processor check``: is everything there that the service needs? One finding a subject.

No secret is shown.
"""

import base64
import time
from collections.abc import Iterator

import httpx

from processor.codat.http_headers import as_http_date
from processor.delivery.smtp_probe import probe
from processor.errors import SettingsError
from processor.runtime.preflight.results import CheckResult, CheckStatus
from processor.settings.definitions import Settings
from processor.store import clock_skew
from processor.store.connection_errors import connection_error_reason

TIMEOUT_S = 5.0
SHORTEST_SECRET = 16
_LATE = f"no answer within {TIMEOUT_S:.0f} s"


def check_mistakes(error: SettingsError) -> Iterator[CheckResult]:
    """What is wrong with the settings."""
    for mistake in error.mistakes:
        yield CheckResult(CheckStatus.ERROR, "settings", mistake)


def check_settings(settings: Settings) -> Iterator[CheckResult]:
    """What the settings, correct as they are, leave out."""
    ways = []
    if settings.codat_webhook_secrets:
        ways.append(f"{len(settings.codat_webhook_secrets)} webhook secret(s)")
    if settings.codat_alert_authorizations:
        ways.append(f"{len(settings.codat_alert_authorizations)} legacy Authorization value(s)")
    yield CheckResult(CheckStatus.OK, "settings", f"Codat's messages are recognised by {' and '.join(ways)}.")
    if not settings.api_keys:
        yield CheckResult(CheckStatus.WARNING, "settings", "API_KEYS is unset: nobody can use /v1.")
    yield from _weak(settings)
    if settings.smtp_url and not settings.public_url:
        yield CheckResult(
            CheckStatus.WARNING,
            "settings",
            "PUBLIC_URL is unset: e-mails ask to connect again and have no link.",
        )
    if settings.smtp_url and not settings.mail_from:
        unsaid = f"MAIL_FROM is unset: e-mails come from {settings.sender}."
        yield CheckResult(CheckStatus.WARNING, "settings", unsaid)


def check_mail(settings: Settings) -> Iterator[CheckResult]:
    """Whether the mail server would take e-mails; nothing where there is none."""
    if settings.smtp_url is not None:
        works, sentence = probe(settings)
        yield CheckResult(CheckStatus.OK if works else CheckStatus.ERROR, "mail", sentence)


def _weak(settings: Settings) -> Iterator[CheckResult]:
    """Secrets that can be guessed; Standard Webhooks recommends 24 bytes or more."""
    lengths = {
        "SECRET_KEY": map(len, settings.secret_key or ()),
        "CODAT_WEBHOOK_SECRETS": (
            len(base64.b64decode(secret.partition("_")[2])) for secret in settings.codat_webhook_secrets
        ),
        "OPERATOR_PASSWORD": map(len, filter(None, [settings.operator_password])),
    }
    for name, found in lengths.items():
        if any(length < SHORTEST_SECRET for length in found):
            weak = f"{name} holds a value of less than {SHORTEST_SECRET} bytes, which can be guessed."
            yield CheckResult(CheckStatus.WARNING, "settings", weak)


def check_codat(settings: Settings) -> Iterator[CheckResult]:
    """Whether Codat accepts the key, and whether our clock agrees with its."""
    if settings.codat_api_key is None:
        unset = (
            "CODAT_API_KEY is unset: legacy alerts are taken at their word, and bad news is told unchecked."
        )
        yield CheckResult(CheckStatus.WARNING, "codat", unset)
        yield CheckResult(CheckStatus.WARNING, "clock", "Without CODAT_API_KEY the clock is not compared.")
        return
    key = base64.b64encode(settings.codat_api_key.encode()).decode()
    asked_at = time.time()
    try:
        answer = httpx.get(
            f"{settings.codat_api_url}/companies",
            params={"page": 1, "pageSize": 1},
            headers={"Authorization": f"Basic {key}"},
            timeout=TIMEOUT_S,
            trust_env=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = (
            _LATE
            if isinstance(error, httpx.TimeoutException)
            else connection_error_reason(error) or type(error).__name__
        )
        unreached = f"Codat cannot be reached, so the key could not be tried: {reason}."
        yield CheckResult(CheckStatus.ERROR, "codat", unreached)
        yield CheckResult(
            CheckStatus.WARNING, "clock", "Without an answer of Codat's the clock is not compared."
        )
        return
    yield _key(answer)
    yield _clock(answer.headers.get("Date"), (asked_at + time.time()) / 2)


def _key(answer: httpx.Response) -> CheckResult:
    status = answer.status_code
    if status in (401, 403):
        return CheckResult(CheckStatus.ERROR, "codat", f"Codat refuses the key in CODAT_API_KEY ({status}).")
    if status == 402:
        limit = (
            "Codat answers 402: a limit of the account is reached; the portal or Codat's support says which."
        )
        return CheckResult(CheckStatus.ERROR, "codat", limit)
    if status == 429 or status >= 500:
        return CheckResult(
            CheckStatus.WARNING, "codat", f"Codat answers {status}: the key could not be tried now."
        )
    if status != 200:
        return CheckResult(
            CheckStatus.ERROR, "codat", f"Codat answers {status} instead of 200: is CODAT_API_URL right?"
        )
    if not _is_a_list_of_companies(answer):
        other = "The answer is 200, but no list of companies, as Codat's is: is CODAT_API_URL right?"
        return CheckResult(CheckStatus.ERROR, "codat", other)
    return CheckResult(CheckStatus.OK, "codat", "Codat accepts the key.")


def _is_a_list_of_companies(answer: httpx.Response) -> bool:
    try:
        body = answer.json()
    except ValueError:
        return False
    return isinstance(body, dict) and isinstance(body.get("results"), list)


def _clock(date: str | None, now: float) -> CheckResult:
    theirs = as_http_date(date)
    if theirs is None:
        return CheckResult(
            CheckStatus.WARNING, "clock", "Codat's answer names no time to compare the clock with."
        )
    off_s = now - theirs.timestamp()
    way = "ahead of" if off_s > 0 else "behind"
    sentence = f"This machine's clock is {abs(off_s):.0f} s {way} Codat's."
    if abs(off_s) > clock_skew.ERROR_S:
        return CheckResult(CheckStatus.ERROR, "clock", f"{sentence} Genuine messages would be refused.")
    if abs(off_s) > clock_skew.WARNING_S:
        return CheckResult(CheckStatus.WARNING, "clock", sentence)
    return CheckResult(CheckStatus.OK, "clock", "This machine's clock agrees with Codat's.")
