"""Cookies of pages: HttpOnly, SameSite=Lax, and over https Secure with the prefix ``__Host-``.

A browser takes a cookie with that prefix only from this very host, over https and for all its paths, so no
other host of the domain can plant one. Over plain http, as on localhost, names have no prefix.
https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Set-Cookie
"""

from flask import Response, request

HOST_PREFIX = "__Host-"


def name_of(name: str) -> str:
    """The name under which the browser knows the cookie."""
    return HOST_PREFIX + name if request.is_secure else name


def get(name: str) -> str:
    """The value of a cookie; empty without one."""
    return request.cookies.get(name_of(name), "")


def with_prefix(name: str) -> dict[str, str]:
    """The cookies whose names begin with ``name``, the oldest first (RFC 6265, 5.4)."""
    start = len(name_of(""))
    return {key[start:]: value for key, value in request.cookies.items() if key.startswith(name_of(name))}


def put(
    response: Response,
    name: str,
    value: str,
    *,
    path: str,
    max_age_s: int | None = None,
    is_framed: bool = False,
) -> None:
    """Set a cookie; ``path`` counts over plain http alone.

    One for a page that ``is_framed`` by another site comes back in frames of that site alone, over https.
    https://developer.mozilla.org/docs/Web/Privacy/Guides/Privacy_sandbox/Partitioned_cookies
    """
    is_partitioned = is_framed and request.is_secure
    response.set_cookie(
        name_of(name),
        value,
        max_age=max_age_s,
        path="/" if request.is_secure else path,
        secure=request.is_secure,
        httponly=True,
        samesite="None" if is_partitioned else "Lax",
        partitioned=is_partitioned,
    )


def remove(response: Response, name: str, *, path: str) -> None:
    """Remove a cookie."""
    put(response, name, "", path=path, max_age_s=0)
