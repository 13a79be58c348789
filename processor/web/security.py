"""What every answer says to browsers, and the proof that a form was ours.

Headers: https://owasp.org/www-project-secure-headers/. A page names its own policy by putting it into
the answer; every other answer may load nothing at all.

A changing action under ``/connect`` needs two things that a foreign site cannot have together: a random
value that this browser keeps in a cookie, and in the form a seal of that value made with the link
token, which stands in the address of the page. Seals of one link are worth nothing for another.
"""

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from processor.errors import Forbidden

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of an answer that is no page."""

HSTS = "max-age=31536000"

BROWSER_COOKIE = "browser"
FIELD = "seal"
_NONCE_CHARS = 32
_FETCHED_BY_US = frozenset({"same-origin", "none"})


class FormExpired(Forbidden):
    """A form came without the proof that we gave it to this browser."""

    code = "form_expired"
    remedy = "Open the page again and repeat it; the browser has to accept the cookie."
    title = "This form has expired"
    sentence = "Open the page again and repeat what you did; your browser has to accept our cookie."


def register(app: Flask) -> None:
    """Let every answer of ``app`` carry the headers."""
    app.after_request(protect)


def protect(answer: Response) -> Response:
    """Add what the view did not say itself."""
    headers = answer.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Content-Security-Policy", NOTHING)
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", HSTS)
    return answer


def page_policy(pictures_from: str | None = None) -> str:
    """The policy of a page: our own style and script, and pictures from anywhere behind https.

    ``pictures_from`` is an address whose origin may serve pictures too: a simulated Codat speaks plain
    http.
    """
    sources = ["'self'", "https:"]
    if pictures_from is not None:
        parts = urlsplit(pictures_from)
        if parts.scheme == "http" and parts.netloc:
            sources.append(f"http://{parts.netloc.rpartition('@')[2]}")
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        f"img-src {' '.join(sources)}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def seal(token: str) -> str:
    """What a form has to send back: this browser's value, sealed with the link token."""
    return _seal(token, _browser())


def check_form(token: str) -> None:
    """Raise :class:`FormExpired` unless the form was given to this browser, for this link."""
    kept = request.cookies.get(BROWSER_COOKIE, "")
    given = request.form.get(FIELD, "")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    genuine = hmac.compare_digest(given.encode(), _seal(token, kept).encode())
    if not (kept and genuine and site in _FETCHED_BY_US):
        raise FormExpired()


def remember_browser(answer: Response, path: str) -> Response:
    """Have the browser keep its value, where a form was made for it in this request."""
    nonce = g.get("new_browser")
    if nonce is not None:
        answer.set_cookie(
            BROWSER_COOKIE, nonce, path=path, secure=request.is_secure, httponly=True, samesite="Lax"
        )
    return answer


def _browser() -> str:
    """The value that this browser keeps; a new one where it has none yet."""
    kept = request.cookies.get(BROWSER_COOKIE) or g.get("new_browser")
    if not kept:
        kept = g.new_browser = secrets.token_urlsafe(_NONCE_CHARS)
    return str(kept)


def _seal(token: str, nonce: str) -> str:
    return hmac.new(token.encode(), nonce.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
