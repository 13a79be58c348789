"""Commands and calls of scripts that are sent together; each has its own reply."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from redis import Redis, RedisError
from redis.exceptions import NoScriptError

from processor.store.acknowledgement import NONE, Acknowledgement

T = TypeVar("T")

CHUNK = 500
"""Members or keys that one round trip takes where there may be many."""


def chunks(rows: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """The rows in lists of at most ``size``."""
    rest = iter(rows)
    while chunk := list(islice(rest, size)):
        yield chunk


class RoundTrip:
    """Commands and calls of ``scripts``, one round trip to each server that holds their keys.

    ``acknowledgement`` says how many replicas must have what they write.
    """

    def __init__(self, client: "Redis[Any]", *scripts: Any, acknowledgement: Acknowledgement = NONE) -> None:
        self._client = client
        self._scripts = scripts
        self._acknowledgement = acknowledgement
        self._commands: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        """The number of commands that were added."""
        return len(self._commands)

    def add(self, *command: Any) -> None:
        """Add a command."""
        self._commands.append(command)

    def call(self, script: Any, keys: Sequence[str], args: Sequence[Any]) -> None:
        """Add a call of a script."""
        self.add("EVALSHA", script.sha, len(keys), *keys, *args)

    def execute(self) -> list[Any]:
        """The replies in order, an error among them where Redis refused a command.

        Raises ``redis.RedisError`` for a failed connection to one server. Of a cluster, the replies of a node
        that cannot be reached are such errors (``NOT_REACHED``), and its commands may have been executed.
        """
        replies = self._send(self._commands)
        unknown = [number for number, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:  # Redis was restarted; all scripts are loaded, so that the order of calls holds
            for script in self._scripts:
                self._client.script_load(script.script)  # type: ignore[no-untyped-call]
            again = self._send([self._commands[number] for number in unknown])
            for number, reply in zip(unknown, again, strict=True):
                replies[number] = reply
        return replies

    def results(self) -> list[Any]:
        """The same; an error among the replies is raised."""
        replies = self.execute()
        for reply in replies:
            if isinstance(reply, RedisError):
                raise reply
        return replies

    def _send(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        if not commands:
            return []
        with self._client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)  # type: ignore[no-untyped-call]
            return self._acknowledgement.execute(pipe)
