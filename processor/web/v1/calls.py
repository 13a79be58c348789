"""Declaring the calls of one subject: address, parameters, answer, and the errors that may come."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from flask_smorest.blueprint import Blueprint
from marshmallow import Schema

from processor.web.v1.auth import PREFIX
from processor.web.v1.parameters import NoParameters

View = TypeVar("View", bound=Callable[..., Any])

ALWAYS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)
"""The errors that every call may answer with."""


class Calls:
    """The calls of one subject; ``ids`` describes the ids that stand in their addresses."""

    def __init__(self, name: str, description: str, *, ids: Mapping[str, str] | None = None) -> None:
        self.blueprint: Any = Blueprint(  # type: ignore[no-untyped-call]
            name, __name__, url_prefix=PREFIX, description=description
        )
        self._ids = dict(ids or {})

    def get(
        self, rule: str, answer: type[Schema], *, query: type[Schema] = NoParameters
    ) -> Callable[[View], View]:
        """A call that reads; the view gets the parameters in ``query`` by keyword."""
        return self._declare("GET", rule, HTTPStatus.OK, answer, query, ())

    def post(
        self,
        rule: str,
        answer: type[Schema],
        *,
        status: HTTPStatus,
        query: type[Schema] = NoParameters,
        errors: tuple[HTTPStatus, ...] = (),
    ) -> Callable[[View], View]:
        """A call that does something, and may also answer with ``errors``."""
        return self._declare("POST", rule, status, answer, query, errors)

    def _declare(
        self,
        method: str,
        rule: str,
        status: HTTPStatus,
        answer: type[Schema],
        query: type[Schema],
        errors: tuple[HTTPStatus, ...],
    ) -> Callable[[View], View]:
        named = [name for name in self._ids if f"<{name}>" in rule]
        known = (HTTPStatus.NOT_FOUND,) if named else ()
        blueprint = self.blueprint

        def declare(view: View) -> View:
            declared = blueprint.response(int(status), answer)(view)
            for error in (*ALWAYS, *known, *errors):
                declared = blueprint.alt_response(int(error), response=error.name)(declared)
            declared = blueprint.arguments(query, location="query", as_kwargs=True, unknown=None)(declared)
            declared = blueprint.doc(operationId=view.__name__)(declared)
            places = [{"in": "path", "name": name, "description": self._ids[name]} for name in named]
            blueprint.route(rule, methods=[method], parameters=places)(declared)
            return view

        return declare
