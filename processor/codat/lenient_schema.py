"""The schema that never fails: a value of the wrong type counts as absent.

Codat changes its bodies without notice, and an oddity in one field must not cost the message or the answer.
What cannot be done without is decided by whoever reads, not here.
"""

from collections.abc import Callable
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, missing


class LenientField(fields.Field[Any]):
    """A field read by a function that answers ``None`` for what it cannot use; absent is ``None``.

    It takes the place of marshmallow's validation, of which nothing is left to do.
    """

    def __init__(self, read: Callable[[object], object], *, data_key: str) -> None:
        super().__init__(data_key=data_key)
        self._read = read

    def deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return None if value is missing else self._read(value)


class LenientSchema(Schema):
    """A schema that never fails on an object, of which it reads the fields that it knows."""

    class Meta:
        unknown = EXCLUDE
