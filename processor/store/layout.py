"""The layout of a store: its number of cells, fixed when it is first used."""

from typing import Any

from redis import Redis

from processor.errors import SettingsError
from processor.store import keys


def refusal(client: "Redis[Any]", cells: int) -> str | None:
    """Why a store cannot be used with ``CELLS=cells``; ``None``: it can. Raises ``redis.RedisError``."""
    stored = client.get(keys.layout())
    if stored is not None:
        if int(stored) == cells:
            return None
        return (
            f"CELLS is {cells}, but this store was first used with CELLS={int(stored)}, which cannot be"
            f" changed: set CELLS={int(stored)}, or use an empty store."
        )
    if any(client.exists(name) for name in keys.of_old_layout()):
        return (
            "The store was written by a version of this service without cells, and cannot be read: use an"
            " empty store, and `codat-processor rebuild` to fill it from Codat."
        )
    return None


def claim(client: "Redis[Any]", cells: int) -> None:
    """Write the number of cells into a new store.

    Raises :class:`SettingsError` for a store of another layout, and ``redis.RedisError``.
    """
    reason = refusal(client, cells)
    if reason is None and not client.set(keys.layout(), cells, nx=True):
        reason = refusal(client, cells)  # another process was first
    if reason is not None:
        raise SettingsError([reason])
