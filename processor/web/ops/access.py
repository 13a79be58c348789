"""The page of who is signed in, of the API keys, and of added signing secrets of Codat's messages."""

from typing import Any

from flask import Response, g, request, url_for

from processor.access.sessions import SHOWN_ID_CHARS
from processor.errors import NotFound
from processor.settings.people import Scope
from processor.web.dependencies import get_container
from processor.web.ops import auth, rendering
from processor.web.ops.rendering import blueprint

SCOPES = tuple(scope.value for scope in Scope)


@blueprint.get("/access")
def access() -> Response:
    """Sessions, API keys and signing secrets."""
    rendering.query_of()
    return _page()


@blueprint.post("/access/sessions/<id_>")
def end_session(id_: str) -> Response:
    """End one session, which is named by the beginning of its id."""
    if len(id_) != SHOWN_ID_CHARS or not get_container().operator_sessions.revoke(id_start=id_):
        raise NotFound("There is no such session any more.")
    return rendering.back(url_for(".access"), "sessions-ended", count=1)


@blueprint.post("/access/people/<id_>")
def end_sessions(id_: str) -> Response:
    """End every session of an operator."""
    count = get_container().operator_sessions.revoke(name=id_)
    return rendering.back(url_for(".access"), "sessions-ended", count=count)


@blueprint.post("/access/api-keys")
def add_key() -> Response:
    """Make a key, which is shown in this response only."""
    name, scopes = request.form.get("name", "").strip(), request.form.getlist("scopes")
    _, key = get_container().api_keys.add(name, scopes)
    return _page(new_name=name, new_key=key)


@blueprint.post("/access/api-keys/<id_>")
def revoke_key(id_: str) -> Response:
    """End a key that was made."""
    get_container().api_keys.revoke(id_)
    return rendering.back(url_for(".access"), "key-revoked")


@blueprint.post("/access/webhook-secrets")
def add_webhook_secret() -> Response:
    """Accept messages that are signed with one more secret, within a second in every process."""
    operator = auth.current_operator()
    by = operator.name if operator else ""
    g.audit_target = get_container().webhook_secrets.add(request.form.get("secret", ""), by=by).id
    return rendering.back(url_for(".access"), "secret-added")


@blueprint.post("/access/webhook-secrets/<id_>")
def remove_webhook_secret(id_: str) -> Response:
    """Refuse what is signed with an added secret."""
    get_container().webhook_secrets.remove(id_)
    return rendering.back(url_for(".access"), "secret-removed")


def _page(**values: Any) -> Response:
    container = get_container()
    return rendering.page(
        "access",
        sessions=container.operator_sessions.all(),
        keys=container.api_keys.rows(),
        secrets=container.webhook_secrets.all(),
        configured_secrets=len(container.settings.codat_webhook_secrets),
        scopes=SCOPES,
        shown_chars=SHOWN_ID_CHARS,
        **values,
    )
