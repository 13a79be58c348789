"""Connections to Redis, one client per process and purpose."""

import ssl
from typing import Any

from redis import ConnectionError as RedisConnectionError
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

WEB_TIMEOUT_S = 0.65
"""What a request may wait for Redis: an answer to Codat is due within a second, whatever happens."""

WORKER_TIMEOUT_S = 10.0


def connect(url: str, *, timeout_s: float, verify_tls: bool = True) -> "Redis[Any]":
    """A client for ``url``; sends nothing yet.

    A connection that turns out to be closed is opened again once; a time-out is not
    waited for twice. ``verify_tls`` off accepts the certificate that Heroku signs itself.
    """
    options: dict[str, Any] = {}
    if url.startswith("rediss://") and not verify_tls:
        options = {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        health_check_interval=0,
        **options,
    )
