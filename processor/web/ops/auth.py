"""Identity of operators: a session of the sign-in page, or HTTP Basic (RFC 7617) with OPERATOR_PASSWORD.

A browser sends both with forms of foreign sites too, so every form carries a CSRF token
(:mod:`processor.web.csrf`). This is the one place that checks identity, role and form of every request.
"""

import base64
import logging

from flask import Flask, Response, g, request

from processor.access.audit import ActorKind
from processor.access.operators import Operator, form_key, is_password_of_user, is_sign_in_configured
from processor.errors import NotFound, Unauthorized
from processor.settings.people import USER, Role
from processor.web import audit_hooks, cookies, csrf
from processor.web.credential_throttle import Credential, throttled
from processor.web.dependencies import get_container, refusal_log
from processor.web.ops import permissions
from processor.web.v1.scopes import READING

_log = logging.getLogger(__name__)

NAME = "ops"
PREFIX = "/ops"
SCHEME = 'Basic realm="operators", charset="UTF-8"'
MAX_FORM_BYTES = 65_536
SESSION_COOKIE = "operator"
SIGN_IN_VIEWS = frozenset(f"{NAME}.{view}" for view in ("sign_in_page", "sign_in", "sso", "sso_callback"))
"""Views that need no identity."""

KNOWN_ACTIONS = frozenset(
    {"enable", "disable", "test", "rotate", "remove", "discard", "replay", "edit", "revoke", "send_missed"}
    | {"portal_link", "revoke_portal", "wake", "try_codat", "register_consumer", "repair", "replay_failed"}
    | {"replay_dead", "replay_quarantined", "send_dead", "send_uncertain", "try_lane", "enable_and_send"}
    | {"mute", "unmute", "forget_handled"}
)
"""Values of a form's ``action`` that the audit trail names."""

SIGN_IN_KEY = "sign-in"
"""The key of the form of the sign-in page: its token proves that the browser loaded the page."""


class PagesClosed(NotFound):
    """No setting names an operator, so nobody can sign in."""

    code = "pages_closed"
    remedy = "Operators: set `OPERATOR_PASSWORD`, `OPERATORS` or `OIDC_ISSUER` to have pages under /ops."
    sentence = (
        "The operators' pages are closed: set OPERATOR_PASSWORD, OPERATORS or OIDC_ISSUER to open them."
    )


def register(app: Flask) -> None:
    """Require an operator for every path under ``/ops``, also for unknown ones."""
    app.before_request(_guard)
    app.after_request(_record_action)


def check(authorization: str | None) -> None:
    """Raise :class:`Unauthorized` unless the header carries ``operator`` and OPERATOR_PASSWORD."""
    settings = get_container().settings
    if not is_password_of_user(settings, *_credentials(authorization)):
        scheme = SCHEME if settings.operator_password else None
        detail = f"Log in as {USER}, with the value of OPERATOR_PASSWORD" if scheme else "Sign in"
        raise Unauthorized(f"{detail}, or at {PREFIX}/sign-in.", scheme=scheme)


def current_operator() -> Operator | None:
    """The operator of this request; ``None`` on the pages that need none."""
    operator: Operator | None = g.get("operator")
    return operator


def csrf_token() -> str:
    """The CSRF token of forms."""
    return csrf.token_of(_form_key())


def check_form() -> None:
    """Raise :class:`FormExpired` unless the current form carries a valid CSRF token."""
    csrf.check_form(_form_key())


def _form_key() -> str:
    """The session's token; without a session a key of OPERATOR_PASSWORD."""
    if current_operator() is None:
        return SIGN_IN_KEY
    if g.get("operator_session") is not None:
        return cookies.get(SESSION_COOKIE)
    return form_key(get_container().settings.operator_password or "")


def _guard() -> None:
    if not _is_ops_request():
        return
    request.max_content_length = MAX_FORM_BYTES
    if not is_sign_in_configured(get_container().settings):
        raise PagesClosed()
    if request.endpoint not in SIGN_IN_VIEWS:
        g.operator = _identify()
    if request.blueprint != NAME or request.method in READING:
        return
    operator = current_operator()
    if operator is None:
        check_form()
        return
    view, action = _action()
    try:
        permissions.check(operator.role, request.method, view, action)
    except permissions.RoleTooLow:
        g.is_audited = True
        raise
    check_form()
    g.is_audited = True


def _action() -> tuple[str, str]:
    """The view of this request, and the action that its form names."""
    return (request.endpoint or "").removeprefix(f"{NAME}."), request.form.get("action", "")


def _identify() -> Operator:
    """The operator of this request. Raises :class:`Unauthorized` and ``redis.RedisError``."""
    authorization = request.headers.get("Authorization")
    if authorization is None:
        token = cookies.get(SESSION_COOKIE)
        session = get_container().operator_sessions.find(token) if token else None
        if session is None:
            check(None)
        else:
            g.operator_session = session
            return Operator(session.name, session.role)
    try:
        with throttled(Credential.OPERATOR, Unauthorized):
            check(authorization)
    except Unauthorized:
        note_refusal()
        raise
    return Operator(USER, Role.ADMIN)


def note_refusal() -> None:
    """Log that credentials of an operator were refused, without them."""
    refusal_log().warn(
        _log,
        "a login to the operators' pages was refused",
        reason="unauthorized",
        address=request.remote_addr,
    )


def _record_action(response: Response) -> Response:
    """Record what an operator did, or was refused for the role. A form of a foreign site is neither."""
    operator = current_operator()
    if operator is not None and g.get("is_audited"):
        view, action = _action()
        known = action if action in KNOWN_ACTIONS else ""
        name = f"ops {view} {known}".rstrip()
        target = g.get("audit_target")
        audit_hooks.record(ActorKind.OPERATOR, operator.name, name, target=target, response=response)
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
