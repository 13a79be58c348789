"""Who may call the API: whoever sends one of ``API_KEYS`` as ``Authorization: Bearer KEY``."""

import hashlib
import hmac
import logging
from collections.abc import Sequence

from flask import Flask, Response, request

from processor.errors import Unauthorized
from processor.web.credential_throttle import Credential, limited
from processor.web.dependencies import get_container, refusals

_log = logging.getLogger(__name__)

PREFIX = "/v1"
SCHEME = "Bearer"


def register(app: Flask) -> None:
    """Ask for a key before anything under ``/v1`` is looked at, whether or not there is such a call."""
    app.before_request(_guard)
    app.after_request(_keep_out_of_caches)


def _guard() -> None:
    if not _is_a_call():
        return
    authorization, api_keys = request.headers.get("Authorization"), get_container().settings.api_keys
    if not authorization or not api_keys:
        check(authorization, api_keys)
    with limited(Credential.API_KEY, Unauthorized):
        check(authorization, api_keys)


def _keep_out_of_caches(answer: Response) -> Response:
    if _is_a_call():
        answer.headers["Cache-Control"] = "no-store"
    return answer


def _is_a_call() -> bool:
    return request.path == PREFIX or request.path.startswith(PREFIX + "/")


def check(authorization: str | None, api_keys: Sequence[str]) -> None:
    """Raise :class:`Unauthorized` unless the header carries one of the keys.

    Takes the same time whichever key it is, and however much of one is right.
    """
    if not api_keys:
        refusals().warn(_log, "a call of the API was refused", reason="API_KEYS is not set")
        raise Unauthorized("API_KEYS is not set, so nobody can call this API.", scheme=SCHEME)
    scheme, _, given = (authorization or "").partition(" ")
    digest = _digest(given.strip())
    matches = [hmac.compare_digest(digest, _digest(key)) for key in api_keys]
    if scheme.lower() != SCHEME.lower() or not any(matches):
        raise Unauthorized("Send one of the API keys as `Authorization: Bearer KEY`.", scheme=SCHEME)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
