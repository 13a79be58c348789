"""``events``: operators list, show, replay, discard and forget messages."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import click

from processor.alerts.replay import DISCARDABLE, DISCARDED, ReplayResult
from processor.cli.options import as_json_option, company_option, paged, wants_json
from processor.cli.printing import Column, print_fields, print_json, print_page, print_result
from processor.cli.store_access import describe_error, open_store
from processor.resources import queries
from processor.store import retention
from processor.store.message_records import EVENT_STATUSES

MOST_OF_A_STEP = 20_000
REPLAYABLE = ("dead", "quarantined", "failed")


EVENT_COLUMNS: tuple[Column, ...] = (
    ("EVENT", "id"),
    ("STATUS", "status"),
    ("TYPE", "type"),
    ("SOURCE", "source"),
    ("RECEIVED AT", "received_at"),
    ("CONNECTIONS", "connection_ids"),
)


@click.group()
def events() -> None:
    """The messages, and what became of them."""


@events.command("list")
@click.option("--status", type=click.Choice(EVENT_STATUSES), help="Only those with this status.")
@company_option("Only those about this company.")
@paged
def list_events(**query: Any) -> None:
    """List messages, newest first."""
    with open_store() as container:
        page = queries.events(container.reader, **query)
    print_page(page, EVENT_COLUMNS)


@events.command("show")
@click.argument("event_id", metavar="ID")
@as_json_option
def show_event(event_id: str) -> None:
    """Show one message with its body."""
    with open_store() as container:
        event = queries.event(container.reader, event_id)
    if wants_json():
        print_json(event)
        return
    body = event.pop("body")
    print_fields(event)
    if event["raw"] is None:
        click.echo("body")
        print_json(body)


@events.command("replay")
@click.argument("event_ids", metavar="[ID]...", nargs=-1)
@click.option("--status", type=click.Choice(REPLAYABLE), help="All those with this status.")
@as_json_option
def replay_events(event_ids: tuple[str, ...], *, status: str | None) -> None:
    """Handle messages once more; harmless for those that were handled."""
    if bool(event_ids) == bool(status):
        raise click.UsageError("Name either messages or a --status.")
    with open_store() as container:
        replays = container.replay_service
        ids = iter(dict.fromkeys(event_ids)) if status is None else replays.ids_of(status)
        replayed = report_results(replays.replay_each(ids, only=status))
    sys.exit(0 if replayed else 1)


@events.command("discard")
@click.argument("event_ids", metavar="[ID]...", nargs=-1)
@click.option("--status", type=click.Choice(DISCARDABLE), help="All those with this status.")
@as_json_option
def discard_events(event_ids: tuple[str, ...], *, status: str | None) -> None:
    """Close quarantined messages or dead letters: kept, and no longer counted as open."""
    if bool(event_ids) == bool(status):
        raise click.UsageError("Name either messages or a --status.")
    with open_store() as container:
        replays = container.replay_service
        ids = iter(dict.fromkeys(event_ids)) if status is None else replays.ids_of(status)
        results = replays.discard_each(ids, only=status)
        discarded = report_results(results, status=DISCARDED)
    sys.exit(0 if discarded else 1)


@events.command("forget")
@click.option(
    "--older-than",
    "older_than",
    type=click.IntRange(1, 3650),
    required=True,
    metavar="DAYS",
    help="Those that arrived before.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json_option
def forget_events(older_than: int, *, yes: bool) -> None:
    """Make room: remove handled messages, for good. What waits, failed or is in quarantine stays."""
    if not yes and sys.stdin.isatty():
        question = f"Forget the handled messages that are older than {older_than} days?"
        click.confirm(question, abort=True, err=True)
    count = 0
    with open_store() as container:
        before = container.clock() - timedelta(days=older_than)
        while step := retention.forget_handled(container.redis, before, most=MOST_OF_A_STEP):
            count += step
    print_result({"forgotten": count}, f"{count:,} messages were forgotten.")


def report_results(results: Iterator[ReplayResult], *, status: str = "pending") -> bool:
    """Print the result for each message; whether all of them have ``status`` now."""
    done: list[dict[str, str]] = []
    problems: list[dict[str, object]] = []
    verb, participle = ("discard", "discarded") if status == DISCARDED else ("replay", "replayed")
    for result in results:
        if result.problem is None:
            done.append({"event_id": result.event_id, "status": status})
            outcome = status
        else:
            problems.append(result.problem.problem())
            outcome = f"not {participle}: {describe_error(result.problem)}"
        if not wants_json():
            click.echo(f"{result.event_id}  {outcome}")
    if wants_json():
        print_json({"items": done, "problems": problems})
    elif not done and not problems:
        click.echo(f"There is nothing to {verb}.")
    return not problems
