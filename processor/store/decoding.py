"""Bytes of Redis as text, and fields of hashes as values."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from processor.clock import from_ms


def text(value: bytes) -> str:
    """A value as text; bytes that are not UTF-8 become U+FFFD."""
    return value.decode("utf-8", "replace")


def texts(values: Iterable[bytes]) -> list[str]:
    """Members of a list, a set or a sorted set as text."""
    return [text(value) for value in values]


def text_fields(row: Mapping[bytes, bytes]) -> dict[str, str]:
    """The fields of a hash as text."""
    return {text(name): text(value) for name, value in row.items()}


def fields_with_prefix(fields: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    """The fields with this prefix, without it, sorted by name."""
    for name in sorted(fields):
        if name.startswith(prefix):
            yield name.removeprefix(prefix), fields[name]


def moment(fields: Mapping[str, str], name: str) -> datetime | None:
    """The time in a field in ms since 1970; ``None`` without the field."""
    return from_ms(int(float(fields[name]))) if name in fields else None
