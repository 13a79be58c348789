"""Every error as ``application/problem+json`` (RFC 9457)."""

import json
import logging
from collections.abc import Mapping

from flask import Flask, Response, request
from redis import RedisError
from werkzeug.exceptions import HTTPException

from processor.errors import ProcessorError, StoreUnavailable

_log = logging.getLogger(__name__)

PROBLEM = "application/problem+json"


def register(app: Flask) -> None:
    """Let ``app`` answer with problems."""
    app.register_error_handler(ProcessorError, of_processor)
    app.register_error_handler(RedisError, of_redis)
    app.register_error_handler(HTTPException, of_http)
    app.register_error_handler(Exception, of_anything)


def answer(body: Mapping[str, object], status: int, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as an answer."""
    return Response(json.dumps(body), status, headers, mimetype=PROBLEM)


def of_processor(error: ProcessorError) -> Response:
    """The answer for what we raised on purpose."""
    return answer(error.problem(), int(error.status), error.headers())


def of_redis(error: RedisError) -> Response:
    """The answer while Redis is away, full, or starting."""
    _log.warning("Redis could not serve a request", extra={"path": request.path, "error": repr(error)})
    return of_processor(StoreUnavailable())


def of_http(error: HTTPException) -> Response:
    """The answer for what Flask itself refuses."""
    status = error.code or 500
    body = {"type": "about:blank", "title": error.name, "status": status, "detail": error.description or ""}
    headers = {name: value for name, value in error.get_headers() if name.lower() in _PASSED_ON}
    return answer(body, status, headers)


def of_anything(error: Exception) -> Response:
    """The answer for a fault of ours: logged whole, told in general."""
    _log.error("a request raised", exc_info=error, extra={"path": request.path})
    return of_processor(ProcessorError())


_PASSED_ON = frozenset({"allow", "retry-after", "www-authenticate"})
