"""``migration``: what came through which generation of Codat's messages."""

import sys

import click

from handlers.migration import CLEAN_DAYS
from processor.cli.options import as_json_option, wants_json
from processor.cli.printing import Column, print_json, print_table
from processor.cli.store_access import open_store
from processor.resources.migration import report

DAY_COLUMNS: tuple[Column, ...] = (
    ("DAY", "day"),
    ("SUBJECT", "subject"),
    ("LEGACY", "legacy"),
    ("CURRENT", "current"),
    ("BOTH", "both"),
    ("LEGACY ONLY", "legacy_only"),
    ("CURRENT ONLY", "current_only"),
    ("OPEN", "open"),
)


@click.command()
@click.option(
    "--days",
    type=click.IntRange(CLEAN_DAYS + 1, 3650),
    default=30,
    show_default=True,
    help="How far to look back.",
)
@as_json_option
def migration(days: int) -> None:
    """Say what came as legacy alerts and current messages, and when legacy can be switched off.

    Exit code 1 as long as it is not safe.
    """
    with open_store() as container:
        result = report(container.reader, container.clock(), days=days)
    if wants_json():
        print_json(result)
    else:
        print_table(result["days"], DAY_COLUMNS)
        click.echo()
        for obstacle in result["obstacles"]:
            click.echo(obstacle)
        click.echo(_verdict(result["safe"], result["clean_since"], result["safe_from"]))
    sys.exit(0 if result["safe"] else 1)


def _verdict(is_safe: bool, clean_since: str | None, safe_from: str | None) -> str:
    if is_safe:
        return f"Legacy can be switched off: since {clean_since} current messages told all that alerts told."
    if safe_from is None:
        return "No change was told by both generations."
    return (
        f"Not safe yet. Without a further alert that comes alone, legacy can be switched off at {safe_from}."
    )
