"""A separate namespace of keys in which store code runs without touching real data."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_namespace: ContextVar[str] = ContextVar("namespace", default="")

current = _namespace.get
"""The namespace of the current context, which follows the prefix of every key; empty for real data."""


class Prefix(str):
    """Prefix of every key; inside :func:`in_namespace` the namespace follows it.

    Only formatting (``f"{PREFIX}..."``) adds the namespace.
    """

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        """The prefix with the namespace of the current context."""
        return format(self + current(), spec)


@contextlib.contextmanager
def in_namespace(name: str) -> Iterator[None]:
    """Put all keys that this thread builds into the namespace ``name``."""
    token = _namespace.set(f"{name}:")
    try:
        yield
    finally:
        _namespace.reset(token)
