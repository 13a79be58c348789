"""Guessing is slow: few wrong credentials a minute from one address, counted in Redis for all processes.

Each kind of credential (password of the operators, key of the API, token of a link) is counted by
itself. Only refusals count; a caller without credentials guesses nothing and is not counted either. Behind
proxies the address is the caller's only with TRUSTED_PROXIES set: otherwise all callers share the proxy's,
and one who guesses keeps the others out. Messages of Codat do not pass here. While Redis is away nothing is
counted and nobody kept out.
"""

import contextlib
import ipaddress
from collections.abc import Iterator
from enum import StrEnum

from flask import request
from redis import RedisError

from processor.errors import TooManyAttempts
from processor.store import keys
from processor.web.dependencies import get_container

MOST_REFUSALS = 10
"""Wrong credentials of one kind from one address within ``WINDOW_S``; then all of that kind wait."""

WINDOW_S = 60
IPV6_PREFIX = 64
"""Bits of an IPv6 address that tell subscribers apart; the others anybody chooses freely."""


class Credential(StrEnum):
    """What can be guessed."""

    OPERATOR = "operator"
    API_KEY = "api-key"
    LINK = "link"


@contextlib.contextmanager
def limited(kind: Credential, refusal: type[Exception]) -> Iterator[None]:
    """Look at a credential inside; ``refusal`` is what is raised for a wrong one, and is counted.

    Raises :class:`TooManyAttempts` instead, before anything is looked at, when too many came before.
    """
    name = keys.attempts(kind, _origin(request.remote_addr or ""))
    client = get_container().redis
    with contextlib.suppress(RedisError):
        if int(client.get(name) or 0) >= MOST_REFUSALS:
            raise TooManyAttempts(retry_after_s=max(1, client.ttl(name)))
    try:
        yield
    except refusal:
        with contextlib.suppress(RedisError), client.pipeline(transaction=True) as pipe:
            pipe.set(name, 0, ex=WINDOW_S, nx=True)
            pipe.incr(name)
            pipe.execute()
        raise


def _origin(address: str) -> str:
    """The address by which a caller is counted: of IPv6 the network."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip), IPV6_PREFIX), strict=False).network_address)
