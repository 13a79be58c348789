"""What nobody meant to go wrong while a page is made becomes an error that its makers show as a page.

For pages what :mod:`processor.web.problem_json` is for the API.
"""

import logging
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request
from redis import RedisError
from werkzeug.exceptions import HTTPException

from processor.errors import ProcessorError, StoreUnavailable
from processor.web import problem_json

_log = logging.getLogger(__name__)

ErrorPage = Callable[[ProcessorError], Response]


def safely(page: ErrorPage) -> ErrorPage:
    """The same error page; where making it raises, the error is answered as a problem instead."""

    def shown(error: ProcessorError) -> Response:
        try:
            return page(error)
        except Exception:
            _log.exception("an error page could not be made", extra={"endpoint": request.endpoint})
            return problem_json.of_processor(error)

    return shown


def show(
    blueprint: Blueprint,
    failed: ErrorPage,
    *,
    store_away: Callable[[RedisError], StoreUnavailable] | None = None,
) -> None:
    """Have ``blueprint`` answer with the pages of ``failed``, whatever is raised in it but our own errors.

    ``store_away`` finds words for what Redis refused; a fault of ours is logged whole and told in general.
    """

    failed = safely(failed)

    def of_http(error: HTTPException) -> Response:
        failure = ProcessorError(error.description)
        failure.code, failure.status, failure.title = (
            problem_json.code_of(error),
            error.code or 500,
            error.name,
        )
        return failed(failure)

    def of_redis(error: RedisError) -> Response:
        _log.warning(
            "Redis could not serve a page", extra={"endpoint": request.endpoint, "error": repr(error)}
        )
        return failed(store_away(error) if store_away else StoreUnavailable())

    def of_anything(error: Exception) -> Response:
        _log.error("a page raised", exc_info=error, extra={"endpoint": request.endpoint})
        return failed(ProcessorError())

    handlers: tuple[tuple[type[Exception], Callable[[Any], Response]], ...] = (
        (RedisError, of_redis),
        (HTTPException, of_http),
        (Exception, of_anything),
    )
    for kind, handler in handlers:
        blueprint.register_error_handler(kind, handler)
