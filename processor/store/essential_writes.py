"""Small writes that a full Redis takes too, so that an operator can sign in, act, and leave a trace.

A full Redis refuses commands that need memory, but not a script with the flag ``allow-oom`` (Redis 7 and
Valkey; Redis 6.2 does not know the flag).
https://redis.io/docs/latest/develop/programmability/eval-intro/#script-flags
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from redis import Redis, ResponseError

_SCRIPT = files("processor.store.scripts").joinpath("essential.lua").read_text("utf-8")

Command = Sequence[str | int]
"""A command, its key, and its arguments."""


def stage(pipe: Any, commands: Sequence[Command], *, is_full: bool) -> None:
    """Add the commands to a transaction, which a full Redis refuses unless ``is_full``."""
    if not is_full:
        for command in commands:
            pipe.execute_command(*command)
        return
    names = [key for _, key, *_ in commands]
    words = [word for name, _, *rest in commands for word in (name, len(rest), *rest)]
    pipe.execute_command("EVAL", _SCRIPT, len(names), *names, *words)


def says_full(error: ResponseError) -> bool:
    """Whether a command was refused because Redis is full."""
    return "maxmemory" in str(error)


def run(client: "Redis[Any]", commands: Sequence[Command]) -> None:
    """Run the commands in one transaction, also while Redis is full. Raises ``redis.RedisError``."""
    for is_full in (False, True):
        with client.pipeline(transaction=True) as pipe:
            stage(pipe, commands, is_full=is_full)
            try:
                pipe.execute()
            except ResponseError as error:
                if is_full or not says_full(error):
                    raise
            else:
                return
