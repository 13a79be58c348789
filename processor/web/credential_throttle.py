"""Throttles wrong credentials by client address, counted in Redis for all processes.

Operator passwords, API keys and link tokens are counted separately; only refusals count, and requests
without credentials do not. Behind proxies the client's address is known only with TRUSTED_PROXIES set:
otherwise all clients share the proxy's address and its count. Codat's messages are not throttled. While Redis
is away nothing is counted or refused.
"""

import contextlib
import ipaddress
from collections.abc import Iterator
from enum import StrEnum

from flask import request
from redis import RedisError

from processor.errors import TooManyAttempts
from processor.store import keys
from processor.web import windows
from processor.web.dependencies import get_container

MAX_REFUSALS = 10
"""Wrong credentials of one kind from one address within ``WINDOW_S``; then further ones are refused."""

WINDOW_S = 60
IPV6_PREFIX = 64
"""Bits of an IPv6 address that identify a subscriber; the subscriber chooses the others."""


class Credential(StrEnum):
    """Kinds of credentials."""

    OPERATOR = "operator"
    API_KEY = "api-key"
    LINK = "link"


@contextlib.contextmanager
def throttled(credential: Credential, *refusals: type[Exception]) -> Iterator[None]:
    """Check a credential inside the context; an exception of the types ``refusals`` is counted.

    Raises :class:`TooManyAttempts` on entry when the address has used up its attempts.
    """
    name = keys.attempts(credential, _client_of(request.remote_addr or ""))
    client = get_container().redis
    with contextlib.suppress(RedisError):
        if int(client.get(name) or 0) >= MAX_REFUSALS:
            raise TooManyAttempts(retry_after_s=max(1, client.ttl(name)))
    try:
        yield
    except refusals:
        with contextlib.suppress(RedisError):
            windows.count(name, WINDOW_S)
        raise


def _client_of(address: str) -> str:
    """The key under which an address is counted: for IPv6 its network."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip), IPV6_PREFIX), strict=False).network_address)
