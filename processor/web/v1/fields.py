"""Fields of schemas: one function for each kind of member."""

from typing import Any

from marshmallow import EXCLUDE, Schema, fields
from marshmallow.validate import Length, OneOf, Range

from processor.journey.field_checks import LONGEST_LANGUAGE
from processor.languages.catalogues import LANGUAGES


class ResponseSchema(Schema):
    """A response; members may be added at any time."""

    class Meta:
        unknown = EXCLUDE


def text(description: str, *, null: bool = False, **more: Any) -> fields.String:
    """A required text, or ``null``."""
    return fields.String(required=True, allow_none=null, metadata={"description": description, **more})


def optional(description: str, longest: int, **more: Any) -> fields.String:
    """A text of a request that may be left out; at most ``longest`` characters."""
    return fields.String(
        allow_none=True, validate=Length(1, longest), metadata={"description": description, **more}
    )


def required(description: str, longest: int, **more: Any) -> fields.String:
    """A text that a request must have, at most ``longest`` characters."""
    return fields.String(
        required=True, validate=Length(1, longest), metadata={"description": description, **more}
    )


def switch(description: str) -> fields.Boolean:
    """``true`` or ``false`` in a request that may leave it out; nothing else counts as one of them."""
    return fields.Boolean(truthy={True}, falsy={False}, metadata={"description": description})


def texts_by_name(description: str) -> fields.Dict:
    """Texts of a request by name, which may be left out."""
    return fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        allow_none=True,
        metadata={"description": description},
    )


def language_tag(help: str) -> fields.String:
    """An optional language of ``LANGUAGES``; ``help`` is a sentence that describes it."""
    tags = ", ".join(f"`{tag}`" for tag in LANGUAGES)
    return optional(f"{help} One of {tags}, or a tag that begins so, such as `fr-CA`.", LONGEST_LANGUAGE)


def moment(description: str, *, null: bool = False) -> fields.String:
    """A time: UTC, ISO 8601 with ``Z``."""
    return text(description, null=null, format="date-time")


def number(description: str, *, null: bool = False, **more: Any) -> fields.Integer:
    """A non-negative integer, or ``null``."""
    return fields.Integer(
        required=True,
        allow_none=null,
        validate=Range(min=0, **more),
        metadata={"description": description},
    )


def flag(description: str) -> fields.Boolean:
    """``true`` or ``false``."""
    return fields.Boolean(required=True, metadata={"description": description})


def word(values: Any, description: str, *, null: bool = False) -> fields.String:
    """One of an enumeration of words."""
    return fields.String(
        required=True,
        allow_none=null,
        validate=OneOf([str(value) for value in values]),
        metadata={"description": description},
    )


def many(schema: type[Schema], description: str) -> "fields.List[Any]":
    """A list of objects."""
    return fields.List(fields.Nested(schema), required=True, metadata={"description": description})


def texts(description: str) -> "fields.List[Any]":
    """A list of texts."""
    return fields.List(fields.String(), required=True, metadata={"description": description})


def by_name(values: type[fields.Field[Any]], description: str) -> fields.Dict:
    """Values of one kind by name."""
    return fields.Dict(
        keys=fields.String(), values=values(), required=True, metadata={"description": description}
    )


def nullable(schema: type[Schema], description: str) -> fields.Nested:
    """An object, or ``null``."""
    return fields.Nested(schema, required=True, allow_none=True, metadata={"description": description})


def platform_members() -> tuple[fields.String, fields.String, fields.String]:
    """Key, name and source type of a connection's platform."""
    return (
        text("Codat's key of the platform.", null=True),
        text("The platform's name.", null=True),
        text("`Accounting`, `Banking`, ...", null=True),
    )


def seconds(description: str) -> fields.Float:
    """A non-negative duration in seconds."""
    return fields.Float(required=True, validate=Range(min=0), metadata={"description": description})


def page_of(schema: type[Schema]) -> type[Schema]:
    """A page of a list of ``schema``."""
    name = schema.__name__.removesuffix("Schema")
    return ResponseSchema.from_dict(
        {
            "items": many(schema, "In the order of the list, newest first."),
            "next_cursor": text("Send it as `cursor` for the next page; `null` on the last.", null=True),
        },
        name=f"{name}PageSchema",
    )
