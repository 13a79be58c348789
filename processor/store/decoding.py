"""Bytes of Redis as text."""

from collections.abc import Iterable, Mapping


def text(value: bytes) -> str:
    """A value as text; bytes that are not UTF-8 become U+FFFD."""
    return value.decode("utf-8", "replace")


def texts(values: Iterable[bytes]) -> list[str]:
    """Members of a list, a set or a sorted set as text."""
    return [text(value) for value in values]


def text_fields(row: Mapping[bytes, bytes]) -> dict[str, str]:
    """The fields of a hash as text."""
    return {text(name): text(value) for name, value in row.items()}
