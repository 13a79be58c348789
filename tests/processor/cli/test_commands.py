"""What holds for every command."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from processor.cli import COMMANDS, main

ROOT = Path(__file__).parents[3]

RUNNING = {"run", "web", "worker", "clock", "demo"}
"""They run until they are stopped, and print what a person looks at."""

LINES = {"check", "store export", "store import"}
"""They say how it goes, and have an exit code."""


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
    results = set()
    for path in texts:
        if path.suffix in (".md", ".py", ".html"):
            words = r"codat-processor\s+([a-z]+(?:-[a-z]+)*)(?:\s+([a-z]+(?:-[a-z]+)*))?(?=[\s`<])"
            for named in re.findall(words, path.read_text()):
                command = main.get_command(click.Context(main), named[0])
                if command is not None:
                    results.add(named if isinstance(command, click.Group) else named[:1])
    return results


ALONE = """
import json, os, sys
import click
import processor.container  # what all commands share
from processor.cli import main

for name in sys.argv[1:]:
    pid = os.fork()
    if not pid:
        command = main.get_command(click.Context(main), name)
        print(json.dumps([name, sorted(getattr(command, "commands", ()))]), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
"""
"""Prints the subcommands of these commands, each from a process that has loaded no other command."""


def test_a_command_is_whole_where_no_other_was_loaded_before_it() -> None:
    """`notifications redeliver` and `dead-letters deliveries` were only there after `subscribers`."""
    groups = {name: main.get_command(click.Context(main), name) for name in COMMANDS}
    whole = {name: sorted(group.commands) for name, group in groups.items() if isinstance(group, click.Group)}
    printed = subprocess.run(
        [sys.executable, "-c", ALONE, *whole],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert len(whole) > 5
    assert dict(map(json.loads, printed.splitlines())) == whole


HELP = """
import sys
from processor.cli import main
main(["--help"], standalone_mode=False)
print([name for name in sys.modules if name.startswith("processor.cli.")])
"""


def test_the_list_of_commands_is_there_at_once() -> None:
    """It imported every command for its line: most of a second, and half of the lines ended in "..."."""
    printed = subprocess.run(
        [sys.executable, "-c", HELP], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    *_, lines = printed.partition("Commands:\n")
    *rows, loaded = lines.splitlines()
    assert [(row.split()[0], row[-1]) for row in rows] == [(name, ".") for name in COMMANDS]
    assert "..." not in lines
    assert loaded == "[]"


def test_every_command_that_the_documents_name_is_there() -> None:
    there = {tuple(path.split()) for path, _ in commands(main)}
    named = named_in_the_documents()
    assert ("notifications", "redeliver") in named
    assert {item for item in named if item not in there} == set()
