"""Reading the JSON bodies of calls: whatever is sent is either usable or a 422."""

import json
from typing import Any

from flask import Request
from webargs import core
from webargs.flaskparser import FlaskParser

from processor.errors import Invalid, TooLarge

MOST_BYTES = 64 * 1024
"""The largest body that a call takes."""


class BodyParser(FlaskParser):
    """Parses JSON whatever the content type says: nothing else is ever sent here."""

    def _raw_load_json(self, req: Request) -> Any:
        """The parsed body; ``missing`` for an empty one."""
        length = req.content_length
        if length is not None and length > MOST_BYTES:
            raise TooLarge()
        raw = req.stream.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise TooLarge()
        if not raw.strip():
            return core.missing
        try:
            return json.loads(raw, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise Invalid("The body is not JSON.", errors={"json": ["Not valid JSON."]}) from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
