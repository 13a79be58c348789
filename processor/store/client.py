"""Connections to Redis: one client per process, with a bounded number of connections."""

import ssl
from typing import Any
from urllib.parse import urlsplit

from redis import ConnectionError as RedisConnectionError
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from processor.store.pool import CONNECTIONS, Pool

WEB_TIMEOUT_S = 0.65
"""What a request may wait for Redis: an answer to Codat is due within a second, whatever happens."""

WEB_WAIT_S = 0.2
"""What a request may wait for a connection that another request uses, in seconds."""

WORKER_TIMEOUT_S = 15.0
"""RQ waits five seconds for a job and allows ten more for the answer."""

COMMAND_CONNECTIONS = 4
"""The share of a command (``codat-processor connections list``, ``check``, …)."""


def connect(
    url: str,
    *,
    timeout_s: float,
    verify_tls: bool = True,
    max_connections: int = COMMAND_CONNECTIONS,
    wait_s: float | None = None,
) -> "Redis[Any]":
    """A client for ``url`` with ``max_connections`` connections; sends nothing yet.

    A connection that turns out to be closed is opened again once; a time-out is not
    waited for twice. Who finds all connections in use waits ``wait_s`` (``None``: as ``timeout_s``).
    ``verify_tls`` off accepts the certificate that Heroku signs itself.
    """
    options: dict[str, Any] = {}
    if url.startswith("rediss://") and not verify_tls:
        options = {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}
    pool = Pool.from_url(
        url,
        connection_class=CONNECTIONS[urlsplit(url).scheme],
        max_connections=max_connections,
        timeout=timeout_s if wait_s is None else wait_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        health_check_interval=0,
        **options,
    )
    client: Redis[Any] = Redis.from_pool(pool)  # type: ignore[attr-defined]
    return client


def close_idle_always(client: "Redis[Any]") -> None:
    """Close connections of ``client`` that are not used for a while, as long as this process lives."""
    client.connection_pool.close_idle_always()
