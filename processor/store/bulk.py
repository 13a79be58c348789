"""Many commands in one call of a server-side script.

To Redis that is the same work, to us it is not: a batch of messages takes thousands of commands, and
sending each of them and reading each answer by itself costs more than deciding what they say.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from redis import Redis, ResponseError
from redis.client import Pipeline

from processor.store.scripts import register

MOST_MEMBERS = 1_000
"""How many members one command may carry: a script can unpack some thousands of arguments."""

Command = tuple[Any, ...]


class Bulk:
    """Runs many commands as one step and in one round trip."""

    def __init__(self, client: "Redis[Any]") -> None:
        self._run = register(client, "bulk")

    def ask(self, commands: Iterable[Command]) -> list[Any]:
        """What each command answered, as Redis has it: bytes, numbers, lists and ``None``.

        Raises ``ResponseError`` when one of them was refused.
        """
        args = _flat(commands)
        answers: list[Any] = self._run(args=args) if args else []
        _raise_first(answers)
        return answers

    def execute(self, pipe: "Pipeline[Any]") -> None:
        """Execute the transaction in ``pipe`` with everything that is staged in it as one command.

        Raises what ``pipe.execute()`` raises.
        """
        args = _flat(command for command, _ in pipe.command_stack)
        pipe.command_stack = []
        self._run(args=args, client=pipe)
        (answers,) = pipe.execute()
        _raise_first(answers)


def add_members(pipe: "Pipeline[Any]", name: str, members: Mapping[str, float], **how: bool) -> None:
    """Stage ``ZADD``, in as many commands as it takes."""
    rows = list(members.items())
    for start in range(0, len(rows), MOST_MEMBERS):
        pipe.zadd(name, dict(rows[start : start + MOST_MEMBERS]), **how)


def remove_members(pipe: "Pipeline[Any]", name: str, members: list[str]) -> None:
    """Stage ``ZREM``, in as many commands as it takes."""
    for start in range(0, len(members), MOST_MEMBERS):
        pipe.zrem(name, *members[start : start + MOST_MEMBERS])


def _flat(commands: Iterable[Command]) -> list[Any]:
    args: list[Any] = []
    for command in commands:
        args.append(len(command))
        args += command
    return args


def _raise_first(answers: Iterable[Any]) -> None:
    for answer in answers:
        if isinstance(answer, ResponseError):
            raise answer
