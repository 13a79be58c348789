"""Errors as ``application/problem+json`` (RFC 9457), and ``/problems/CODE``, which explains each type."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus

from flask import Blueprint, Flask, Response, jsonify, request
from redis import RedisError
from werkzeug.exceptions import HTTPException, default_exceptions

from processor import errors
from processor.errors import PROBLEMS, NotFound, ProcessorError, StoreUnavailable, type_of
from processor.web import failure_references

_log = logging.getLogger(__name__)

PROBLEM = "application/problem+json"

blueprint = Blueprint("problems", __name__, url_prefix=PROBLEMS)

ERRORS_BY_STATUS: Mapping[int, type[ProcessorError]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.TooLarge,
    422: errors.Invalid,
    429: errors.TooManyAttempts,
    500: ProcessorError,
    503: StoreUnavailable,
}
"""The error class for each status with which Flask itself refuses a request."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A problem type: its stable ``code``, its usual status, what it means, and what to do."""

    type: str
    code: str
    status: int
    title: str
    meaning: str
    remedy: str


def problem_types() -> dict[str, ProblemType]:
    """Every problem type of this service, by code."""
    types = {}
    for status, http_error in default_exceptions.items():
        if status not in ERRORS_BY_STATUS:
            code, description = code_of(http_error()), http_error.description or ""
            types[code] = ProblemType(
                type_of(code), code, status, http_error().name, description, "Correct the request."
            )
    for error in _with_subclasses(ProcessorError):
        types[error.code] = ProblemType(
            type_of(error.code), error.code, int(error.status), error.title, error.sentence, error.remedy
        )
    return dict(sorted(types.items()))


def _with_subclasses(error: type[ProcessorError]) -> Iterator[type[ProcessorError]]:
    """The subclasses of ``error``, then ``error``: of a shared code the most general text wins."""
    for subclass in error.__subclasses__():
        yield from _with_subclasses(subclass)
    yield error


def code_of(error: HTTPException) -> str:
    """The stable code of an error raised by Flask."""
    error_class = ERRORS_BY_STATUS.get(error.code or 500)
    return error_class.code if error_class else error.name.lower().replace(" ", "_").replace("'", "")


@blueprint.get("")
def list_types() -> Response:
    """Every problem type."""
    return jsonify(items=[asdict(problem_type) for problem_type in problem_types().values()])


@blueprint.get("/<code>")
def explain(code: str) -> Response:
    """What a problem type means, and what to do about it."""
    problem_type = problem_types().get(code)
    if problem_type is None:
        raise NotFound(f"There is no such type of problem; {PROBLEMS} lists all.")
    return jsonify(asdict(problem_type))


def register(app: Flask) -> None:
    """Answer every exception of ``app`` with a problem."""
    app.register_error_handler(ProcessorError, of_processor)
    app.register_error_handler(RedisError, of_redis)
    app.register_error_handler(HTTPException, of_http)
    app.register_error_handler(Exception, of_unexpected)


def _response(body: Mapping[str, object], status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, mimetype=PROBLEM)


def of_processor(error: ProcessorError) -> Response:
    """The problem of an error of this service."""
    body = error.problem()
    if int(error.status) >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, StoreUnavailable):
        body["correlation_id"] = failure_references.reference_of(error)
    return _response(body, int(error.status), error.headers())


def of_redis(error: RedisError) -> Response:
    """The problem while Redis is away, full, or starting."""
    _log.warning("Redis could not serve a request", extra={"path": request.path, "error": repr(error)})
    return of_processor(StoreUnavailable())


def of_http(error: HTTPException) -> Response:
    """The problem of an error raised by Flask."""
    status, code = error.code or 500, code_of(error)
    body = {
        "type": type_of(code),
        "code": code,
        "title": error.name,
        "status": status,
        "detail": error.description or error.name,
    }
    headers = {name: value for name, value in error.get_headers() if name.lower() in _KEPT_HEADERS}
    return _response(body, status, headers)


def of_unexpected(error: Exception) -> Response:
    """A general problem for an unexpected exception, which is logged with its traceback."""
    _log.error("a request raised", exc_info=error, extra={"path": request.path})
    return of_processor(ProcessorError())


_KEPT_HEADERS = frozenset({"allow", "retry-after", "www-authenticate"})
