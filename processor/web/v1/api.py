"""flask-smorest with problem+json errors, and the head of the OpenAPI document."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from flask import Flask, Response
from flask.json.provider import DefaultJSONProvider
from flask_smorest import Api
from marshmallow import fields
from werkzeug.exceptions import HTTPException

from processor.errors import PROBLEM, Invalid
from processor.web import problem_json
from processor.web.dependencies import get_container
from processor.web.v1.fields import ResponseSchema, text

SECURITY = "bearer"

DESCRIPTION = """\
What became of Codat's messages: connections and their timelines, companies, the messages themselves,
and the notifications that followed.

Lists are paged: `next_cursor` of an answer, sent as `cursor`, gives the next page; `null` ends the list.
Times are UTC, ISO 8601 with `Z`. Errors are `application/problem+json` (RFC 9457):
`code` is stable, and `type` is an address here (`/problems/CODE`) that says what it means and what to do.
"""


class ConnectionProblemSchema(ResponseSchema):
    """An error (RFC 9457)."""

    type = text(
        "The address that explains this kind of error, relative to this service.", format="uri-reference"
    )
    code = text("A stable word for this kind of error, the last part of `type`; `/problems` lists all.")
    title = text("What kind of error it is.")
    status = fields.Integer(required=True, metadata={"description": "The HTTP status."})
    detail = text("A sentence on which the caller can act.")
    errors = fields.Dict(
        keys=fields.String(), metadata={"description": "The fields to blame, with their mistakes."}
    )
    event_id = fields.String(metadata={"description": "The message concerned."})
    correlation_id = fields.String(metadata={"description": "Codat's id of the failure."})


class ProblemApi(Api):
    """Answers errors as problems and describes them so."""

    DEFAULT_ERROR_RESPONSE_NAME = "DEFAULT_ERROR"

    def handle_http_exception(self, error: HTTPException) -> Response:
        """The problem of an error raised by Flask or by the parser of parameters."""
        details = getattr(error, "data", None) or {}
        if error.code == HTTPStatus.UNPROCESSABLE_ENTITY and "messages" in details:
            return problem_json.of_processor(Invalid(errors=_by_field(details["messages"])))
        return problem_json.of_http(error)

    def _register_responses(self) -> None:
        """Describe the errors once for all calls, with the media type of problems."""
        for status in HTTPStatus:
            if status >= HTTPStatus.BAD_REQUEST:
                self._register_problem(status.name, status.phrase)
        self._register_problem(self.DEFAULT_ERROR_RESPONSE_NAME, "Any other error")

    def _register_pagination_header(self) -> None:
        """Pagination is in the body, so there is no header to describe."""

    def _register_problem(self, name: str, description: str) -> None:
        content = {PROBLEM: {"schema": ConnectionProblemSchema}}
        response = {"description": description, "content": content}
        self.spec.components.response(name, response, lazy=True)


def describe(app: Flask) -> ProblemApi:
    """The API of ``app``, without calls; its document is at ``/openapi.json``."""
    app.config.update(
        API_TITLE="Codat processor",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
    )
    cast(DefaultJSONProvider, app.json).sort_keys = False
    with app.app_context():
        public_url = get_container().settings.public_url
    api = ProblemApi(  # type: ignore[no-untyped-call]
        app,
        spec_kwargs={
            "info": {"description": DESCRIPTION},
            "servers": [{"url": public_url or "/"}],
            "security": [{SECURITY: []}],
        },
    )
    scheme = {
        "type": "http",
        "scheme": "bearer",
        "description": "One of `API_KEYS`, or a key of `codat-processor api-keys add`.",
    }
    api.spec.components.security_scheme(SECURITY, scheme)
    return api


def _by_field(messages: Mapping[str, Any]) -> dict[str, object]:
    """The parser's messages by field, without the outer level, the location of the fields."""
    errors: dict[str, object] = {}
    for location, by_field in messages.items():
        errors.update(by_field if isinstance(by_field, Mapping) else {location: by_field})
    return errors
