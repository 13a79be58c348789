"""What ``codat-processor check`` finds out about Redis: by doing what the service does, and by what it shows.

What the server does not show is ``unknown``, which is no error: managed ones hide their configuration.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.exceptions import NoPermissionError

from processor.runtime.preflight.results import CheckResult, CheckStatus
from processor.settings.definitions import Settings
from processor.store.client import connect
from processor.store.connection_errors import TOO_MANY, connection_error_reason
from processor.store.connection_limits import needed
from processor.store.probe import prove_accepting, prove_draining, prove_enqueuing

TIMEOUT_S = 5.0
OLDEST_REDIS = (6, 2)
SMALLEST_MEMORY = 16 * 1024 * 1024
"""Bytes: an empty store takes 2 MB, and one message may be as large as ``MAX_BODY_BYTES``."""

NEARLY_FULL = 0.9
REDIS = "redis"
LATE = f"no answer within {TIMEOUT_S:.0f} s"

PROOFS: tuple[tuple[str, Callable[["redis.Redis[Any]"], None]], ...] = (
    ("keep a message", prove_accepting),
    ("handle a message", prove_draining),
    ("queue a job", prove_enqueuing),
)

Shown = Mapping[str, Any]
"""What INFO shows; empty where the user may not see it."""


def check_redis(settings: Settings, url: str) -> Iterator[CheckResult]:
    """Whether the Redis at ``url`` can do the service's work, and loses nothing of it."""
    client = connect(url, timeout_s=TIMEOUT_S, verify_tls=settings.redis_tls_verify)
    with contextlib.closing(client):
        try:
            hello = _hello(client)
            shown = _info(client)
            if (hello.get("mode") or shown.get("redis_mode")) == "sentinel":
                yield CheckResult(CheckStatus.ERROR, REDIS, _sentinel(client))
                return
            yield _version(hello, shown)
            yield _proof(client, hello, shown, url)
        except redis.RedisError as error:
            yield _trouble(error, settings, url)
            return
        configured = _configured(client)
        yield _persistence(shown, configured)
        yield _eviction(shown, configured)
        yield from _room(shown, configured, needed(settings))
        yield from _failover(shown)


def _hello(client: "redis.Redis[Any]") -> dict[str, Any]:
    """What HELLO says: ``server``, ``version``, ``mode``, ``role``; empty where it is not allowed."""
    client.ping()
    try:
        answer = client.execute_command("HELLO")
    except redis.ResponseError:
        return {}
    rows = (
        list(answer.items())
        if isinstance(answer, dict)
        else list(zip(answer[::2], answer[1::2], strict=False))
    )
    return {_text(name): _text(value) for name, value in rows}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _info(client: "redis.Redis[Any]") -> Shown:
    try:
        return dict(client.info())
    except NoPermissionError:
        return {}
    except redis.ResponseError as error:
        if "unknown command" in str(error).lower():
            return {}
        raise


def _configured(client: "redis.Redis[Any]") -> dict[str, str]:
    """The configuration as far as the server shows it (managed ones often do not)."""
    names = ("appendonly", "appendfsync", "save", "maxmemory", "maxmemory-policy", "maxclients")
    try:
        return dict(client.config_get(*names))
    except redis.RedisError:
        return {}


def _version(hello: Mapping[str, str], shown: Shown) -> CheckResult:
    version = str(shown.get("redis_version") or hello.get("version") or "")
    if not version:
        return CheckResult(CheckStatus.UNKNOWN, REDIS, "Redis answers; it does not show its version.")
    valkey = shown.get("valkey_version")
    name = f"Valkey {valkey}" if valkey else f"{hello.get('server', 'redis').capitalize()} {version}"
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < OLDEST_REDIS:
        return CheckResult(CheckStatus.ERROR, REDIS, f"{name} is too old: 6.2 or newer is needed.")
    return CheckResult(CheckStatus.OK, REDIS, f"{name} answers.")


def _proof(client: "redis.Redis[Any]", hello: Mapping[str, str], shown: Shown, url: str) -> CheckResult:
    """Do what the service does, each in a namespace of its own; why it cannot be done where it fails."""
    for what, prove in PROOFS:
        try:
            prove(client)
        except redis.ResponseError as error:
            return CheckResult(
                CheckStatus.ERROR, REDIS, f"Redis cannot {what}: {_cause(error, hello, shown, url)}"
            )
    return CheckResult(
        CheckStatus.OK,
        REDIS,
        "A message was kept and handled, and a job queued, in a namespace of their own.",
    )


def _cause(error: redis.ResponseError, hello: Mapping[str, str], shown: Shown, url: str) -> str:
    if (hello.get("mode") or shown.get("redis_mode")) == "cluster":
        return "it is a node of a cluster, on which a message is more than one node's. Use a plain server."
    if (hello.get("role") or shown.get("role")) in ("replica", "slave"):
        return "it is a replica, which takes no writes. REDIS_URL must lead to the primary."
    if "OOM" in str(error) or "maxmemory" in str(error):
        return "it is full. Give it more memory, or keep messages for a shorter time (EVENT_RETENTION_DAYS)."
    if isinstance(error, NoPermissionError):
        return (
            f"its user lacks a right ({_harmless(str(error), url)})."
            " The keys ~codat:* and ~rq:*, all channels and +@all without INFO and CONFIG are enough."
        )
    return f"{_harmless(str(error), url)}."


def _sentinel(client: "redis.Redis[Any]") -> str:
    """That it is a Sentinel, and which primaries it knows."""
    known = ""
    with contextlib.suppress(redis.RedisError):
        masters = client.sentinel_masters()  # type: ignore[no-untyped-call]
        places = [f"{name} at {row['ip']}:{row['port']}" for name, row in sorted(masters.items())]
        known = f" It watches {', '.join(places)}." if places else ""
    return f"REDIS_URL leads to a Sentinel, which keeps no data: name the primary itself.{known}"


def _persistence(shown: Shown, configured: Mapping[str, str]) -> CheckResult:
    appends = shown.get("aof_enabled")
    if appends is None and "appendonly" in configured:
        appends = configured["appendonly"] == "yes"
    if appends is None:
        return CheckResult(
            CheckStatus.UNKNOWN, REDIS, "The server does not show whether it persists what it takes."
        )
    if appends:
        sync = configured.get("appendfsync")
        if sync is None:
            return CheckResult(CheckStatus.OK, REDIS, "Persistence is on (append-only file).")
        if sync == "always":
            return CheckResult(
                CheckStatus.OK, REDIS, "Persistence is on: every write is on disk before it is answered."
            )
        return CheckResult(
            CheckStatus.WARNING,
            REDIS,
            f"Persistence is on, but a crash may lose writes (appendfsync {sync}).",
        )
    if "save" not in configured:
        return CheckResult(
            CheckStatus.WARNING, REDIS, "No append-only file; the server hides whether it takes snapshots."
        )
    if configured["save"]:
        return CheckResult(
            CheckStatus.WARNING,
            REDIS,
            "Only snapshots: a crash loses what came after the last; set appendonly yes.",
        )
    return CheckResult(
        CheckStatus.ERROR, REDIS, "Persistence is off: a restart loses accepted messages; set appendonly yes."
    )


def _eviction(shown: Shown, configured: Mapping[str, str]) -> CheckResult:
    policy = shown.get("maxmemory_policy") or configured.get("maxmemory-policy")
    if policy is None:
        return CheckResult(
            CheckStatus.UNKNOWN,
            REDIS,
            "The server does not show its maxmemory-policy: it must be noeviction.",
        )
    if policy == "noeviction":
        return CheckResult(CheckStatus.OK, REDIS, "Nothing is evicted (noeviction).")
    return CheckResult(
        CheckStatus.ERROR,
        REDIS,
        f"maxmemory-policy is {policy}: accepted messages may vanish; set noeviction.",
    )


def _room(shown: Shown, configured: Mapping[str, str], connections: int) -> Iterator[CheckResult]:
    """Whether memory and so many connections suffice; nothing where they do or it is not shown."""
    most = int(shown.get("maxmemory") or configured.get("maxmemory") or 0)
    used = int(shown.get("used_memory") or 0)
    if 0 < most < SMALLEST_MEMORY:
        yield CheckResult(
            CheckStatus.ERROR,
            REDIS,
            f"Its memory is limited to {_mebibytes(most)}; {_mebibytes(SMALLEST_MEMORY)} or more are needed.",
        )
    elif most and used > most * NEARLY_FULL:
        yield CheckResult(
            CheckStatus.WARNING, REDIS, f"Nearly full: {_mebibytes(used)} of {_mebibytes(most)} are in use."
        )
    clients = int(shown.get("maxclients") or configured.get("maxclients") or 0)
    in_use = int(shown.get("connected_clients") or 1) - 1
    if 0 < clients < connections:
        yield CheckResult(
            CheckStatus.ERROR,
            REDIS,
            f"It takes {clients} connections, and the service opens up to {connections}.",
        )
    elif clients and in_use + connections > clients:
        yield CheckResult(
            CheckStatus.WARNING,
            REDIS,
            f"{in_use} of its {clients} connections are in use, and the service opens up to {connections}."
            " Those of a release that ends are free again soon.",
        )


def _failover(shown: Shown) -> Iterator[CheckResult]:
    """What a failover costs where there are replicas."""
    replicas = int(shown.get("connected_slaves") or 0)
    if replicas:
        yield CheckResult(
            CheckStatus.WARNING,
            REDIS,
            f"{replicas} replica(s) follow it a moment later: a failover can lose messages that were accepted"
            " just before. Then let Codat replay them and run `codat-processor reconcile`.",
        )


def _mebibytes(count: int) -> str:
    return f"{count / 1024 / 1024:.1f} MiB"


def _trouble(error: redis.RedisError, settings: Settings, url: str) -> CheckResult:
    """What keeps us from Redis; no error where only its connections are all in use, as during a release."""
    if TOO_MANY in str(error):
        return CheckResult(
            CheckStatus.WARNING,
            REDIS,
            f"Redis refuses a connection now: {TOO_MANY}. Nothing else could be tried;"
            " those of a release that ends are free again soon.",
        )
    return CheckResult(CheckStatus.ERROR, REDIS, _why_not(error, settings, url))


def _why_not(error: redis.RedisError, settings: Settings, url: str) -> str:
    if isinstance(error, redis.AuthenticationError):
        return "Redis refuses the credentials in REDIS_URL."
    if isinstance(error, redis.BusyLoadingError):
        return "Redis is still loading its data."
    if isinstance(error, redis.InvalidResponse):
        return "What REDIS_URL leads to answers, but is no Redis."
    if isinstance(error, redis.ResponseError):
        return f"Redis refuses: {_harmless(str(error), url)}."
    reason = LATE if isinstance(error, redis.TimeoutError) else connection_error_reason(error)
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
