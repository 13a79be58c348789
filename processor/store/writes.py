"""Writes of a commit, collected for one call of a script."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Protocol

import msgspec


class Staging(Protocol):
    """What commands are staged in: a pipeline, or the writes of a commit."""

    def execute_command(self, command: str, key: str, /, *arguments: Any) -> Any:
        """Stage a command on a key."""


class Writes:
    """Commands on keys of one cell, in order."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._commands: list[Sequence[Any]] = []

    def execute_command(self, command: str, key: str, /, *arguments: Any) -> None:
        """Stage a command on a key."""
        self.keys.append(key)
        self._commands.append([command, *[_raw(part) if type(part) is bytes else part for part in arguments]])

    def packed(self) -> bytes:
        """The commands without their keys, as MessagePack."""
        return _encode(self._commands)


def scores_and_members(scores: Mapping[str, int]) -> Iterator[Any]:
    """The scores of members as ``ZADD`` takes them."""
    return chain.from_iterable((score, member) for member, score in scores.items())


def _raw(value: bytes) -> msgspec.Raw:
    """Bytes as a string of MessagePack, whose type of bytes Lua cannot read."""
    return msgspec.Raw(b"\xdb%b%b" % (len(value).to_bytes(4, "big"), value))


_encode = msgspec.msgpack.Encoder().encode
