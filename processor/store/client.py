"""Connections to Redis: one client per process, with a bounded number of connections."""

import threading
import time
import weakref
from typing import Any
from urllib.parse import urlsplit

from redis import ConnectionError as RedisConnectionError
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from processor.settings.redis_address import EngineKind, parse
from processor.store import sentinel
from processor.store.cluster import ClusterClient
from processor.store.pool import CONNECTIONS, IDLE_S, Pool, tls_options

WEB_TIMEOUT_S = 0.65
"""Time limit of a command in a web process: Codat expects a response within a second."""

WEB_WAIT_S = 0.2
"""Time limit for a free connection in a web process."""

WORKER_TIMEOUT_S = 15.0
"""RQ blocks five seconds for a job and allows ten more for the response."""

COMMAND_CONNECTIONS = 4
"""Connections of one command (``codat-processor connections list``, ``check``, …)."""


def connect(
    url: str,
    *,
    timeout_s: float,
    verify_tls: bool = True,
    max_connections: int = COMMAND_CONNECTIONS,
    wait_s: float | None = None,
) -> "Redis[Any]":
    """Create a client for ``url`` with up to ``max_connections`` connections; nothing is sent yet.

    A closed connection is reopened once; a timeout is not retried. If all connections are in use, a
    caller waits ``wait_s`` for one (``None``: ``timeout_s``). Without ``verify_tls`` a self-signed
    certificate, as Heroku has it, is accepted.
    """
    address = parse(url)
    options: dict[str, Any] = {
        "max_connections": max_connections,
        "timeout": timeout_s if wait_s is None else wait_s,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        "health_check_interval": 0,
        **tls_options(address, verify_tls=verify_tls),
    }
    if address.kind is EngineKind.SERVER:
        connections = Pool.from_url(url, connection_class=CONNECTIONS[urlsplit(url).scheme], **options)
    else:
        account = {"username": address.username, "password": address.password}
        options |= account | dict(address.timeouts)
        if address.kind is EngineKind.CLUSTER:
            return ClusterClient(address, **options)
        connections = Pool(**options | sentinel.connection_options(address, verify_tls=verify_tls))
    client: Redis[Any] = Redis.from_pool(connections)  # type: ignore[attr-defined]
    return client


def close_idle(client: "Redis[Any]", idle_s: float = IDLE_S) -> None:
    """Close connections of ``client`` that were idle for ``idle_s``."""
    for pool in _pools(client):
        pool.close_idle(idle_s)


def close_idle_always(client: "Redis[Any]", idle_s: float = IDLE_S) -> None:
    """The same for as long as there is this ``client``, in a thread."""
    arguments = (weakref.ref(client), idle_s)
    threading.Thread(target=_close_idle_always, args=arguments, name="idle", daemon=True).start()


def peak_use(client: "Redis[Any]") -> float:
    """The largest share of the connections to one node that was in use at once since the last call."""
    return max((pool.take_peak() for pool in _pools(client)), default=0.0)


def _close_idle_always(client_of: "weakref.ref[Redis[Any]]", idle_s: float) -> None:
    while (client := client_of()) is not None:
        close_idle(client, idle_s)
        del client
        time.sleep(idle_s / 3)


def _pools(client: "Redis[Any]") -> list[Pool]:
    """The connections of a client of ``connect``, one pool for each node; none of any other client."""
    if isinstance(client, ClusterClient):
        return client.pools()
    return [client.connection_pool] if isinstance(client.connection_pool, Pool) else []
