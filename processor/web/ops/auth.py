"""Who may open the operators' pages: the user ``operator`` with OPERATOR_PASSWORD, by HTTP Basic.

https://www.rfc-editor.org/rfc/rfc7617. What an operator's browser shows are forms, and a foreign site could
make it send one with these credentials: every form carries a seal (:mod:`processor.web.security`).
"""

import base64
import functools
import hashlib
import hmac
import logging

from flask import Flask, Response, request

from processor.errors import NotFound, Unauthorized
from processor.web import security
from processor.web.credential_throttle import Credential, limited
from processor.web.dependencies import get_container, refusals

_log = logging.getLogger(__name__)

NAME = "ops"
PREFIX = "/ops"
USER = "operator"
SCHEME = 'Basic realm="operators", charset="UTF-8"'
LARGEST_FORM_BYTES = 65_536
_KEY_ROUNDS = 200_000
_KEY_SALT = b"codat-processor forms of operators"


class PagesClosed(NotFound):
    """There are no operators' pages, for nobody could log in."""

    code = "pages_closed"
    remedy = "Operators: set `OPERATOR_PASSWORD` to have pages under /ops."
    sentence = "The operators' pages are closed: set OPERATOR_PASSWORD to open them."


def register(app: Flask) -> None:
    """Ask for the password before anything under ``/ops`` is looked at, page or no page."""
    app.before_request(_guard)
    app.after_request(_keep_out_of_caches)


def check(authorization: str | None, password: str) -> None:
    """Raise :class:`Unauthorized` unless the header carries the user's name and ``password``.

    Takes the same time however much of either is right.
    """
    user, given = _credentials(authorization)
    is_user = hmac.compare_digest(_digest(user), _digest(USER.encode()))
    is_password = hmac.compare_digest(_digest(given), _digest(password.encode()))
    if not (is_user and is_password):
        raise Unauthorized(f"Log in as {USER}, with the value of OPERATOR_PASSWORD.", scheme=SCHEME)


def seal() -> str:
    """What a form has to send back."""
    return security.seal(_form_key(get_container().settings.operator_password or ""))


def check_form() -> None:
    """Raise :class:`processor.web.security.FormExpired` unless the form was given to this browser."""
    security.check_form(_form_key(get_container().settings.operator_password or ""))


def _guard() -> None:
    if not _is_ours():
        return
    request.max_content_length = LARGEST_FORM_BYTES
    password = get_container().settings.operator_password
    if not password:
        raise PagesClosed()
    authorization = request.headers.get("Authorization")
    if authorization is None:
        check(authorization, password)
    try:
        with limited(Credential.OPERATOR, Unauthorized):
            check(authorization, password)
    except Unauthorized:
        refusals().warn(
            _log,
            "a login to the operators' pages was refused",
            reason="unauthorized",
            address=request.remote_addr,
        )
        raise


def _keep_out_of_caches(answer: Response) -> Response:
    if _is_ours():
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer


def _is_ours() -> bool:
    return request.blueprint == NAME or request.path == PREFIX or request.path.startswith(PREFIX + "/")


def _credentials(authorization: str | None) -> tuple[bytes, bytes]:
    """User and password as they were sent; both empty where nothing usable was."""
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
    """The key of the seals: the same in every process, and no way back from a saved page to the password."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), _KEY_SALT, _KEY_ROUNDS).hex()
