"""Authentication of API calls: one of ``API_KEYS`` as ``Authorization: Bearer KEY``."""

import hashlib
import hmac
import logging
from collections.abc import Sequence

from flask import Flask, Response, request

from processor.errors import Unauthorized
from processor.web.credential_throttle import Credential, throttled
from processor.web.dependencies import get_container, refusal_log

_log = logging.getLogger(__name__)

PREFIX = "/v1"
SCHEME = "Bearer"


def register(app: Flask) -> None:
    """Require a key for every path under ``/v1``, also for unknown ones."""
    app.before_request(_guard)
    app.after_request(_forbid_caching)


def _guard() -> None:
    if not _is_api_request():
        return
    authorization, api_keys = request.headers.get("Authorization"), get_container().settings.api_keys
    if not authorization or not api_keys:
        check(authorization, api_keys)
    with throttled(Credential.API_KEY, Unauthorized):
        check(authorization, api_keys)


def _forbid_caching(response: Response) -> Response:
    if _is_api_request():
        response.headers["Cache-Control"] = "no-store"
    return response


def _is_api_request() -> bool:
    return request.path == PREFIX or request.path.startswith(PREFIX + "/")


def check(authorization: str | None, api_keys: Sequence[str]) -> None:
    """Raise :class:`Unauthorized` unless the header carries one of the keys; runs in constant time."""
    if not api_keys:
        refusal_log().warn(_log, "a call of the API was refused", reason="API_KEYS is not set")
        raise Unauthorized("API_KEYS is not set, so nobody can call this API.", scheme=SCHEME)
    scheme, _, api_key = (authorization or "").partition(" ")
    digest = _digest(api_key.strip())
    matches = [hmac.compare_digest(digest, _digest(key)) for key in api_keys]
    if scheme.lower() != SCHEME.lower() or not any(matches):
        raise Unauthorized("Send one of the API keys as `Authorization: Bearer KEY`.", scheme=SCHEME)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
