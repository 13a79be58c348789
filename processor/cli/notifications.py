"""``notifications``: operators list, show and redeliver notifications."""

import sys
import textwrap
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from handlers.milestones import NOTIFICATION_TYPES
from processor.cli.options import as_json_option, codat_id, company_option, moment, paged, wants_json
from processor.cli.printing import Column, print_fields, print_json, print_page, print_table
from processor.cli.store_access import describe_error, open_store
from processor.delivery.redelivery import RedeliveryResult, RedeliveryService
from processor.errors import ProcessorError
from processor.resources import queries
from processor.resources.serializers import NOTIFICATION_STATUSES

MAX_ANSWER = 80

NOTIFICATION_COLUMNS: tuple[Column, ...] = (
    ("NOTIFICATION", "id"),
    ("TYPE", "type"),
    ("TIMESTAMP", "timestamp"),
    ("STATUS", "status"),
    ("CONNECTION", lambda notification: notification["data"]["connection_id"]),
    ("MERCHANT", lambda notification: notification["data"]["merchant_id"]),
)
DELIVERY_COLUMNS: tuple[Column, ...] = (
    ("LANE", "id"),
    ("CHANNEL", "channel"),
    ("STATUS", "status"),
    ("ATTEMPTS", lambda delivery: len(delivery["attempts"])),
    ("NEXT ATTEMPT AT", "next_attempt_at"),
)
ATTEMPT_COLUMNS: tuple[Column, ...] = (
    ("LANE", "lane"),
    ("AT", "at"),
    ("OUTCOME", "outcome"),
    ("STATUS CODE", "status_code"),
    ("TOOK", lambda attempt: f"{attempt['duration_ms']} ms"),
    ("ERROR", "error"),
    ("ANSWER", lambda attempt: textwrap.shorten(attempt["answer"] or "", MAX_ANSWER, placeholder="…")),
)


@click.group()
def notifications() -> None:
    """Notifications that were decided."""


@notifications.command("list")
@click.option(
    "--connection", "connection_id", metavar="ID", callback=codat_id, help="Only those about this connection."
)
@company_option("Only those about this company.")
@click.option("--merchant", "merchant_id", metavar="ID", help="Only those about this merchant.")
@click.option("--type", type=click.Choice(NOTIFICATION_TYPES), help="Only those of this type.")
@click.option("--since", metavar="TIME", callback=moment, help="Only those decided then or later.")
@click.option("--until", metavar="TIME", callback=moment, help="Only those decided before then.")
@click.option("--status", type=click.Choice(NOTIFICATION_STATUSES), help="Only those with this status.")
@paged
def list_notifications(**query: Any) -> None:
    """List notifications, newest first."""
    with open_store() as container:
        page = queries.notifications(container.reader, **query)
    print_page(page, NOTIFICATION_COLUMNS)


@notifications.command("show")
@click.argument("notification_id", metavar="ID")
@as_json_option
def show_notification(notification_id: str) -> None:
    """Show one notification, what became of it in each lane, and each attempt."""
    with open_store() as container:
        notification = queries.notification(container.reader, notification_id)
    if wants_json():
        print_json(notification)
        return
    deliveries = notification.pop("deliveries")
    print_fields(notification)
    attempts = [
        {"lane": delivery["id"], **attempt} for delivery in deliveries for attempt in delivery["attempts"]
    ]
    for items, columns in ((deliveries, DELIVERY_COLUMNS), (attempts, ATTEMPT_COLUMNS)):
        if items:
            click.echo()
            print_table(items, columns)


@notifications.command("redeliver")
@click.argument("notification_ids", metavar="[ID]...", nargs=-1)
@click.option("--since", metavar="TIME", callback=moment, help="All that were decided since then.")
@click.option("--dead", is_flag=True, help="All dead letters whose types are wanted still.")
@click.option("--undelivered", is_flag=True, help="With --since: only where it did not arrive.")
@click.option(
    "--subscriber",
    "subscriber_id",
    metavar="ID",
    help="Only to this one, where it wants the type; a named notification in any case.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@as_json_option
def redeliver(
    notification_ids: tuple[str, ...],
    *,
    since: datetime | None,
    dead: bool,
    undelivered: bool,
    subscriber_id: str | None,
    dry_run: bool,
) -> None:
    """Send notifications again, under the same ids."""
    if sum((bool(notification_ids), since is not None, dead)) != 1:
        raise click.UsageError("Name either notifications, --since or --dead.")
    if undelivered and since is None:
        raise click.UsageError("--undelivered goes with --since.")
    with open_store() as container:
        service = container.redelivery_service
        results: Iterator[RedeliveryResult | tuple[str, ProcessorError]]
        if since is not None:
            results = service.redeliver_since(
                since, subscriber_id=subscriber_id, undelivered=undelivered, dry_run=dry_run
            )
        elif dead:
            results = service.redeliver_dead(subscriber_id=subscriber_id, dry_run=dry_run)
        else:
            results = _redeliver_each(service, notification_ids, subscriber_id, dry_run=dry_run)
        complete = _report(results, dry_run=dry_run)
    sys.exit(0 if complete else 1)


def _redeliver_each(
    service: RedeliveryService, notification_ids: tuple[str, ...], subscriber_id: str | None, *, dry_run: bool
) -> Iterator[RedeliveryResult | tuple[str, ProcessorError]]:
    """Redeliver one after the other; the failure of one does not stop the others."""
    for notification_id in dict.fromkeys(notification_ids):
        try:
            yield service.redeliver(notification_id, subscriber_id=subscriber_id, dry_run=dry_run)
        except ProcessorError as error:
            yield notification_id, error


def _report(results: Iterator[RedeliveryResult | tuple[str, ProcessorError]], *, dry_run: bool) -> bool:
    """Print the results; whether all notifications were sent."""
    done: list[dict[str, Any]] = []
    problems: list[dict[str, object]] = []
    for result in results:
        if isinstance(result, RedeliveryResult):
            done.append({"id": result.notification_id, "type": result.type, "lanes": list(result.lanes)})
            line = f"{result.notification_id}  {result.type}  to {', '.join(result.lanes)}"
        else:
            problems.append({"id": result[0], **result[1].problem()})
            line = f"{result[0]}  not sent: {describe_error(result[1])}"
        if not wants_json():
            click.echo(line)
    if wants_json():
        print_json({"dry_run": dry_run, "items": done, "problems": problems})
    else:
        count, verb = ("1 notification", "is") if len(done) == 1 else (f"{len(done)} notifications", "are")
        click.echo(f"{count} {'would be' if dry_run else verb} sent again.")
    return not problems
