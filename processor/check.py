"""``codat-processor check``: is everything there that the service needs? One finding a subject.

Nothing is changed anywhere; no secret is shown.
"""

import base64
import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import redis

from processor.errors import SettingsError
from processor.lenient.headers import as_http_date
from processor.settings import Settings
from processor.store.connect import connect
from processor.unreachable import why

TIMEOUT_S = 5.0
CLOCK_WARNING_S = 60
CLOCK_ERROR_S = 240
"""Signatures are refused where clocks differ by more than 300 s."""

SHORTEST_SECRET = 16
OLDEST_REDIS = (6, 2)
_LATE = f"no answer within {TIMEOUT_S:.0f} s"


class Verdict(StrEnum):
    """How a subject was found."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    verdict: Verdict
    subject: str
    sentence: str

    def __str__(self) -> str:
        """The line as it is printed."""
        return f"{self.verdict:<8} {self.subject:<9} {self.sentence}"


def check_mistakes(error: SettingsError) -> Iterator[Finding]:
    """What is wrong with the settings."""
    for mistake in error.mistakes:
        yield Finding(Verdict.ERROR, "settings", mistake)


def check_settings(settings: Settings) -> Iterator[Finding]:
    """What the settings, correct as they are, leave out."""
    ways = []
    if settings.codat_webhook_secrets:
        ways.append(f"{len(settings.codat_webhook_secrets)} webhook secret(s)")
    if settings.codat_alert_authorizations:
        ways.append(f"{len(settings.codat_alert_authorizations)} legacy Authorization value(s)")
    yield Finding(Verdict.OK, "settings", f"Codat's messages are recognised by {' and '.join(ways)}.")
    if not settings.api_keys:
        yield Finding(Verdict.WARNING, "settings", "API_KEYS is unset: nobody can use /v1.")
    yield from _weak(settings)
    if settings.smtp_url and not settings.mail_from:
        unsaid = f"MAIL_FROM is unset: e-mails come from {settings.sender}."
        yield Finding(Verdict.WARNING, "settings", unsaid)


def _weak(settings: Settings) -> Iterator[Finding]:
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
            yield Finding(Verdict.WARNING, "settings", weak)


def check_redis(settings: Settings, url: str) -> Iterator[Finding]:
    """Whether Redis at ``url`` can be reached, is new enough, persists, and never evicts."""
    client = connect(url, timeout_s=TIMEOUT_S, verify_tls=settings.redis_tls_verify)
    with contextlib.closing(client):
        try:
            info = client.info()
        except redis.RedisError as error:
            yield Finding(Verdict.ERROR, "redis", _trouble(error, settings, url))
            return
        yield _version(info)
        yield _persistence(info, _configured(client))
        yield _eviction(info)


def check_codat(settings: Settings) -> Iterator[Finding]:
    """Whether Codat accepts the key, and whether our clock agrees with its."""
    if settings.codat_api_key is None:
        unset = (
            "CODAT_API_KEY is unset: legacy alerts are taken at their word, and bad news is told unchecked."
        )
        yield Finding(Verdict.WARNING, "codat", unset)
        yield Finding(Verdict.WARNING, "clock", "Without CODAT_API_KEY the clock is not compared.")
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
        reason = _LATE if isinstance(error, httpx.TimeoutException) else why(error) or type(error).__name__
        unreached = f"Codat cannot be reached, so the key could not be tried: {reason}."
        yield Finding(Verdict.ERROR, "codat", unreached)
        yield Finding(Verdict.WARNING, "clock", "Without an answer of Codat's the clock is not compared.")
        return
    yield _key(answer)
    yield _clock(answer.headers.get("Date"), (asked_at + time.time()) / 2)


def _trouble(error: redis.RedisError, settings: Settings, url: str) -> str:
    """What keeps us from Redis, in one sentence."""
    if isinstance(error, redis.AuthenticationError):
        return "Redis refuses the credentials in REDIS_URL."
    if isinstance(error, redis.BusyLoadingError):
        return "Redis is still loading its data."
    if isinstance(error, redis.InvalidResponse):
        return "What REDIS_URL leads to answers, but is no Redis."
    if isinstance(error, redis.ResponseError):
        return f"Redis refuses: {_harmless(str(error), url)}."
    reason = _LATE if isinstance(error, redis.TimeoutError) else why(error)
    if reason is None:
        reason = "it closed the connection" if type(error) is redis.ConnectionError else type(error).__name__
    hint = ""
    if "certificate" in reason and settings.redis_tls_verify:
        hint = " REDIS_TLS_VERIFY=false accepts any (Heroku signs its own)."
    return f"Redis cannot be reached: {reason}.{hint}"


def _harmless(said: str, url: str) -> str:
    """The server's own words, unless they repeat what is secret."""
    password = urlsplit(url).password
    if password and (password in said or unquote(password) in said):
        return "its words are withheld, for they repeat the password"
    return said


def _version(info: Mapping[str, Any]) -> Finding:
    version = str(info.get("redis_version", "0"))
    name = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {version}"
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < OLDEST_REDIS:
        return Finding(Verdict.ERROR, "redis", f"{name} is too old: 6.2 or newer is needed.")
    return Finding(Verdict.OK, "redis", f"{name} answers.")


def _configured(client: Any) -> dict[str, str] | None:
    """The configuration, or ``None`` where the server does not show it (managed ones often do not)."""
    try:
        return dict(client.config_get("appendfsync", "save"))
    except redis.RedisError:
        return None


def _persistence(info: Mapping[str, Any], configured: dict[str, str] | None) -> Finding:
    if info.get("aof_enabled"):
        if configured is None:
            return Finding(Verdict.OK, "redis", "Persistence is on (append-only file).")
        sync = configured.get("appendfsync", "")
        if sync == "always":
            return Finding(
                Verdict.OK, "redis", "Persistence is on: every write is on disk before it is answered."
            )
        return Finding(
            Verdict.WARNING, "redis", f"Persistence is on, but a crash may lose writes (appendfsync {sync})."
        )
    if configured is None:
        return Finding(
            Verdict.WARNING, "redis", "No append-only file; the server hides whether it takes snapshots."
        )
    if configured.get("save"):
        return Finding(
            Verdict.WARNING,
            "redis",
            "Only snapshots: a crash loses what came after the last; set appendonly yes.",
        )
    return Finding(
        Verdict.ERROR, "redis", "Persistence is off: a restart loses accepted messages; set appendonly yes."
    )


def _eviction(info: Mapping[str, Any]) -> Finding:
    policy = info.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        return Finding(Verdict.OK, "redis", "Nothing is evicted (noeviction).")
    return Finding(
        Verdict.ERROR, "redis", f"maxmemory-policy is {policy}: accepted messages may vanish; set noeviction."
    )


def _key(answer: httpx.Response) -> Finding:
    status = answer.status_code
    if status in (401, 403):
        return Finding(Verdict.ERROR, "codat", f"Codat refuses the key in CODAT_API_KEY ({status}).")
    if status == 402:
        limit = (
            "Codat answers 402: a limit of the account is reached; the portal or Codat's support says which."
        )
        return Finding(Verdict.ERROR, "codat", limit)
    if status == 429 or status >= 500:
        return Finding(Verdict.WARNING, "codat", f"Codat answers {status}: the key could not be tried now.")
    if status != 200:
        return Finding(
            Verdict.ERROR, "codat", f"Codat answers {status} instead of 200: is CODAT_API_URL right?"
        )
    if not _is_a_list_of_companies(answer):
        other = "The answer is 200, but no list of companies, as Codat's is: is CODAT_API_URL right?"
        return Finding(Verdict.ERROR, "codat", other)
    return Finding(Verdict.OK, "codat", "Codat accepts the key.")


def _is_a_list_of_companies(answer: httpx.Response) -> bool:
    try:
        body = answer.json()
    except ValueError:
        return False
    return isinstance(body, dict) and isinstance(body.get("results"), list)


def _clock(date: str | None, now: float) -> Finding:
    theirs = as_http_date(date)
    if theirs is None:
        return Finding(Verdict.WARNING, "clock", "Codat's answer names no time to compare the clock with.")
    off_s = now - theirs.timestamp()
    way = "ahead of" if off_s > 0 else "behind"
    sentence = f"This machine's clock is {abs(off_s):.0f} s {way} Codat's."
    if abs(off_s) > CLOCK_ERROR_S:
        return Finding(Verdict.ERROR, "clock", f"{sentence} Genuine messages would be refused.")
    if abs(off_s) > CLOCK_WARNING_S:
        return Finding(Verdict.WARNING, "clock", sentence)
    return Finding(Verdict.OK, "clock", "This machine's clock agrees with Codat's.")
