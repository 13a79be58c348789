"""``connections``: operators list, show and repair connections."""

import dataclasses
import sys
from datetime import datetime
from typing import Any

import click

from handlers.timeline import TimelineOutcome
from processor.cli.events import report_results
from processor.cli.options import (
    MAX_LIMIT,
    as_json_option,
    codat_id,
    company_option,
    moment,
    paged,
    wants_json,
)
from processor.cli.printing import (
    Column,
    print_fields,
    print_json,
    print_page,
    print_result,
    print_table,
    shown,
)
from processor.cli.reconciliation import wait_until_handled
from processor.cli.store_access import open_store
from processor.errors import Conflict
from processor.reconciliation import wiring
from processor.reconciliation.verify import VerificationOutcome, VerificationResult
from processor.resources import past, queries

CONNECTION_COLUMNS: tuple[Column, ...] = (
    ("CONNECTION", "id"),
    ("STATE", "state"),
    ("READ", lambda connection: f"{connection['progress']} %"),
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
FACT_COLUMNS: tuple[Column, ...] = (
    ("AT", "at"),
    ("KIND", "kind"),
    ("STATUS", "status"),
    ("KNOWN AT", "known_at"),
    ("COUNTS", "counts"),
    ("CLAIMED", "claimed"),
    ("EVENT", "event_id"),
    ("DATA TYPES", "data_types"),
)
CLAIM_COLUMNS: tuple[Column, ...] = (
    ("ARRIVED AT", "arrived_at"),
    ("OLD", "old"),
    ("NEW", "new"),
    ("ASKED SINCE", "since"),
    ("EVENT", "event_id"),
)

_QUIET = (VerificationOutcome.SAME, VerificationOutcome.INCOMPLETE)
"""Outcomes that ``verify --all`` only counts."""


@click.group()
def connections() -> None:
    """Connections, their states and what happened to them."""


@connections.command("list")
@click.option("--state", type=click.Choice(queries.STATES), help="Only those in this state.")
@company_option("Only those of this company.")
@click.option("--merchant", "merchant_id", metavar="ID", help="Only those of this merchant.")
@paged
def list_connections(**query: Any) -> None:
    """List connections, newest first."""
    with open_store() as container:
        page = queries.connections(container.reader, **query)
    print_page(page, CONNECTION_COLUMNS)


@connections.command("show")
@click.argument("connection_id", metavar="ID", callback=codat_id)
@click.option("--timeline", is_flag=True, help="Also what happened to it, newest first.")
@click.option(
    "--outcome",
    type=click.Choice([outcome.value for outcome in TimelineOutcome]),
    help="Of the timeline only what had this outcome.",
)
@click.option("--facts", is_flag=True, help="Also the facts from which its state is computed.")
@click.option("--at", metavar="TIME", callback=moment, help="What was believed at this time, and why.")
@as_json_option
def show_connection(
    connection_id: str, *, timeline: bool, outcome: str | None, facts: bool, at: datetime | None
) -> None:
    """Show one connection."""
    with open_store() as container:
        reader = container.reader
        connection = past.connection(reader, connection_id, at)
        more: dict[str, Any] = {}
        if timeline:
            more["timeline"] = past.timeline(reader, connection_id, at=at, outcome=outcome, limit=MAX_LIMIT)
        if facts:
            more["facts"] = past.facts(reader, connection_id, at)
    if wants_json():
        print_json(connection | more)
        return
    print_fields(connection)
    if timeline:
        click.echo()
        print_table(more["timeline"]["items"], TIMELINE_COLUMNS)
    if facts:
        click.echo()
        print_table(more["facts"]["facts"], FACT_COLUMNS)
        if more["facts"]["claims"]:
            click.echo()
            print_table(more["facts"]["claims"], CLAIM_COLUMNS)


@connections.command("repair")
@click.argument("connection_id", metavar="ID", callback=codat_id)
@as_json_option
def repair_connection(connection_id: str) -> None:
    """Make the damaged record of a connection again, from kept messages or else from Codat."""
    with open_store() as container:
        result = wiring.build_repair(container).run(connection_id)
        wait_until_handled(container)
        connection = queries.connection(container.reader, connection_id)
    source = "kept messages" if result.source == "messages" else "findings at Codat"
    text = f"{connection_id} is {connection['state']}: made again from {result.count} {source}."
    if result.replayed:
        text += f"\nMessages that had waited for this and are handled now: {result.replayed}."
    print_result({**dataclasses.asdict(result), "state": connection["state"]}, text)


@connections.command("verify")
@click.argument("connection_id", metavar="[ID]", required=False, callback=codat_id)
@click.option("--all", "every", is_flag=True, help="All connections.")
@as_json_option
def verify_connections(connection_id: str | None, *, every: bool) -> None:
    """Rebuild connections from their kept messages and compare them with what is stored.

    Writes nothing. Exit code 1 if one differs, or cannot be read. A connection is incomplete, and not
    compared, if messages are not kept any more from which it was learnt.
    """
    if (connection_id is None) is not every:
        raise click.UsageError("Name either a connection or --all.")
    counts = dict.fromkeys(VerificationOutcome, 0)
    items: list[dict[str, Any]] = []
    with open_store() as container:
        verification = wiring.build_verification(container)
        results = verification.run_all() if connection_id is None else iter([verification.run(connection_id)])
        for result in results:
            counts[result.outcome] += 1
            if wants_json():
                items.append(dataclasses.asdict(result))
            elif not every or result.outcome not in _QUIET:
                _print_verification(result)
    if wants_json():
        print_json({"items": items, **counts})
    elif every:
        click.echo(", ".join(f"{outcome}: {count}" for outcome, count in counts.items()))
    if counts[VerificationOutcome.DIFFERENT] or counts[VerificationOutcome.UNREADABLE]:
        sys.exit(1)


def _print_verification(result: VerificationResult) -> None:
    match result.outcome:
        case VerificationOutcome.INCOMPLETE:
            click.echo(f"{result.connection_id}  incomplete: {result.gone} messages are not kept any more")
        case VerificationOutcome.UNREADABLE:
            click.echo(f"{result.connection_id}  unreadable: see codat-processor connections repair")
        case _:
            click.echo(f"{result.connection_id}  {result.outcome}, by {result.messages} messages")
    for difference in result.differences:
        click.echo(f"  {difference.part}")
        click.echo(f"    stored   {shown(difference.stored)}")
        click.echo(f"    rebuilt  {shown(difference.rebuilt)}")


@connections.command("ask")
@click.argument("connection_id", metavar="ID", callback=codat_id)
@as_json_option
def ask_codat(connection_id: str) -> None:
    """Ask Codat about the company of a connection now; the answer is on its timeline."""
    with open_store() as container:
        company_id = queries.connection(container.reader, connection_id)["company_id"]
        if not company_id:
            raise Conflict("The company of this connection is not known, so Codat cannot be asked about it.")
        diff = wiring.compare_now(container, company_id)
        wait_until_handled(container)
        connection = queries.connection(container.reader, connection_id)
    is_shown = connection_id in diff.connections
    answer = "shows it" if is_shown else "does not show it to our key"
    print_result(
        {"connection_id": connection_id, "shown": is_shown, "state": connection["state"]},
        f"Codat {answer}. {connection_id} is {connection['state']}.",
    )


@connections.command("link")
@click.argument("connection_id", metavar="ID", callback=codat_id)
@as_json_option
def fresh_link(connection_id: str) -> None:
    """Get a fresh link, with which the merchant authorises the connection or reconnects it."""
    with open_store() as container:
        session = container.journey.link(connection_id)
    print_result({"connection_id": session.connection_id, "link_url": session.link_url}, session.link_url)


@connections.command("unlink")
@click.argument("connection_id", metavar="ID", callback=codat_id)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json_option
def unlink_connection(connection_id: str, *, yes: bool) -> None:
    """End access, at Codat first. What was read stays readable at Codat."""
    if not yes and sys.stdin.isatty():
        click.confirm(f"End the access of {connection_id}?", abort=True)
    with open_store() as container:
        result = container.journey.unlink(connection_id)
    print_result(
        dataclasses.asdict(result),
        f"{connection_id} is disconnected at Codat; here in a moment, by event {result.event_id}.",
    )


@connections.command("replay")
@click.argument("connection_id", metavar="ID", callback=codat_id)
@as_json_option
def replay_messages(connection_id: str) -> None:
    """Handle all kept messages that name a connection once more; harmless for those that were handled."""
    with open_store() as container:
        company_id = queries.connection(container.reader, connection_id)["company_id"]
        replays = container.replay_service
        results = replays.replay_each(replays.ids_about(connection_id, company_id))
        replayed = report_results(results)
    sys.exit(0 if replayed else 1)
