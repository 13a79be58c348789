"""The HTTP clients of the simulator."""

import ssl
from collections.abc import Mapping
from functools import cache

import httpx


@cache
def _tls() -> ssl.SSLContext:
    """The usual certificates, read once: reading them takes longer than most tests."""
    return httpx.create_ssl_context()


def http_client(
    *, base_url: str = "", headers: Mapping[str, str] | None = None, timeout_s: float = 5.0
) -> httpx.Client:
    """A client without the proxies of the environment."""
    return httpx.Client(base_url=base_url, headers=headers, timeout=timeout_s, verify=_tls(), trust_env=False)
