"""Normalise a request's path, scheme and host.

A caller may send any ``Host`` and ``X-Forwarded-Proto``. With PUBLIC_URL set, links, redirects and the
``Secure`` flag of cookies follow it; otherwise an impossible host and an unknown scheme are ignored. A
message is never refused for these headers, because Codat would not send it again.
"""

import re
import string
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

WEBHOOKS = "/webhooks/"
"""Path prefix of Codat's messages."""

SCHEMES = ("http", "https")

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}"
_NAME = rf"(?=[^:]{{1,253}}(?::|$)){_LABEL}(?:\.{_LABEL})*\.?"
_ADDRESS = r"\[[0-9A-Fa-f:.]{2,45}\]"
_HOST = re.compile(rf"(?:{_NAME}|{_ADDRESS})(?::(\d{{1,5}}))?", re.ASCII)
MAX_PORT = 65_535


def canonical_path(path: str) -> str:
    """``path``; that of a message with single slashes, because Codat does not follow a redirect."""
    if "//" not in path:
        return path
    single_slashes = "/" + "/".join(filter(None, path.split("/")))
    return single_slashes if single_slashes.startswith(WEBHOOKS) else path


def forwarded_scheme(header: str, hops: int) -> str | None:
    """The scheme reported by the outermost of ``hops`` trusted proxies; ``None`` when none reports one.

    There are fewer values than hops when a proxy overwrites the header.
    """
    values = [value.strip().lower() for value in header.split(",")][-hops:] if hops else []
    return next((value for value in values if value in SCHEMES), None)


def is_valid_host(host: str) -> bool:
    """Whether ``host`` is a name or an address, with a port or without (RFC 9110, 7.2)."""
    match = _HOST.fullmatch(host)
    return match is not None and int(match[1] or 0) <= MAX_PORT


class CanonicalRequest:
    """WSGI middleware that normalises requests; ``public_url`` is PUBLIC_URL, ``hops`` TRUSTED_PROXIES."""

    def __init__(self, app: WsgiApp, *, public_url: str | None, hops: int) -> None:
        self._app = app
        self._public = urlsplit(public_url) if public_url else None
        self._hops = hops

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Normalise one request and pass it on."""
        environ["PATH_INFO"] = canonical_path(environ.get("PATH_INFO", ""))
        query = environ.get("QUERY_STRING", "")
        if not query.isascii():  # decoding it later would raise
            environ["QUERY_STRING"] = quote(query.encode("latin-1", "replace"), safe=string.printable)
        scheme = forwarded_scheme(environ.get("HTTP_X_FORWARDED_PROTO", ""), self._hops)
        environ["wsgi.url_scheme"] = scheme or environ["wsgi.url_scheme"]
        if self._public is not None:
            environ["HTTP_HOST"] = self._public.netloc.rpartition("@")[2]
            if self._public.scheme == "https":
                environ["wsgi.url_scheme"] = "https"
        elif not is_valid_host(environ.get("HTTP_HOST", "")):
            environ.pop("HTTP_HOST", None)
        return self._app(environ, start_response)
