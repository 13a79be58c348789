"""Every error as ``application/problem+json`` (RFC 9457), and ``/problems/CODE``, which explains its type."""

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

OF_STATUS: Mapping[int, type[ProcessorError]] = {
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
"""What Flask refuses with one of these statuses is a problem of ours."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """What a ``type`` stands for: its stable ``code``, the usual status, what it means, and what to do."""

    type: str
    code: str
    status: int
    title: str
    meaning: str
    remedy: str


def types() -> dict[str, ProblemType]:
    """Every type of problem that this service answers with, by code."""
    found = {}
    for status, kind in default_exceptions.items():
        if status not in OF_STATUS:
            code = code_of(kind())
            found[code] = ProblemType(
                type_of(code), code, status, kind().name, kind.description or "", "Correct the request."
            )
    for ours in _kinds(ProcessorError):
        title, meaning = ours.title, ours.sentence
        found[ours.code] = ProblemType(
            type_of(ours.code), ours.code, int(ours.status), title, meaning, ours.remedy
        )
    return dict(sorted(found.items()))


def _kinds(kind: type[ProcessorError]) -> Iterator[type[ProcessorError]]:
    """A class and its subclasses, the most general last, so that its words stand under a code they share."""
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
    yield kind


def code_of(error: HTTPException) -> str:
    """The stable code of what Flask refuses."""
    ours = OF_STATUS.get(error.code or 500)
    return ours.code if ours else error.name.lower().replace(" ", "_").replace("'", "")


@blueprint.get("")
def list_types() -> Response:
    """Every type of problem."""
    return jsonify(items=[asdict(one) for one in types().values()])


@blueprint.get("/<code>")
def explain(code: str) -> Response:
    """What a problem's ``type`` means, and what to do about it."""
    found = types().get(code)
    if found is None:
        raise NotFound(f"There is no such type of problem; {PROBLEMS} lists all.")
    return jsonify(asdict(found))


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
    body = error.problem()
    if int(error.status) >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, StoreUnavailable):
        body["correlation_id"] = failure_references.reference_of(error)
    return answer(body, int(error.status), error.headers())


def of_redis(error: RedisError) -> Response:
    """The answer while Redis is away, full, or starting."""
    _log.warning("Redis could not serve a request", extra={"path": request.path, "error": repr(error)})
    return of_processor(StoreUnavailable())


def of_http(error: HTTPException) -> Response:
    """The answer for what Flask itself refuses."""
    status, code = error.code or 500, code_of(error)
    body = {
        "type": type_of(code),
        "code": code,
        "title": error.name,
        "status": status,
        "detail": error.description or error.name,
    }
    headers = {name: value for name, value in error.get_headers() if name.lower() in _PASSED_ON}
    return answer(body, status, headers)


def of_anything(error: Exception) -> Response:
    """The answer for a fault of ours: logged whole, told in general."""
    _log.error("a request raised", exc_info=error, extra={"path": request.path})
    return of_processor(ProcessorError())


_PASSED_ON = frozenset({"allow", "retry-after", "www-authenticate"})
