"""Server-side scripts of the lanes: steps that must be atomic.

Each starts with ``common.lua``. Some build key names from prefixes, which a Redis Cluster does not allow.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import NoScriptError


def register(client: "Redis[Any]", name: str) -> Script:
    """The script ``name`` (a file in this package without its suffix), bound to ``client``. Sends nothing."""
    folder = files(__name__)
    parts = (folder.joinpath(f"{part}.lua").read_text("utf-8") for part in ("common", name))
    return client.register_script("\n".join(parts))


class RoundTrip:
    """Commands and calls of ``scripts`` that are sent together; each has its own reply."""

    def __init__(self, client: "Redis[Any]", *scripts: Any) -> None:
        self._client = client
        self._scripts = scripts
        self._commands: list[tuple[Any, ...]] = []

    def add(self, *command: Any) -> None:
        """Add a command."""
        self._commands.append(command)

    def call(self, script: Any, keys: Sequence[str], args: Sequence[Any]) -> None:
        """Add a call of a script."""
        self.add("EVALSHA", script.sha, len(keys), *keys, *args)

    def execute(self) -> list[Any]:
        """The replies in order, an error among them where Redis refused a command.

        Raises ``redis.RedisError`` for a failed connection.
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

    def _send(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        if not commands:
            return []
        with self._client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)  # type: ignore[no-untyped-call]
            return pipe.execute(raise_on_error=False)
