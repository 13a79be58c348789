"""Connections as bytes (MessagePack) and back. Fields with their default value are left out."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import msgspec

from handlers.connection import Check, Connection, LedgerEntry
from handlers.events import Problem
from handlers.facts import Claim, DataType, Fact
from handlers.fold import AuthorizationHistory

_CLASSES = (Connection, AuthorizationHistory, Fact, Problem, DataType, Claim, Check, LedgerEntry)
_DEFAULTS = {
    class_: tuple(
        (field.name, field.default if field.default_factory is MISSING else field.default_factory())
        for field in fields(class_)
    )
    for class_ in _CLASSES
}
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Connection)


def dump(connection: Connection) -> bytes:
    """The stored form of ``connection``. Raises ``UnicodeEncodeError`` for a lone surrogate."""
    return _encoder.encode(_without_defaults(connection))


def load(document: bytes) -> Connection:
    """The inverse of ``dump``. Raises ``msgspec.DecodeError`` or ``UnicodeDecodeError`` for damaged bytes."""
    return _decoder.decode(document)


def _without_defaults(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_without_defaults(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _without_defaults(item) for name, item in value.items()}
    if type(value) not in _DEFAULTS:
        return value
    return {
        name: _without_defaults(item)
        for name, default in _DEFAULTS[type(value)]
        if (item := getattr(value, name)) != default
    }
