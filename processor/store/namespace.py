"""Keys in a namespace of their own: the real store code runs there and touches no message."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_namespace: ContextVar[str] = ContextVar("namespace", default="")


class Prefix(str):
    """The beginning of every key; inside :func:`in_namespace` the namespace follows it.

    Only formatting (``f"{PREFIX}..."``) adds the namespace.
    """

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        """The prefix, with the namespace of the present context."""
        return format(str(self) + _namespace.get(), spec)


@contextlib.contextmanager
def in_namespace(name: str) -> Iterator[None]:
    """All keys that this thread makes meanwhile belong to the namespace ``name``."""
    token = _namespace.set(f"{name}:")
    try:
        yield
    finally:
        _namespace.reset(token)
