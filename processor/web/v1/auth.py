"""Authentication of API calls: an API key as ``Authorization: Bearer KEY``, and its scope.

With PROTECT_INTERNALS the internal addresses want a key too.
"""

import logging

from flask import Flask, Response, g, request

from processor.access.api_keys import ApiKeys
from processor.access.audit import ActorKind
from processor.errors import Unauthorized
from processor.settings.people import ApiKey, Scope
from processor.web import audit_hooks
from processor.web.credential_throttle import Credential, throttled
from processor.web.dependencies import get_container, refusal_log
from processor.web.v1 import scopes

_log = logging.getLogger(__name__)

PREFIX = "/v1"
SCHEME = "Bearer"
INTERNALS = frozenset({"/metrics", "/openapi.json"})
"""Addresses that want a key with PROTECT_INTERNALS."""


def register(app: Flask) -> None:
    """Require a key for every path under ``/v1``, also for unknown ones."""
    app.before_request(_guard)
    app.after_request(_record_call)


def _guard() -> None:
    if _is_api_request():
        key = _key_of_request()
        g.api_key = key
        if request.endpoint is not None:
            scopes.check(key, request.method, _operation())
    elif request.path in INTERNALS and get_container().settings.protect_internals and not holds_key():
        raise scopes.ScopeMissing(Scope.READ)


def holds_key() -> bool:
    """Whether the request carries a key that may read. Raises :class:`Unauthorized` without a valid one."""
    return Scope.READ in _key_of_request().scopes


def may_see_internals() -> bool:
    """Whether details may be shown that PROTECT_INTERNALS keeps for holders of a key."""
    if not get_container().settings.protect_internals:
        return True
    return "Authorization" in request.headers and holds_key()


def _key_of_request() -> ApiKey:
    authorization, api_keys = request.headers.get("Authorization"), get_container().api_keys
    if not authorization:
        return check(authorization, api_keys)
    with throttled(Credential.API_KEY, Unauthorized):
        return check(authorization, api_keys)


def _operation() -> str:
    return (request.endpoint or "").rpartition(".")[2]


def _record_call(response: Response) -> Response:
    """Record calls that change something, and those that the key's scopes do not allow."""
    key: ApiKey | None = g.get("api_key")
    if key is None or request.method in scopes.READING or request.endpoint is None:
        return response
    target = None
    if (
        not request.view_args
        and response.is_json
        and isinstance(body := response.get_json(silent=True), dict)
    ):
        target = body.get("id")  # of what was created
    audit_hooks.record(ActorKind.API_KEY, key.name, f"v1 {_operation()}", target=target, response=response)
    return response


def _is_api_request() -> bool:
    return request.path == PREFIX or request.path.startswith(PREFIX + "/")


def check(authorization: str | None, api_keys: ApiKeys) -> ApiKey:
    """The key in the header. Raises :class:`Unauthorized`, and ``redis.RedisError`` for a made key."""
    scheme, _, text = (authorization or "").partition(" ")
    key = api_keys.find(text.strip()) if text.strip() and scheme.lower() == SCHEME.lower() else None
    if key is not None:
        return key
    if not api_keys.exist():
        refusal_log().warn(_log, "a call of the API was refused", reason="API_KEYS is not set")
        raise Unauthorized(
            "API_KEYS is not set and no key was made, so nobody can call this API.", scheme=SCHEME
        )
    raise Unauthorized("Send one of the API keys as `Authorization: Bearer KEY`.", scheme=SCHEME)
