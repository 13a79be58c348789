"""Declaration of the calls of one subject: address, parameters, response, and possible errors."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from flask_smorest.blueprint import Blueprint
from marshmallow import Schema

from processor.web.v1.auth import PREFIX
from processor.web.v1.bodies import BodyParser
from processor.web.v1.parameters import NoParameters

View = TypeVar("View", bound=Callable[..., Any])

COMMON_ERRORS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""Errors of every call."""

CODAT_ERRORS = (HTTPStatus.BAD_GATEWAY,)
"""Further errors of a call that needs Codat."""


class _Blueprint(Blueprint):
    ARGUMENTS_PARSER = BodyParser()


class Calls:
    """The calls of one subject, under one tag; ``ids`` describes the ids in their addresses."""

    def __init__(self, name: str, description: str, *, ids: Mapping[str, str] | None = None) -> None:
        self.blueprint: Any = _Blueprint(  # type: ignore[no-untyped-call]
            name, __name__, url_prefix=PREFIX, description=description
        )
        self._ids = dict(ids or {})

    def get(
        self,
        rule: str,
        response: type[Schema],
        *,
        query: type[Schema] = NoParameters,
        errors: tuple[HTTPStatus, ...] = (),
    ) -> Callable[[View], View]:
        """Declare a call that reads; the view receives the parameters of ``query`` by keyword."""
        return self._declare("GET", rule, (HTTPStatus.OK,), response, query, errors)

    def post(
        self,
        rule: str,
        response: type[Schema],
        *,
        status: HTTPStatus,
        or_status: HTTPStatus | None = None,
        body: type[Schema] | None = None,
        body_required: bool = True,
        query: type[Schema] = NoParameters,
        errors: tuple[HTTPStatus, ...] = (),
    ) -> Callable[[View], View]:
        """Declare a call that acts; ``errors`` are its further errors.

        The view receives the parsed ``body`` as its first argument. With ``or_status`` it returns the
        response and the status.
        """
        statuses = (status,) if or_status is None else (status, or_status)
        required_body = None if body is None else (body, body_required)
        return self._declare("POST", rule, statuses, response, query, errors, required_body)

    def put(
        self, rule: str, response: type[Schema], *, errors: tuple[HTTPStatus, ...] = ()
    ) -> Callable[[View], View]:
        """Declare a call without a body that adds what its address names."""
        return self._declare("PUT", rule, (HTTPStatus.OK,), response, NoParameters, errors)

    def patch(self, rule: str, response: type[Schema], *, body: type[Schema]) -> Callable[[View], View]:
        """Declare a call that changes the members of ``body``, the view's first argument."""
        return self._declare("PATCH", rule, (HTTPStatus.OK,), response, NoParameters, (), (body, True))

    def delete(self, rule: str, *, errors: tuple[HTTPStatus, ...] = ()) -> Callable[[View], View]:
        """Declare a call that deletes and has no response body."""
        return self._declare("DELETE", rule, (HTTPStatus.NO_CONTENT,), None, NoParameters, errors)

    def _declare(
        self,
        method: str,
        rule: str,
        statuses: tuple[HTTPStatus, ...],
        response: type[Schema] | None,
        query: type[Schema],
        errors: tuple[HTTPStatus, ...],
        body: tuple[type[Schema], bool] | None = None,
    ) -> Callable[[View], View]:
        path_ids = [name for name in self._ids if f"<{name}>" in rule]
        not_found = (HTTPStatus.NOT_FOUND,) if path_ids else ()
        blueprint = self.blueprint

        def declare(view: View) -> View:
            declared = blueprint.response(int(statuses[0]), response)(view)
            for status in statuses[1:]:
                declared = blueprint.alt_response(int(status), schema=response, success=True)(declared)
            for error in (*COMMON_ERRORS, *not_found, *errors):
                declared = blueprint.alt_response(int(error), response=error.name)(declared)
            declared = blueprint.arguments(query, location="query", as_kwargs=True, unknown=None)(declared)
            if body is not None:
                schema, required = body
                declared = blueprint.arguments(schema, location="json", required=required, unknown=None)(
                    declared
                )
            declared = blueprint.doc(operationId=view.__name__)(declared)
            path_parameters = [
                {"in": "path", "name": name, "description": self._ids[name]} for name in path_ids
            ]
            blueprint.route(rule, methods=[method], parameters=path_parameters)(declared)
            return view

        return declare
