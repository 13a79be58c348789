"""What holds for every command."""

from collections.abc import Iterator

import click

from processor.cli import main

RUNNING = {"run", "web", "worker", "clock", "demo"}
"""They run until they are stopped, and print what a person looks at."""

LINES = {"check"}
"""One line each, and an exit code."""


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        elif command is not None:
            yield path + name, command


def test_every_command_that_prints_prints_json_too() -> None:
    """`subscribers remove` did not."""
    without = {
        name
        for name, command in commands(main)
        if "--json" not in {option for parameter in command.params for option in parameter.opts}
    }
    assert without == RUNNING | LINES
