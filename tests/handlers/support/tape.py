"""A tape of bytes from which examples are built: lean to draw, and it shrinks towards zeros."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Tape:
    """Reads choices off ``raw``; beyond its end every choice is the first, the simplest one."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._position = 0

    def number(self, below: int) -> int:
        """A number from 0 to ``below`` - 1, at most 256 of them."""
        byte = self._raw[self._position] if self._position < len(self._raw) else 0
        self._position += 1
        return byte % below

    def choice(self, options: Sequence[T]) -> T:
        """One of ``options``."""
        return options[self.number(len(options))]

    def once_in(self, odds: int) -> bool:
        """True once in ``odds`` draws; false on an empty tape."""
        return self.number(odds) == odds - 1
