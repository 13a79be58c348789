"""JSON bodies of calls: a body that cannot be used is answered 422."""

import json
from typing import Any

from flask import Request
from marshmallow import RAISE, Schema
from webargs import core
from webargs.flaskparser import FlaskParser

from processor.errors import Invalid, TooLarge

MAX_BODY_BYTES = 64 * 1024
"""Maximum size of a body."""


class RequestBodySchema(Schema):
    """A body; an unknown member is refused by name."""

    class Meta:
        unknown = RAISE


class BodyParser(FlaskParser):
    """Parses JSON regardless of the content type."""

    def _raw_load_json(self, req: Request) -> Any:
        """The parsed body; ``missing`` for an empty one. Raises ``TooLarge`` or ``Invalid``."""
        length = req.content_length
        if length is not None and length > MAX_BODY_BYTES:
            raise TooLarge()
        raw = req.stream.read(MAX_BODY_BYTES + 1)
        if len(raw) > MAX_BODY_BYTES:
            raise TooLarge()
        if not raw.strip():
            return core.missing
        try:
            return json.loads(raw, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise Invalid("The body is not JSON.", errors={"json": ["Not valid JSON."]}) from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
