"""The sign-in page of operators, and signing out."""

import hmac
from http import HTTPStatus
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from flask import Response, request, url_for

from processor.access import operators
from processor.access.audit import ActorKind
from processor.access.operators import Operator
from processor.access.sessions import LIFETIME
from processor.errors import NotFound, Unauthorized
from processor.web import audit_hooks, cookies
from processor.web.credential_throttle import Credential, throttled
from processor.web.dependencies import get_container
from processor.web.ops import auth, rendering
from processor.web.ops.rendering import blueprint
from processor.web.redirects import see_other

PENDING_COOKIE = "sign-in"
PENDING_S = 600
WRONG = "The name or the password is wrong."


@blueprint.get("/sign-in")
def sign_in_page() -> Response:
    """The form for name and password, and the way to the provider of OIDC_ISSUER."""
    return _form()


@blueprint.post("/sign-in")
def sign_in() -> Response:
    """Open a session for the right name and password."""
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    try:
        with throttled(Credential.OPERATOR, Unauthorized):
            operator = operators.sign_in(get_container().settings, name, password)
            if operator is None:
                raise Unauthorized(WRONG)
    except Unauthorized:
        auth.note_refusal()
        return _form(WRONG)
    return begin_session(operator, operators.PASSWORD, request.form.get("next", ""))


@blueprint.post("/sign-in/sso")
def sso() -> Response:
    """Leave for the provider of OIDC_ISSUER."""
    provider = _provider()
    with throttled(Credential.OPERATOR, _sso().ProviderFailed):
        address, pending = provider.begin(local_path(request.form.get("next", "")))
    response = see_other(address)
    # Chromium applies form-action to the redirect that answers a form.
    policy = rendering.POLICY.replace("form-action 'self'", f"form-action 'self' {_origin(address)}")
    response.headers["Content-Security-Policy"] = policy
    cookies.put(response, PENDING_COOKIE, pending.dump(), path=auth.PREFIX, max_age_s=PENDING_S)
    return response


@blueprint.get("/sign-in/callback")
def sso_callback() -> Response:
    """Come back from the provider, and open a session for whom it names."""
    provider = _provider()
    state, code = request.args.get("state", ""), request.args.get("code", "")
    try:
        with throttled(Credential.OPERATOR, Unauthorized, _sso().ProviderFailed):
            pending = _sso().PendingSignIn.load(cookies.get(PENDING_COOKIE))
            if not hmac.compare_digest(state.encode(), pending.state.encode()) or not code:
                raise Unauthorized("The sign-in was not begun in this browser, or the provider refused it.")
            operator = provider.finish(code, pending)
    except Unauthorized as error:
        auth.note_refusal()
        response = _form(error.detail)
    else:
        response = begin_session(operator, operators.SSO, pending.next_path)
    cookies.remove(response, PENDING_COOKIE, path=auth.PREFIX)
    return response


def _provider() -> Any:
    settings = get_container().settings
    if not settings.oidc_issuer:
        raise NotFound("OIDC_ISSUER is not set.")
    root = (settings.public_url or request.url_root).rstrip("/")
    return _sso().Provider(settings, root + url_for(".sso_callback"))


def _sso() -> Any:
    """The module with the library, which takes half a second to load and is an extra."""
    return import_module("processor.web.ops.sso")


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """End this browser's session."""
    get_container().operator_sessions.end(cookies.get(auth.SESSION_COOKIE))
    response = see_other(url_for(".sign_in_page"))
    cookies.remove(response, auth.SESSION_COOKIE, path=auth.PREFIX)
    return response


def begin_session(operator: Operator, method: str, next_path: str) -> Response:
    """Open a session and lead to the page that was asked for."""
    token = get_container().operator_sessions.open(operator, method)
    audit_hooks.record(ActorKind.OPERATOR, operator.name, f"ops sign_in {method}")
    response = see_other(local_path(next_path))
    lifetime_s = int(LIFETIME.total_seconds())
    cookies.put(response, auth.SESSION_COOKIE, token, path=auth.PREFIX, max_age_s=lifetime_s)
    return response


def local_path(path: str) -> str:
    """The path if it is one of these pages, else that of the overview: never an address elsewhere."""
    is_ours = path == auth.PREFIX or path.startswith((auth.PREFIX + "/", auth.PREFIX + "?"))
    if is_ours and path.isprintable() and "\\" not in path:
        return path
    return url_for(".overview")


def _form(error: str = "") -> Response:
    settings = get_container().settings
    return rendering.page(
        "sign_in",
        HTTPStatus.UNAUTHORIZED if error else HTTPStatus.OK,
        error=error,
        has_passwords=bool(settings.operators or settings.operator_password),
        has_sso=bool(settings.oidc_issuer),
        next_path=local_path(request.values.get("next", "")),
    )
