"""Prints results: JSON for programs, tables and lists of fields for people."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from processor.cli.options import wants_json
from processor.runtime.logs import single_line

GAP = "  "
EMPTY = "-"

Column = tuple[str, str | Callable[[Mapping[str, Any]], Any]]
"""The heading of a column, and the field of an item or a function of the item."""


def print_json(value: Any) -> None:
    """Print an object as the API returns it."""
    click.echo(json.dumps(value, indent=2))


def print_result(value: Any, text: str) -> None:
    """Print what a command did: as JSON, or as a text for people."""
    if wants_json():
        print_json(value)
    else:
        click.echo(text)


def print_page(page: Mapping[str, Any], columns: Sequence[Column]) -> None:
    """Print a page of a list: as JSON, or as a table with the cursor of the next page, if any."""
    if wants_json():
        print_json(page)
        return
    print_table(page["items"], columns)
    if page.get("next_cursor") is not None:
        click.echo(f"More: --cursor {page['next_cursor']}")


def print_table(items: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    """Print an aligned table with headings."""
    rows = [[heading for heading, _ in columns]]
    rows += [
        [shown(row[cell] if isinstance(cell, str) else cell(row)) for _, cell in columns] for row in items
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(GAP.join(padded).rstrip())


def print_fields(fields: Mapping[str, Any], *, indent: str = "") -> None:
    """Print an object, one line for each field; nested objects are indented."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        label = f"{indent}{shown(name).ljust(width)}"
        lines = value.splitlines() if isinstance(value, str) else []
        if isinstance(value, Mapping) and value:
            click.echo(label.rstrip())
            print_fields(value, indent=indent + GAP)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            click.echo(label.rstrip())
            for row in value:
                click.echo(f"{indent}{GAP}{GAP.join(f'{key}={shown(part)}' for key, part in row.items())}")
        elif len(lines) > 1:
            click.echo(label.rstrip())
            for line in lines:
                click.echo(f"{indent}{GAP}{shown(line)}")
        else:
            click.echo(f"{label}{GAP}{shown(value)}")


def shown(value: Any) -> str:
    """Format a value on one line, without control characters."""
    if value is None or value == [] or value == {}:
        return EMPTY
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(map(shown, value))
    if isinstance(value, (Mapping, list)):
        return json.dumps(value)
    return single_line(str(value))
