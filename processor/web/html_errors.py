"""Render exceptions of page views as HTML error pages; the API has :mod:`processor.web.problem_json`."""

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


def wants_page() -> bool:
    """Whether the client prefers HTML to JSON."""
    return request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html"


def register(
    blueprint: Blueprint,
    error_page: ErrorPage,
    *,
    unexpected_error_page: ErrorPage | None = None,
    store_error: Callable[[RedisError], StoreUnavailable] = lambda _: StoreUnavailable(),
) -> None:
    """Have ``blueprint`` answer every exception with ``error_page``, or a problem if that raises itself.

    ``unexpected_error_page`` renders what is not a ``ProcessorError``; ``store_error`` describes a failure of
    Redis. An unexpected exception is logged with its traceback and shown as a general error.
    """
    unexpected = _or_problem(unexpected_error_page or error_page)

    def of_http(error: HTTPException) -> Response:
        return unexpected(problem_json.processor_error(error))

    def of_redis(error: RedisError) -> Response:
        _log.warning(
            "Redis could not serve a page", extra={"endpoint": request.endpoint, "error": repr(error)}
        )
        return unexpected(store_error(error))

    def of_unexpected(error: Exception) -> Response:
        _log.error("a page raised", exc_info=error, extra={"endpoint": request.endpoint})
        return unexpected(ProcessorError())

    handlers: tuple[tuple[type[Exception], Callable[[Any], Response]], ...] = (
        (ProcessorError, _or_problem(error_page)),
        (RedisError, of_redis),
        (HTTPException, of_http),
        (Exception, of_unexpected),
    )
    for error_type, handler in handlers:
        blueprint.register_error_handler(error_type, handler)


def _or_problem(error_page: ErrorPage) -> ErrorPage:
    """``error_page``, but a problem+json response when rendering the page raises."""

    def render(error: ProcessorError) -> Response:
        try:
            return error_page(error)
        except Exception:
            _log.exception("an error page could not be made", extra={"endpoint": request.endpoint})
            return problem_json.of_processor(error)

    return render
