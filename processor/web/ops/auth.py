"""HTTP Basic authentication (RFC 7617) of the operators' pages: ``operator`` with OPERATOR_PASSWORD.

A browser sends these credentials with forms of foreign sites too, so every form carries a CSRF token
(:mod:`processor.web.csrf`).
"""

import base64
import functools
import hashlib
import hmac
import logging

from flask import Flask, Response, request

from processor.errors import NotFound, Unauthorized
from processor.web import csrf
from processor.web.credential_throttle import Credential, throttled
from processor.web.dependencies import get_container, refusal_log

_log = logging.getLogger(__name__)

NAME = "ops"
PREFIX = "/ops"
USER = "operator"
SCHEME = 'Basic realm="operators", charset="UTF-8"'
MAX_FORM_BYTES = 65_536
_KEY_ROUNDS = 200_000
_KEY_SALT = b"codat-processor forms of operators"


class PagesClosed(NotFound):
    """OPERATOR_PASSWORD is not set, so nobody can log in."""

    code = "pages_closed"
    remedy = "Operators: set `OPERATOR_PASSWORD` to have pages under /ops."
    sentence = "The operators' pages are closed: set OPERATOR_PASSWORD to open them."


def register(app: Flask) -> None:
    """Require the password for every path under ``/ops``, also for unknown ones."""
    app.before_request(_guard)
    app.after_request(_forbid_caching)


def check(authorization: str | None, password: str) -> None:
    """Raise :class:`Unauthorized` unless the header carries the user and ``password``; constant time."""
    user, sent_password = _credentials(authorization)
    is_user = hmac.compare_digest(_digest(user), _digest(USER.encode()))
    is_password = hmac.compare_digest(_digest(sent_password), _digest(password.encode()))
    if not (is_user and is_password):
        raise Unauthorized(f"Log in as {USER}, with the value of OPERATOR_PASSWORD.", scheme=SCHEME)


def csrf_token() -> str:
    """The CSRF token of forms."""
    return csrf.token_of(_form_key(get_container().settings.operator_password or ""))


def check_form() -> None:
    """Raise :class:`FormExpired` unless the current form carries a valid CSRF token."""
    csrf.check_form(_form_key(get_container().settings.operator_password or ""))


def _guard() -> None:
    if not _is_ops_request():
        return
    request.max_content_length = MAX_FORM_BYTES
    password = get_container().settings.operator_password
    if not password:
        raise PagesClosed()
    authorization = request.headers.get("Authorization")
    if authorization is None:
        check(authorization, password)
    try:
        with throttled(Credential.OPERATOR, Unauthorized):
            check(authorization, password)
    except Unauthorized:
        refusal_log().warn(
            _log,
            "a login to the operators' pages was refused",
            reason="unauthorized",
            address=request.remote_addr,
        )
        raise


def _forbid_caching(response: Response) -> Response:
    if _is_ops_request():
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _is_ops_request() -> bool:
    return request.blueprint == NAME or request.path == PREFIX or request.path.startswith(PREFIX + "/")


def _credentials(authorization: str | None) -> tuple[bytes, bytes]:
    """The user and password of the header; both empty when it is unusable."""
    scheme, _, text = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return b"", b""
    try:
        user, _, password = base64.b64decode(text.strip(), validate=True).partition(b":")
    except ValueError:
        return b"", b""
    return user, password


def _digest(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


@functools.lru_cache(maxsize=4)
def _form_key(password: str) -> str:
    """The key of CSRF tokens: the same in every process; a saved page does not reveal the password."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), _KEY_SALT, _KEY_ROUNDS).hex()
