"""What commands print: JSON for programs, tables and lists of fields for people."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

GAP = "  "
NOTHING = "-"

Column = tuple[str, Callable[[Mapping[str, Any]], Any]]
"""The head of a column, and what of an object stands in it."""


def print_json(value: Any) -> None:
    """The very object that the API answers with."""
    click.echo(json.dumps(value, indent=2))


def print_page(page: Mapping[str, Any], columns: Sequence[Column], *, as_json: bool) -> None:
    """One page of a list, as a table with a hint at the next page."""
    if as_json:
        print_json(page)
        return
    print_table(page["items"], columns)
    if page["next_cursor"] is not None:
        click.echo(f"More: --cursor {page['next_cursor']}")


def print_table(items: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    """An aligned table with a heading."""
    rows = [[head for head, _ in columns]]
    rows += [[shown(cell(item)) for _, cell in columns] for item in items]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(GAP.join(padded).rstrip())


def print_fields(item: Mapping[str, Any], *, indent: str = "") -> None:
    """One object, a line for each field; what is nested is indented."""
    width = max(map(len, item), default=0)
    for name, value in item.items():
        head = f"{indent}{shown(name).ljust(width)}"
        lines = value.splitlines() if isinstance(value, str) else []
        if isinstance(value, Mapping) and value:
            click.echo(head.rstrip())
            print_fields(value, indent=indent + GAP)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            click.echo(head.rstrip())
            for one in value:
                click.echo(f"{indent}{GAP}{GAP.join(f'{key}={shown(part)}' for key, part in one.items())}")
        elif len(lines) > 1:
            click.echo(head.rstrip())
            for line in lines:
                click.echo(f"{indent}{GAP}{shown(line)}")
        else:
            click.echo(f"{head}{GAP}{shown(value)}")


def shown(value: Any) -> str:
    """A value on one line; nothing in it can steer the terminal."""
    if value is None or value == [] or value == {}:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(map(shown, value))
    if isinstance(value, (Mapping, list)):
        return json.dumps(value)
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in str(value)
    )
