"""One form of a request's path, scheme and host, whatever the caller writes.

Anybody may make up ``Host`` and ``X-Forwarded-Proto``. With PUBLIC_URL set, links, redirects and the cookies'
``Secure`` follow it; else a host that no host can be and a scheme that is neither http nor https are
passed over. A message is never refused for any of this: its sender would not come back.
"""

import string
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from processor.web.host_header import is_possible

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

WEBHOOKS = "/webhooks/"
"""Where messages come."""

SCHEMES = ("http", "https")


def canonical_path(path: str) -> str:
    """The path of a message with single slashes, for a redirect would lose it; others as they are."""
    if "//" not in path:
        return path
    joined = "/" + "/".join(filter(None, path.split("/")))
    return joined if joined.startswith(WEBHOOKS) else path


def forwarded_scheme(header: str, hops: int) -> str | None:
    """What the outermost of ``hops`` trusted proxies that says so was reached by; ``None`` where none does.

    A proxy may write the header anew, so that there are fewer values than hops.
    """
    values = [value.strip().lower() for value in header.split(",")][-hops:] if hops else []
    return next((value for value in values if value in SCHEMES), None)


class CanonicalRequest:
    """Passes requests on to ``app`` in one form; ``public_url`` is PUBLIC_URL, ``hops`` TRUSTED_PROXIES."""

    def __init__(self, app: WsgiApp, *, public_url: str | None, hops: int) -> None:
        self._app = app
        self._public = urlsplit(public_url) if public_url else None
        self._hops = hops

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        environ["PATH_INFO"] = canonical_path(environ.get("PATH_INFO", ""))
        query = environ.get("QUERY_STRING", "")
        if not query.isascii():  # whoever decodes it later would raise
            environ["QUERY_STRING"] = quote(query.encode("latin-1", "replace"), safe=string.printable)
        scheme = forwarded_scheme(environ.get("HTTP_X_FORWARDED_PROTO", ""), self._hops)
        environ["wsgi.url_scheme"] = scheme or environ["wsgi.url_scheme"]
        if self._public is not None:
            environ["HTTP_HOST"] = self._public.netloc.rpartition("@")[2]
            if self._public.scheme == "https":
                environ["wsgi.url_scheme"] = "https"
        elif not is_possible(environ.get("HTTP_HOST", "")):
            environ.pop("HTTP_HOST", None)
        return self._app(environ, start_response)
