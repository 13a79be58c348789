"""A schema that never fails: a value of the wrong type counts as absent.

Codat changes its bodies without notice, and one odd field must not invalidate a message or a response.
The callers decide which fields are required.
"""

from collections.abc import Callable
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, missing


class LenientField(fields.Field[Any]):
    """A field parsed by a function that returns ``None`` for an unusable value; ``None`` if absent."""

    def __init__(self, parse: Callable[[object], object], *, data_key: str) -> None:
        super().__init__(data_key=data_key)
        self._parse = parse

    def deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return None if value is missing else self._parse(value)


class LenientSchema(Schema):
    """A schema that accepts every object and ignores unknown fields."""

    class Meta:
        unknown = EXCLUDE
