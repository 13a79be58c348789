"""JSON bodies of calls: a body that cannot be used is answered 422."""

import json
from typing import Any

from flask import Request
from marshmallow import RAISE, Schema
from webargs import core
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge

from processor.errors import Invalid, TooLarge


class RequestBodySchema(Schema):
    """A body; an unknown member is refused by name."""

    class Meta:
        unknown = RAISE


class BodyParser(FlaskParser):
    """Parses JSON regardless of the content type."""

    def _raw_load_json(self, req: Request) -> Any:
        """The parsed body; ``missing`` for an empty one. Raises ``TooLarge`` or ``Invalid``."""
        try:
            raw = req.get_data()
        except RequestEntityTooLarge:
            raise TooLarge() from None
        if not raw.strip():
            return core.missing
        try:
            return json.loads(raw, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise Invalid("The body is not JSON.", errors={"json": ["Not valid JSON."]}) from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
