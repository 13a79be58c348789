"""Connections as bytes and back: MessagePack, compressed with a dictionary of the names of its fields."""

import msgspec

from handlers.connection import Connection
from processor.store import bodies

_encode = msgspec.msgpack.Encoder().encode
to_json = msgspec.json.Encoder().encode
_decode = msgspec.msgpack.Decoder(Connection).decode


def dump(connection: Connection) -> bytes:
    """The stored form of ``connection``. Raises ``UnicodeEncodeError`` for a lone surrogate."""
    return bodies.pack(_encode(connection), bodies.OF_CONNECTIONS)


def load(document: bytes) -> Connection:
    """The inverse of ``dump``. Raises ``msgspec.DecodeError`` or ``UnicodeDecodeError`` for damaged bytes."""
    return _decode(bodies.unpack(document))
