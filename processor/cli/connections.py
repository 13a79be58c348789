"""``connections``: operators list, show and repair connections."""

import dataclasses
from typing import Any

import click

from processor.cli.options import MAX_LIMIT, as_json_option, codat_id, company_option, paged
from processor.cli.printing import Column, print_fields, print_json, print_page, print_table
from processor.cli.reconciliation import wait_until_handled
from processor.cli.store_access import open_store
from processor.reconciliation import wiring
from processor.resources import queries

CONNECTION_COLUMNS: tuple[Column, ...] = (
    ("CONNECTION", "id"),
    ("STATE", "state"),
    ("READ", lambda item: f"{item['progress']} %"),
    ("PLATFORM", "platform_name"),
    ("MERCHANT", "merchant_id"),
    ("COMPANY", "company_id"),
    ("AUTHORIZED AT", "authorized_at"),
)
TIMELINE_COLUMNS: tuple[Column, ...] = (
    ("AT", "at"),
    ("EVENT TYPE", "event_type"),
    ("SOURCE", "source"),
    ("FROM", "from"),
    ("TO", "to"),
    ("OUTCOME", "outcome"),
    ("REASON", "reason"),
    ("EVENT", "event_id"),
)


@click.group()
def connections() -> None:
    """Connections, their states and what happened to them."""


@connections.command("list")
@click.option("--state", type=click.Choice(queries.STATES), help="Only those in this state.")
@company_option("Only those of this company.")
@click.option("--merchant", "merchant_id", metavar="ID", help="Only those of this merchant.")
@paged
def list_connections(as_json: bool, **query: Any) -> None:
    """List connections, newest first."""
    with open_store() as container:
        page = queries.connections(container.reader, **query)
    print_page(page, CONNECTION_COLUMNS, as_json=as_json)


@connections.command("show")
@click.argument("connection_id", metavar="ID", callback=codat_id)
@click.option("--timeline", is_flag=True, help="Also what happened to it, newest first.")
@as_json_option
def show_connection(connection_id: str, *, timeline: bool, as_json: bool) -> None:
    """Show one connection."""
    with open_store() as container:
        connection = queries.connection(container.reader, connection_id)
        entries = queries.timeline(container.reader, connection_id, limit=MAX_LIMIT) if timeline else None
    if as_json:
        print_json(connection if entries is None else {**connection, "timeline": entries})
        return
    print_fields(connection)
    if entries is not None:
        click.echo()
        print_table(entries["items"], TIMELINE_COLUMNS)


@connections.command("repair")
@click.argument("connection_id", metavar="ID", callback=codat_id)
@as_json_option
def repair_connection(connection_id: str, *, as_json: bool) -> None:
    """Make the damaged record of a connection again, from kept messages or else from Codat."""
    with open_store() as container:
        result = wiring.build_repair(container).run(connection_id)
        wait_until_handled(container)
        connection = queries.connection(container.reader, connection_id)
    if as_json:
        print_json({**dataclasses.asdict(result), "state": connection["state"]})
        return
    source = "kept messages" if result.source == "messages" else "findings at Codat"
    click.echo(f"{connection_id} is {connection['state']}: made again from {result.count} {source}.")
    if result.replayed:
        click.echo(f"Messages that had waited for this and are handled now: {result.replayed}.")
