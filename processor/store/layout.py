"""The layout of a store: its version and its number of cells, fixed when it is first used."""

from typing import Any

from redis import Redis

from processor.errors import SettingsError
from processor.store import keys

VERSION = 5
"""Raised by each change after which a store of before cannot be read."""

_OTHER_VERSION = (
    "The store was written by another version of this service, and cannot be read: use an empty store, and"
    " `codat-processor rebuild` to fill it from Codat."
)

_HALF_IMPORTED = "An import into this store was interrupted: repeat it, or empty the store."


def refusal(client: "Redis[Any]", cells: int, *, to_import: bool = False) -> str | None:
    """Why a store cannot be used with ``CELLS=cells``; ``None``: it can. Raises ``redis.RedisError``.

    A store whose import was interrupted can be used ``to_import`` alone.
    """
    if not to_import and client.exists(keys.importing()):
        return _HALF_IMPORTED
    stored = client.get(keys.layout())
    if stored is not None:
        version, _, number = stored.decode().partition(" ")
        if version != str(VERSION):
            return _OTHER_VERSION
        if number == str(cells):
            return None
        return (
            f"CELLS is {cells}, but this store was first used with CELLS={number}, which cannot be"
            f" changed: set CELLS={number}, or use an empty store."
        )
    if any(client.exists(name) for name in keys.of_old_layout()):
        return _OTHER_VERSION
    return None


def is_of_this_version(stored: bytes) -> bool:
    """Whether a stored layout is of a store that this version can read."""
    return stored.partition(b" ")[0] == str(VERSION).encode()


def claim(client: "Redis[Any]", cells: int) -> None:
    """Write the version and the number of cells into a new store.

    Raises :class:`SettingsError` for a store of another layout, and ``redis.RedisError``.
    """
    reason = refusal(client, cells)
    if reason is None and not client.set(keys.layout(), f"{VERSION} {cells}", nx=True):
        reason = refusal(client, cells)  # another process was first
    if reason is not None:
        raise SettingsError([reason])
