"""``connections``, ``notifications``: operators look."""

import textwrap
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from processor.cli.printing import Column, print_fields, print_json, print_page, print_table
from processor.cli.store_access import open_store
from processor.codat.json_values import folded
from processor.delivery.rules import TYPES
from processor.resources import queries
from processor.resources.serializers import NOTIFICATION_STATUSES

LIMIT = 50
MOST = 200
LONGEST_ANSWER = 80

Command = TypeVar("Command", bound=Callable[..., Any])

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print what the API answers.")


def paged(command: Command) -> Command:
    """The options of every list."""
    for option in (
        as_json_option,
        click.option("--cursor", metavar="CURSOR", help="Where the page before ended."),
        click.option(
            "--limit", type=click.IntRange(1, MOST), default=LIMIT, show_default=True, help="Most to show."
        ),
    ):
        command = option(command)
    return command


def moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """A time in ISO 8601; UTC where it names no zone."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{value!r} is no time like 2026-11-22T15:00:00Z.") from None


def field(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda item: item[name]


def _data(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda item: item["data"][name]


CONNECTION_COLUMNS: tuple[Column, ...] = (
    ("CONNECTION", field("id")),
    ("STATE", field("state")),
    ("READ", lambda item: f"{item['progress']} %"),
    ("PLATFORM", field("platform_name")),
    ("MERCHANT", field("merchant_id")),
    ("COMPANY", field("company_id")),
    ("AUTHORIZED AT", field("authorized_at")),
)
TIMELINE_COLUMNS: tuple[Column, ...] = (
    ("AT", field("at")),
    ("EVENT TYPE", field("event_type")),
    ("SOURCE", field("source")),
    ("FROM", field("from")),
    ("TO", field("to")),
    ("OUTCOME", field("outcome")),
    ("REASON", field("reason")),
    ("EVENT", field("event_id")),
)
NOTIFICATION_COLUMNS: tuple[Column, ...] = (
    ("NOTIFICATION", field("id")),
    ("TYPE", field("type")),
    ("TIMESTAMP", field("timestamp")),
    ("STATUS", field("status")),
    ("CONNECTION", _data("connection_id")),
    ("MERCHANT", _data("merchant_id")),
)
DELIVERY_COLUMNS: tuple[Column, ...] = (
    ("LANE", field("id")),
    ("CHANNEL", field("channel")),
    ("STATUS", field("status")),
    ("ATTEMPTS", lambda item: len(item["attempts"])),
    ("NEXT ATTEMPT AT", field("next_attempt_at")),
)
ATTEMPT_COLUMNS: tuple[Column, ...] = (
    ("LANE", field("lane")),
    ("AT", field("at")),
    ("OUTCOME", field("outcome")),
    ("STATUS CODE", field("status_code")),
    ("TOOK", lambda item: f"{item['duration_ms']} ms"),
    ("ERROR", field("error")),
    ("ANSWER", lambda item: textwrap.shorten(item["answer"] or "", LONGEST_ANSWER, placeholder="…")),
)


def codat_id(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """An id of Codat's, which is found in any case."""
    return value and folded(value)


@click.group()
def connections() -> None:
    """Connections, their states and what happened to them."""


@connections.command("list")
@click.option("--state", type=click.Choice(queries.STATES), help="Only those in this state.")
@click.option("--company", "company_id", metavar="ID", callback=codat_id, help="Only those of this company.")
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
        found = queries.connection(container.reader, connection_id)
        lines = queries.timeline(container.reader, connection_id, limit=MOST) if timeline else None
    if as_json:
        print_json(found if lines is None else {**found, "timeline": lines})
        return
    print_fields(found)
    if lines is not None:
        click.echo()
        print_table(lines["items"], TIMELINE_COLUMNS)


@click.group()
def notifications() -> None:
    """Notifications that were decided."""


@notifications.command("list")
@click.option(
    "--connection", "connection_id", metavar="ID", callback=codat_id, help="Only those about this connection."
)
@click.option(
    "--company", "company_id", metavar="ID", callback=codat_id, help="Only those about this company."
)
@click.option("--merchant", "merchant_id", metavar="ID", help="Only those about this merchant.")
@click.option("--type", type=click.Choice(TYPES), help="Only those of this type.")
@click.option("--since", metavar="TIME", callback=moment, help="Only those decided then or later.")
@click.option("--until", metavar="TIME", callback=moment, help="Only those decided before then.")
@click.option("--status", type=click.Choice(NOTIFICATION_STATUSES), help="Only those with this status.")
@paged
def list_notifications(as_json: bool, **query: Any) -> None:
    """List notifications, newest first."""
    with open_store() as container:
        page = queries.notifications(container.reader, **query)
    print_page(page, NOTIFICATION_COLUMNS, as_json=as_json)


@notifications.command("show")
@click.argument("notification_id", metavar="ID")
@as_json_option
def show_notification(notification_id: str, *, as_json: bool) -> None:
    """Show one notification, what became of it in each lane, and each attempt."""
    with open_store() as container:
        found = queries.notification(container.reader, notification_id)
    if as_json:
        print_json(found)
        return
    deliveries = found.pop("deliveries")
    print_fields(found)
    attempts = [{"lane": one["id"], **attempt} for one in deliveries for attempt in one["attempts"]]
    for items, columns in ((deliveries, DELIVERY_COLUMNS), (attempts, ATTEMPT_COLUMNS)):
        if items:
            click.echo()
            print_table(items, columns)


COMMANDS: tuple[click.Command, ...] = (connections,)
