"""Checks Redis, and RQ's own: tries the operations of the service, then reads what the server shows.

Managed servers hide their configuration: what is not shown is ``unknown``, which is no error.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.exceptions import MovedError, NoPermissionError

from processor.clock import utc_now
from processor.runtime.preflight import failover
from processor.runtime.preflight.results import REDIS, CheckResult, CheckStatus
from processor.settings.definitions import Settings
from processor.settings.redis_address import EngineKind, kind_of
from processor.store import capacity, layout
from processor.store.client import connect
from processor.store.cluster import ClusterClient
from processor.store.connection_errors import TOO_MANY, connection_error_reason
from processor.store.connection_limits import needed, needed_by_queue
from processor.store.probe import prove_accepting, prove_draining, prove_enqueuing

TIMEOUT_S = 5.0
MIN_VERSION = (6, 2)
MIN_MEMORY = 16 * 1024 * 1024
"""Bytes: an empty store takes 2 MB, and one message may be as large as ``MAX_BODY_BYTES``."""

NEARLY_FULL = 0.9
STORE, QUEUE = "REDIS_URL", "QUEUE_REDIS_URL"
TIMEOUT_REASON = f"no reply within {TIMEOUT_S:.0f} s"

Operation = tuple[str, Callable[["redis.Redis[Any]"], None]]

STORE_OPERATIONS: tuple[Operation, ...] = (
    ("keep a message", prove_accepting),
    ("handle a message", prove_draining),
)
QUEUE_OPERATION: Operation = ("queue a job", prove_enqueuing)

Info = Mapping[str, Any]
"""The reply of INFO; empty if the user may not run it."""


def check_redis(settings: Settings, url: str) -> Iterator[CheckResult]:
    """Check that the Redis at ``url`` can do the service's work without losing data."""
    client = connect(url, timeout_s=TIMEOUT_S, verify_tls=settings.redis_tls_verify)
    with contextlib.closing(client):
        try:
            hello = _hello(client)
            info = _info(client)
            if _mode(hello, info) == "sentinel":
                yield REDIS.error(_sentinel(client))
                return
            yield _version(hello, info)
            operations = STORE_OPERATIONS + (() if settings.queue_redis_url else (QUEUE_OPERATION,))
            yield _operations(client, hello, info, url, operations)
            if reason := layout.refusal(client, settings.cells):
                yield REDIS.error(reason)
        except MovedError:  # a node of a cluster, as was said before
            return
        except redis.RedisError as error:
            yield _unreachable(error, settings, url)
            yield from failover.check_sentinels(settings, url)
            return
        yield from _check_servers(settings, client)
    yield from failover.check_sentinels(settings, url)


def _check_servers(settings: Settings, client: "redis.Redis[Any]") -> Iterator[CheckResult]:
    """Check each server that holds a part of the store; what is well with all of them is said once."""
    if not isinstance(client, ClusterClient):
        yield from _check_server(settings, client)
        return
    servers = client.primaries()
    yield failover.check_slots(servers)
    yield from failover.check_moving_slots(servers)
    shown: set[CheckResult] = set()
    for server in servers:
        place = "{host}:{port}".format(**server.connection_pool.connection_kwargs)
        try:
            for result in _check_server(settings, server):
                if result.status is not CheckStatus.OK:
                    yield dataclasses.replace(result, sentence=f"{place}: {result.sentence}")
                elif result not in shown:
                    shown.add(result)
                    yield result
        except redis.RedisError as error:
            yield REDIS.error(f"{place} cannot be reached ({type(error).__name__}).")


def _check_server(settings: Settings, server: "redis.Redis[Any]") -> Iterator[CheckResult]:
    info, config = _info(server), _config(server)
    yield _persistence(info, config)
    yield _eviction(info, config, _memory(server))
    yield from _capacity(info, config, needed(settings))
    yield from failover.check_replicas(settings, info)


def check_queue(settings: Settings) -> Iterator[CheckResult]:
    """Check RQ's own server, which may lose its data; no result without QUEUE_REDIS_URL."""
    url = settings.queue_redis_url
    if url is None:
        return
    client = connect(url, timeout_s=TIMEOUT_S, verify_tls=settings.redis_tls_verify)
    with contextlib.closing(client):
        try:
            hello, info = _hello(client), _info(client)
            yield _version(hello, info)
            yield _operations(client, hello, info, url, (QUEUE_OPERATION,), QUEUE)
        except redis.RedisError as error:
            yield _unreachable(error, settings, url, QUEUE)
            return
        yield from _capacity(info, _config(client), needed_by_queue(settings))


def _hello(client: "redis.Redis[Any]") -> dict[str, Any]:
    """The reply of HELLO (``server``, ``version``, ``mode``, ``role``); empty if it is not allowed."""
    client.ping()
    try:
        reply = client.execute_command("HELLO")
    except redis.ResponseError:
        return {}
    rows = (
        list(reply.items()) if isinstance(reply, dict) else list(zip(reply[::2], reply[1::2], strict=False))
    )
    return {_text(name): _text(value) for name, value in rows}


def _mode(hello: Mapping[str, str], info: Info) -> Any:
    return hello.get("mode") or info.get("redis_mode")


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _info(client: "redis.Redis[Any]") -> Info:
    try:
        return dict(client.info())
    except NoPermissionError:
        return {}
    except redis.ResponseError as error:
        if "unknown command" in str(error).lower():
            return {}
        raise


def _config(client: "redis.Redis[Any]") -> dict[str, str]:
    """The configuration; empty if the server hides it, as managed servers do."""
    names = ("appendonly", "appendfsync", "save", "maxmemory", "maxmemory-policy", "maxclients")
    try:
        return dict(client.config_get(*names))
    except redis.RedisError:
        return {}


def _version(hello: Mapping[str, str], info: Info) -> CheckResult:
    version = str(info.get("redis_version") or hello.get("version") or "")
    if not version:
        return REDIS.unknown("Redis answers; it does not show its version.")
    valkey = info.get("valkey_version")
    name = f"Valkey {valkey}" if valkey else f"{hello.get('server', 'redis').capitalize()} {version}"
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < MIN_VERSION:
        return REDIS.error(f"{name} is too old: 6.2 or newer is needed.")
    return REDIS.ok(f"{name} answers.")


def _operations(
    client: "redis.Redis[Any]",
    hello: Mapping[str, str],
    info: Info,
    url: str,
    operations: Sequence[Operation],
    setting: str = STORE,
) -> CheckResult:
    """Try operations of the service, each in a separate namespace."""
    for operation, prove in operations:
        try:
            prove(client)
        except redis.ResponseError as error:
            return REDIS.error(f"Redis cannot {operation}: {_cause(error, hello, info, url, setting)}")
    done = " and to ".join(operation for operation, _ in operations)
    return REDIS.ok(f"It was tried to {done}, in a namespace of its own.")


def _cause(error: redis.ResponseError, hello: Mapping[str, str], info: Info, url: str, setting: str) -> str:
    if _mode(hello, info) == "sentinel":
        return f"it is a Sentinel, which keeps no data. {setting} must lead to a server."
    if _mode(hello, info) == "cluster" and kind_of(url) is not EngineKind.CLUSTER:
        if setting == QUEUE:
            return f"it is a node of a cluster, and RQ needs a plain server: {QUEUE} must lead to one."
        return (
            "it is a node of a cluster. REDIS_URL must begin with redis+cluster:// (rediss+cluster://: TLS)."
        )
    if (hello.get("role") or info.get("role")) in ("replica", "slave"):
        return f"it is a replica, which takes no writes. {setting} must lead to the primary."
    if "OOM" in str(error) or "maxmemory" in str(error):
        return "it is full. Give it more memory, or keep messages for a shorter time (EVENT_RETENTION_DAYS)."
    if isinstance(error, NoPermissionError):
        return (
            f"its user lacks a right ({_quoted(str(error), url)})."
            " The keys ~codat:* and ~rq:*, all channels and +@all without INFO and CONFIG are enough."
        )
    return f"{_quoted(str(error), url)}."


def _sentinel(client: "redis.Redis[Any]") -> str:
    """The sentence about a Sentinel, with the primaries that it watches."""
    primaries = ""
    with contextlib.suppress(redis.RedisError):
        masters = client.sentinel_masters()  # type: ignore[no-untyped-call]
        places = [f"{name} at {row['ip']}:{row['port']}" for name, row in sorted(masters.items())]
        primaries = f" It watches {', '.join(places)}." if places else ""
    return (
        "REDIS_URL leads to a Sentinel, which keeps no data: it must begin with redis+sentinel:// and end"
        f" with /NAME of the primary.{primaries}"
    )


def _persistence(info: Info, config: Mapping[str, str]) -> CheckResult:
    appends = info.get("aof_enabled")
    if appends is None and "appendonly" in config:
        appends = config["appendonly"] == "yes"
    if appends is None:
        return REDIS.unknown("The server does not show whether it persists what it takes.")
    if appends:
        sync = config.get("appendfsync")
        if sync is None:
            return REDIS.ok("Persistence is on (append-only file).")
        if sync == "always":
            return REDIS.ok("Persistence is on: every write is on disk before it is answered.")
        return REDIS.warning(f"Persistence is on, but a crash may lose writes (appendfsync {sync}).")
    if "save" not in config:
        return REDIS.warning("No append-only file; the server hides whether it takes snapshots.")
    if config["save"]:
        return REDIS.warning("Only snapshots: a crash loses what came after the last; set appendonly yes.")
    return REDIS.error("Persistence is off: a restart loses accepted messages; set appendonly yes.")


def _eviction(info: Info, config: Mapping[str, str], memory: str) -> CheckResult:
    policy = info.get("maxmemory_policy") or config.get("maxmemory-policy")
    if policy is None:
        return REDIS.unknown("The server does not show its maxmemory-policy: it must be noeviction.")
    if policy == "noeviction":
        return REDIS.ok(f"Nothing is evicted (noeviction). {memory}".rstrip())
    return REDIS.error(f"maxmemory-policy is {policy}: accepted messages may vanish; set noeviction.")


def _capacity(info: Info, config: Mapping[str, str], connections: int) -> Iterator[CheckResult]:
    """Check the memory and the limit of connections; no result if they suffice or are not shown."""
    limit = int(info.get("maxmemory") or config.get("maxmemory") or 0)
    used = int(info.get("used_memory") or 0)
    if 0 < limit < MIN_MEMORY:
        yield REDIS.error(
            f"Its memory is limited to {_mebibytes(limit)}; {_mebibytes(MIN_MEMORY)} or more are needed."
        )
    elif limit and used > limit * NEARLY_FULL:
        yield REDIS.warning(f"Nearly full: {_mebibytes(used)} of {_mebibytes(limit)} are in use.")
    clients = int(info.get("maxclients") or config.get("maxclients") or 0)
    in_use = int(info.get("connected_clients") or 1) - 1
    if 0 < clients < connections:
        yield REDIS.error(f"It takes {clients} connections, and the service opens up to {connections}.")
    elif clients and in_use + connections > clients:
        yield REDIS.warning(
            f"{in_use} of its {clients} connections are in use, and the service opens up to {connections}."
            " Those of a release that ends are free again soon."
        )


def _memory(client: "redis.Redis[Any]") -> str:
    """A sentence about what still fits; empty if that is not known."""
    try:
        return str(capacity.read(client, utc_now()) or "")
    except redis.RedisError:  # what could not be tried was said before
        return ""


def _mebibytes(count: int) -> str:
    return f"{count / 1024 / 1024:.1f} MiB"


def _unreachable(error: redis.RedisError, settings: Settings, url: str, setting: str = STORE) -> CheckResult:
    """Why Redis cannot be used; only a warning if all its connections are in use, as during a release."""
    if TOO_MANY in str(error):
        return REDIS.warning(
            f"Redis refuses a connection now: {TOO_MANY}. Nothing else could be tried;"
            " those of a release that ends are free again soon."
        )
    return REDIS.error(_reason(error, settings, url, setting))


def _reason(error: redis.RedisError, settings: Settings, url: str, setting: str) -> str:
    if isinstance(error, redis.AuthenticationError):
        return f"Redis refuses the credentials in {setting}."
    if isinstance(error, redis.BusyLoadingError):
        return "Redis is still loading its data."
    if isinstance(error, redis.InvalidResponse):
        return f"What {setting} leads to answers, but is no Redis."
    if isinstance(error, redis.ResponseError):
        return f"Redis refuses: {_quoted(str(error), url)}."
    reason = TIMEOUT_REASON if isinstance(error, redis.TimeoutError) else connection_error_reason(error)
    if reason is None:
        reason = "it closed the connection" if type(error) is redis.ConnectionError else type(error).__name__
    hint = ""
    if "certificate" in reason and settings.redis_tls_verify:
        hint = " REDIS_TLS_VERIFY=false accepts any (Heroku signs its own)."
    return f"{'Redis' if setting != QUEUE else 'The Redis of RQ'} cannot be reached: {reason}.{hint}"


def _quoted(text: str, url: str) -> str:
    """The server's message, unless it contains the password."""
    password = urlsplit(url).password
    if password and (password in text or unquote(password) in text):
        return "its words are withheld, for they repeat the password"
    return text
