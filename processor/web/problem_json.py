"""Errors as ``application/problem+json`` (RFC 9457), and ``/problems/CODE``, which explains each type."""

import json
import logging
from collections.abc import Iterator, Mapping
from http import HTTPStatus

from flask import Blueprint, Flask, Response, jsonify, request
from redis import RedisError
from werkzeug.exceptions import HTTPException, default_exceptions

from processor import errors
from processor.errors import PROBLEM, PROBLEMS, NotFound, ProcessorError, StoreUnavailable, type_of
from processor.web import failure_references

_log = logging.getLogger(__name__)

blueprint = Blueprint("problems", __name__, url_prefix=PROBLEMS)

ERRORS_BY_STATUS: Mapping[int, type[ProcessorError]] = {
    int(kind.status): kind
    for kind in (
        *(errors.BadRequest, errors.Unauthorized, errors.Forbidden, errors.NotFound, errors.Conflict),
        *(errors.TooLarge, errors.Invalid, errors.TooManyAttempts, ProcessorError, StoreUnavailable),
    )
}
"""The error class for each status with which Flask itself refuses a request."""


def problem_types() -> dict[str, dict[str, object]]:
    """Every problem type of this service by its stable code: its usual status, its meaning, what to do."""
    rows: list[tuple[str, int, str, str, str]] = []
    for status, http_error in default_exceptions.items():
        if status not in ERRORS_BY_STATUS:
            error, description = http_error(), http_error.description or ""
            rows.append((code_of(error), status, error.name, description, "Correct the request."))
    for kind in _with_subclasses(ProcessorError):
        rows.append((kind.code, int(kind.status), kind.title, kind.sentence, kind.remedy))
    names = ("code", "status", "title", "meaning", "remedy")
    types = {row[0]: {"type": type_of(row[0]), **dict(zip(names, row, strict=True))} for row in rows}
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


def processor_error(error: HTTPException) -> ProcessorError:
    """An error raised by Flask, as one of this service."""
    problem = ProcessorError(error.description or error.name)
    problem.code, problem.status, problem.title = code_of(error), error.code or 500, error.name
    return problem


@blueprint.get("")
def list_types() -> Response:
    """Every problem type."""
    return jsonify(items=list(problem_types().values()))


@blueprint.get("/<code>")
def explain(code: str) -> Response:
    """What a problem type means, and what to do about it."""
    problem_type = problem_types().get(code)
    if problem_type is None:
        raise NotFound(f"There is no such type of problem; {PROBLEMS} lists all.")
    return jsonify(problem_type)


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
    problem = processor_error(error)
    headers = {name: value for name, value in error.get_headers() if name.lower() in _KEPT_HEADERS}
    return _response(problem.problem(), problem.status, headers)


def of_unexpected(error: Exception) -> Response:
    """A general problem for an unexpected exception, which is logged with its traceback."""
    _log.error("a request raised", exc_info=error, extra={"path": request.path})
    return of_processor(ProcessorError())


_KEPT_HEADERS = frozenset({"allow", "retry-after", "www-authenticate"})
