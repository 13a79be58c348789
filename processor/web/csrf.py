"""CSRF tokens of forms: an HMAC of a random browser cookie, keyed with a secret of the page.

The key of a merchant's form is the link token in the page's address, so a token of one link is worthless for
another. A foreign site can neither read the cookie nor the page.
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import hashlib
import hmac
import secrets

from flask import Response, g, request

from processor.errors import Forbidden
from processor.web import cookies

COOKIE = "browser"
FIELD = "seal"
_NONCE_BYTES = 32
_ALLOWED_FETCH_SITES = frozenset({"same-origin", "none"})


class FormExpired(Forbidden):
    """A form came without a valid CSRF token."""

    code = "form_expired"
    remedy = "Open the page again and repeat it; the browser has to accept the cookie."
    title = "This form has expired"
    sentence = "Open the page again and repeat what you did; your browser has to accept our cookie."


def token_of(key: str) -> str:
    """The CSRF token of this browser for forms with this ``key``."""
    return _token(key, _browser_nonce())


def check_form(key: str, *, is_embedded: bool = False) -> None:
    """Raise :class:`FormExpired` unless the current form carries the token of this browser and ``key``.

    With ``is_embedded`` the browser's word that one of our own pages sent it is enough: pages in a frame of
    another site may get no cookie back.
    """
    if is_embedded and request.headers.get("Sec-Fetch-Site") == "same-origin":
        return
    nonce = cookies.get(COOKIE)
    token = request.form.get(FIELD, "")
    fetch_site = request.headers.get("Sec-Fetch-Site", "same-origin")
    is_valid = hmac.compare_digest(token.encode(), _token(key, nonce).encode())
    if not (nonce and is_valid and fetch_site in _ALLOWED_FETCH_SITES):
        raise FormExpired()


def set_cookie(response: Response, path: str) -> Response:
    """Set the browser's cookie if this request created its value."""
    nonce = g.get("new_browser_nonce")
    if nonce is not None:
        cookies.put(response, COOKIE, nonce, path=path)
    return response


def _browser_nonce() -> str:
    """The value of the browser's cookie; a new one for a browser without a cookie."""
    nonce = cookies.get(COOKIE) or g.get("new_browser_nonce")
    if not nonce:
        nonce = g.new_browser_nonce = secrets.token_urlsafe(_NONCE_BYTES)
    return str(nonce)


def _token(key: str, nonce: str) -> str:
    return hmac.new(key.encode(), nonce.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
