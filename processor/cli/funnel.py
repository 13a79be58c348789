"""``funnel``: how far connections come, and where they stop."""

import sys
from typing import Any

import click

from handlers.connection import Connection
from processor.cli.options import as_json_option
from processor.cli.printing import Column, print_json, print_table
from processor.cli.store_access import open_store
from processor.reconciliation import wiring
from processor.resources.funnel import DAYS, report
from processor.store.records import StoredConnection

COLUMNS: tuple[Column, ...] = (
    ("DAY", "day"),
    ("PLATFORM", "platform"),
    ("SOURCE TYPE", "source_type"),
    ("CHOSEN", "chosen"),
    ("AUTHORIZED", "authorized"),
    ("READ", "read"),
    ("READY", "ready"),
    ("STOPS", "stops"),
)


@click.command()
@click.option(
    "--days", type=click.IntRange(1, 3650), default=DAYS, show_default=True, help="How far to look back."
)
@click.option(
    "--verify", is_flag=True, help="Count again from the kept messages; exit code 1 if that differs."
)
@as_json_option
def funnel(*, days: int, verify: bool, as_json: bool) -> None:
    """Count how far connections came, by day, platform and source type."""
    is_same, left_out = True, 0
    with open_store() as container:
        now = container.clock()
        counted = report(container.reader, now, days=days)
        if verify:
            verification = wiring.build_verification(container)

            def from_messages(stored: StoredConnection) -> Connection:
                nonlocal left_out
                rebuilt = verification.rebuilt(stored.connection)[0]
                left_out += rebuilt is None
                return rebuilt or stored.connection

            recounted = report(container.reader, now, days=days, source=from_messages)
            is_same = _figures(recounted) == _figures(counted)
    if as_json:
        print_json({**counted, **({"same": is_same, "not_recounted": left_out} if verify else {})})
    else:
        print_table(counted["rows"], COLUMNS)
        total = counted["total"]
        click.echo(f"{total['chosen']} chosen, {total['authorized']} authorized, {total['ready']} ready")
        if verify:
            verb = "is the same" if is_same else "differs"
            click.echo(f"The recount from the kept messages {verb}.")
            if left_out:
                click.echo(f"Not recounted, for their messages are not kept any more: {left_out}.")
    sys.exit(0 if is_same else 1)


def _figures(counted: dict[str, Any]) -> tuple[Any, Any]:
    return counted["total"], counted["rows"]
