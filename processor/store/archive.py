"""The file of a store that was exported: frames of records, compressed, and encrypted where a key is given.

A file begins with ``MAGIC`` and a header. Each part has its length in front (4 bytes, big-endian). A frame is
MessagePack, compressed with zlib, and with a key sealed with AES-256-GCM together with its number, so frames
cannot change places. The last frame has the number of records; a file without it is not whole.
"""

import base64
import os
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"codat-store 1\n"
NONCE_BYTES = 12
SALT_BYTES = 16


class ArchiveUnreadable(ValueError):
    """The file is damaged, not whole, of another kind, or its key is another one; the text says which."""


class ArchiveHeader(msgspec.Struct, frozen=True):
    """What a file says about itself. ``source`` names the servers whose cursors its frames have."""

    id: str
    cells: int
    exported_at: str
    source: str
    salt: bytes = b""


class ArchiveRecord(msgspec.Struct, frozen=True, array_like=True):
    """A key, or a part of a large one. ``start``: how many members lie in the parts before.

    ``expires_ms`` is a Unix time, 0 for a key that stays. ``value`` is flat: fields and values in turn.
    """

    key: bytes
    type: str
    start: int
    expires_ms: int
    value: Any


class ArchiveFrame(msgspec.Struct, frozen=True, array_like=True):
    """Records of a page of SCAN of a server, from a cursor on. The last frame has the ``total`` alone."""

    server: int
    cursor: int
    records: list[ArchiveRecord]
    total: int = -1


def read_key(text: str) -> bytes:
    """A key as ``ENCRYPTION_KEYS`` has it: 32 bytes as base64. Raises ``ArchiveUnreadable``."""
    try:
        key = base64.urlsafe_b64decode(text.strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ArchiveUnreadable("The key must be 32 bytes as URL-safe base64.")
    return key


class FrameCodec:
    """Frames as bytes, for the file with this header. Raises ``ArchiveUnreadable`` if it needs a ``key``."""

    def __init__(self, header: ArchiveHeader, key: bytes | None) -> None:
        if bool(header.salt) != (key is not None):
            raise ArchiveUnreadable(
                "The file is encrypted: give its key." if header.salt else "The file is not encrypted."
            )
        self._cipher = None if key is None else AESGCM(HKDF(SHA256(), 32, header.salt, MAGIC).derive(key))

    def encode(self, number: int, frame: ArchiveFrame) -> bytes:
        """The bytes of the frame with this number."""
        part = zlib.compress(msgspec.msgpack.encode(frame))
        if self._cipher is None:
            return part
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, part, number.to_bytes(8, "big"))

    def decode(self, number: int, part: bytes) -> ArchiveFrame:
        """The frame. Raises ``ArchiveUnreadable``."""
        try:
            if self._cipher is not None:
                nonce, sealed = part[:NONCE_BYTES], part[NONCE_BYTES:]
                part = self._cipher.decrypt(nonce, sealed, number.to_bytes(8, "big"))
            return msgspec.msgpack.decode(zlib.decompress(part), type=ArchiveFrame)
        except InvalidTag:
            raise ArchiveUnreadable("The key is not the one of this file, or the file was changed.") from None
        except (zlib.error, msgspec.MsgspecError, ValueError):
            raise ArchiveUnreadable(f"Frame {number} of the file is damaged.") from None


def write_part(file: BinaryIO, part: bytes) -> None:
    """Write a part with its length."""
    file.write(len(part).to_bytes(4, "big") + part)


def write_header(file: BinaryIO, header: ArchiveHeader) -> None:
    """Begin a file."""
    file.write(MAGIC)
    write_part(file, msgspec.msgpack.encode(header))


def read_header(file: BinaryIO) -> ArchiveHeader:
    """The header at the beginning of a file. Raises ``ArchiveUnreadable``."""
    if file.read(len(MAGIC)) == MAGIC:
        for part in read_parts(file):
            try:
                return msgspec.msgpack.decode(part, type=ArchiveHeader)
            except msgspec.MsgspecError:
                break
    raise ArchiveUnreadable("This is no file of `codat-processor store export`.")


def read_parts(file: BinaryIO) -> Iterator[bytes]:
    """The whole parts from here on; what is left of an interrupted one ends them."""
    while len(length := file.read(4)) == 4:
        part = file.read(int.from_bytes(length, "big"))
        if len(part) < int.from_bytes(length, "big"):
            return
        yield part
