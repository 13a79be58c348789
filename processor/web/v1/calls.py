"""Declaring the calls of one subject: address, parameters, answer, and the errors that may come."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from flask_smorest.blueprint import Blueprint
from marshmallow import Schema

from processor.web.v1.auth import PREFIX
from processor.web.v1.bodies import BodyParser
from processor.web.v1.parameters import NoParameters

View = TypeVar("View", bound=Callable[..., Any])

ALWAYS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)
"""The errors that every call may answer with."""


class _Blueprint(Blueprint):
    ARGUMENTS_PARSER = BodyParser()


class Calls:
    """The calls of one subject; ``ids`` describes the ids that stand in their addresses."""

    def __init__(self, name: str, description: str, *, ids: Mapping[str, str] | None = None) -> None:
        self.blueprint: Any = _Blueprint(  # type: ignore[no-untyped-call]
            name, __name__, url_prefix=PREFIX, description=description
        )
        self._ids = dict(ids or {})

    def get(
        self, rule: str, answer: type[Schema], *, query: type[Schema] = NoParameters
    ) -> Callable[[View], View]:
        """A call that reads; the view gets the parameters in ``query`` by keyword."""
        return self._declare("GET", rule, (HTTPStatus.OK,), answer, query, ())

    def post(
        self,
        rule: str,
        answer: type[Schema],
        *,
        status: HTTPStatus,
        or_status: HTTPStatus | None = None,
        body: type[Schema] | None = None,
        body_required: bool = True,
        query: type[Schema] = NoParameters,
        errors: tuple[HTTPStatus, ...] = (),
    ) -> Callable[[View], View]:
        """A call that does something, and may also answer with ``errors``.

        The view gets the parsed ``body`` first. Where it has the same answer with ``or_status`` too, it
        gives the status itself.
        """
        statuses = (status,) if or_status is None else (status, or_status)
        given = None if body is None else (body, body_required)
        return self._declare("POST", rule, statuses, answer, query, errors, given)

    def patch(
        self,
        rule: str,
        answer: type[Schema],
        *,
        body: type[Schema],
        errors: tuple[HTTPStatus, ...] = (),
    ) -> Callable[[View], View]:
        """A call that changes what is named in ``body``, which the view gets first."""
        return self._declare("PATCH", rule, (HTTPStatus.OK,), answer, NoParameters, errors, (body, True))

    def delete(self, rule: str, *, errors: tuple[HTTPStatus, ...] = ()) -> Callable[[View], View]:
        """A call that takes something away and answers with nothing."""
        return self._declare("DELETE", rule, (HTTPStatus.NO_CONTENT,), None, NoParameters, errors)

    def _declare(
        self,
        method: str,
        rule: str,
        statuses: tuple[HTTPStatus, ...],
        answer: type[Schema] | None,
        query: type[Schema],
        errors: tuple[HTTPStatus, ...],
        body: tuple[type[Schema], bool] | None = None,
    ) -> Callable[[View], View]:
        named = [name for name in self._ids if f"<{name}>" in rule]
        known = (HTTPStatus.NOT_FOUND,) if named else ()
        blueprint = self.blueprint

        def declare(view: View) -> View:
            declared = blueprint.response(int(statuses[0]), answer)(view)
            for status in statuses[1:]:
                declared = blueprint.alt_response(int(status), schema=answer, success=True)(declared)
            for error in (*ALWAYS, *known, *errors):
                declared = blueprint.alt_response(int(error), response=error.name)(declared)
            declared = blueprint.arguments(query, location="query", as_kwargs=True, unknown=None)(declared)
            if body is not None:
                schema, required = body
                declared = blueprint.arguments(schema, location="json", required=required, unknown=None)(
                    declared
                )
            declared = blueprint.doc(operationId=view.__name__)(declared)
            places = [{"in": "path", "name": name, "description": self._ids[name]} for name in named]
            blueprint.route(rule, methods=[method], parameters=places)(declared)
            return view

        return declare
