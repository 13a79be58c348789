"""What holds for every command."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from processor.cli import COMMANDS, main

ROOT = Path(__file__).parents[3]

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


def named_in_the_documents() -> set[tuple[str, ...]]:
    """Command and subcommand of each line that one is told to type, or what an operator's page advises."""
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "processor" / "web").rglob("*.*")]
    found = set()
    for path in texts:
        if path.suffix in (".md", ".py", ".html"):
            words = r"codat-processor\s+([a-z]+(?:-[a-z]+)*)(?:\s+([a-z]+))?(?=[\s`<])"
            for named in re.findall(words, path.read_text()):
                command = main.get_command(click.Context(main), named[0])
                if command is not None:
                    found.add(named if isinstance(command, click.Group) else named[:1])
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_whole_where_no_other_was_loaded_before_it(name: str) -> None:
    """`notifications redeliver` and `dead-letters deliveries` were only there after `subscribers`."""
    program = (
        "import sys, click; from processor.cli import main\n"
        "command = main.get_command(click.Context(main), sys.argv[1])\n"
        "print(*sorted(getattr(command, 'commands', ())))"
    )
    alone = subprocess.run(
        [sys.executable, "-c", program, name],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    for one in COMMANDS:
        main.get_command(click.Context(main), one)
    command = main.get_command(click.Context(main), name)
    assert alone.stdout.split() == sorted(getattr(command, "commands", ()))


def test_every_command_that_the_documents_name_is_there() -> None:
    there = {tuple(path.split()) for path, _ in commands(main)}
    named = named_in_the_documents()
    assert ("notifications", "redeliver") in named
    assert {one for one in named if one not in there} == set()
