"""Encryption at rest of secrets and contacts, with ENCRYPTION_KEYS (Fernet: AES-128-CBC and HMAC-SHA256).

The first key encrypts, all decrypt. Without keys values are stored in plain; plain ones are read in any case.
https://cryptography.io/en/latest/fernet/
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

PREFIX = "enc:"
"""The beginning of an encrypted value."""


class KeyMissing(ValueError):
    """None of ENCRYPTION_KEYS decrypts a stored value."""


class _KeyRing(NamedTuple):
    """The keys of this process, and the ciphers of the first and of all of them."""

    keys: tuple[str, ...] = ()
    first: Any = None
    all: Any = None
    invalid: type[Exception] = ValueError


_ring = _KeyRing()


def use_keys(keys: Sequence[str]) -> None:
    """Set the keys of this process (ENCRYPTION_KEYS). The library is loaded where there are any."""
    global _ring
    if tuple(keys) == _ring.keys:
        return
    _ring = _KeyRing()
    if keys:
        fernet: Any = import_module("cryptography.fernet")
        ciphers = [fernet.Fernet(key) for key in keys]
        _ring = _KeyRing(tuple(keys), ciphers[0], fernet.MultiFernet(ciphers), fernet.InvalidToken)


def encrypt(text: str) -> str:
    """The stored form of a value; the value itself without keys."""
    if not _ring.keys:
        return text
    token: bytes = _ring.first.encrypt(text.encode("utf-8", "surrogatepass"))
    return PREFIX + token.decode()


def decrypt(stored: str) -> str:
    """The value of its stored form. Raises :class:`KeyMissing`."""
    if not stored.startswith(PREFIX):
        return stored
    return _decrypted(_ring.all, stored)


def is_current(stored: str) -> bool:
    """Whether a stored value is as :func:`encrypt` would store it now."""
    if not stored.startswith(PREFIX):
        return not _ring.keys
    try:
        _decrypted(_ring.first, stored)
    except KeyMissing:
        return False
    return True


def _decrypted(fernet: Any, stored: str) -> str:
    if not _ring.keys:
        raise KeyMissing("a stored value is encrypted, and ENCRYPTION_KEYS is not set")
    try:
        value: bytes = fernet.decrypt(stored.removeprefix(PREFIX).encode("utf-8", "replace"))
    except _ring.invalid:
        raise KeyMissing("a stored value is encrypted with a key that is not in ENCRYPTION_KEYS") from None
    return value.decode("utf-8", "surrogatepass")
