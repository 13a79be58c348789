"""``/healthz`` and ``/readyz``: is the process alive, and could it keep a message now?"""

import time

from flask import Blueprint, Response, jsonify
from redis import RedisError

from processor.errors import StoreUnavailable
from processor.store import health
from processor.web.context import container

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers; nothing else is looked at."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> Response:
    """503 with reasons when a message could not be kept; 200 with warnings when nobody would handle it."""
    own = container()
    try:
        reasons, warnings = health.look(own.redis, now_ms=int(time.time() * 1000))
    except RedisError as error:
        reasons, warnings = [f"Redis does not answer ({type(error).__name__})"], []
    if reasons:
        answer = jsonify(status="unavailable", reasons=reasons)
        answer.status_code = 503
        answer.headers.update(StoreUnavailable().headers())
        return answer
    return jsonify(status="ok", warnings=warnings) if warnings else jsonify(status="ok")
