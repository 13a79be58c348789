"""``connections``, ``events``, ``notifications``, ``dead-letters``: operators look, and replay."""

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from processor import lookups
from processor.bootstrap import Container
from processor.cli.opened import in_words, opened
from processor.cli.printing import Column, print_fields, print_json, print_page, print_table
from processor.delivery.rules import TYPES
from processor.lenient.values import folded
from processor.replays import DISCARDABLE, DISCARDED, Replayed, Replays
from processor.store.decoding import EVENT_STATUSES
from processor.views import NOTIFICATION_STATUSES

LIMIT = 50
MOST = 200
LONGEST_ANSWER = 80
DEAD = "dead"
REPLAYABLE = (DEAD, "quarantined", "failed")

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


def _field(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda item: item[name]


def _data(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda item: item["data"][name]


def _last_line(item: Mapping[str, Any]) -> str:
    return next(reversed((item["error"] or "").strip().splitlines()), "")


CONNECTION_COLUMNS: tuple[Column, ...] = (
    ("CONNECTION", _field("id")),
    ("STATE", _field("state")),
    ("READ", lambda item: f"{item['progress']} %"),
    ("PLATFORM", _field("platform_name")),
    ("MERCHANT", _field("merchant_id")),
    ("COMPANY", _field("company_id")),
    ("AUTHORIZED AT", _field("authorized_at")),
)
TIMELINE_COLUMNS: tuple[Column, ...] = (
    ("AT", _field("at")),
    ("EVENT TYPE", _field("event_type")),
    ("SOURCE", _field("source")),
    ("FROM", _field("from")),
    ("TO", _field("to")),
    ("OUTCOME", _field("outcome")),
    ("REASON", _field("reason")),
    ("EVENT", _field("event_id")),
)
EVENT_COLUMNS: tuple[Column, ...] = (
    ("EVENT", _field("id")),
    ("STATUS", _field("status")),
    ("TYPE", _field("type")),
    ("SOURCE", _field("source")),
    ("RECEIVED AT", _field("received_at")),
    ("CONNECTIONS", _field("connection_ids")),
)
DEAD_LETTER_COLUMNS: tuple[Column, ...] = (
    ("EVENT", _field("id")),
    ("TYPE", _field("type")),
    ("RECEIVED AT", _field("received_at")),
    ("ATTEMPTS", _field("attempts")),
    ("ERROR", _last_line),
)
NOTIFICATION_COLUMNS: tuple[Column, ...] = (
    ("NOTIFICATION", _field("id")),
    ("TYPE", _field("type")),
    ("TIMESTAMP", _field("timestamp")),
    ("STATUS", _field("status")),
    ("CONNECTION", _data("connection_id")),
    ("MERCHANT", _data("merchant_id")),
)
DELIVERY_COLUMNS: tuple[Column, ...] = (
    ("LANE", _field("id")),
    ("CHANNEL", _field("channel")),
    ("STATUS", _field("status")),
    ("ATTEMPTS", lambda item: len(item["attempts"])),
    ("NEXT ATTEMPT AT", _field("next_attempt_at")),
)
ATTEMPT_COLUMNS: tuple[Column, ...] = (
    ("LANE", _field("lane")),
    ("AT", _field("at")),
    ("OUTCOME", _field("outcome")),
    ("STATUS CODE", _field("status_code")),
    ("TOOK", lambda item: f"{item['duration_ms']} ms"),
    ("ERROR", _field("error")),
    ("ANSWER", lambda item: textwrap.shorten(item["answer"] or "", LONGEST_ANSWER, placeholder="…")),
)


def codat_id(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """An id of Codat's, which is found in any case."""
    return value and folded(value)


@click.group()
def connections() -> None:
    """Connections, their states and what happened to them."""


@connections.command("list")
@click.option("--state", type=click.Choice(lookups.STATES), help="Only those in this state.")
@click.option("--company", "company_id", metavar="ID", callback=codat_id, help="Only those of this company.")
@click.option("--merchant", "merchant_id", metavar="ID", help="Only those of this merchant.")
@paged
def list_connections(as_json: bool, **query: Any) -> None:
    """List connections, newest first."""
    with opened() as own:
        page = lookups.connections(own.reader, **query)
    print_page(page, CONNECTION_COLUMNS, as_json=as_json)


@connections.command("show")
@click.argument("connection_id", metavar="ID", callback=codat_id)
@click.option("--timeline", is_flag=True, help="Also what happened to it, newest first.")
@as_json_option
def show_connection(connection_id: str, *, timeline: bool, as_json: bool) -> None:
    """Show one connection."""
    with opened() as own:
        found = lookups.connection(own.reader, connection_id)
        lines = lookups.timeline(own.reader, connection_id, limit=MOST) if timeline else None
    if as_json:
        print_json(found if lines is None else {**found, "timeline": lines})
        return
    print_fields(found)
    if lines is not None:
        click.echo()
        print_table(lines["items"], TIMELINE_COLUMNS)


@click.group()
def events() -> None:
    """The messages, and what became of them."""


@events.command("list")
@click.option("--status", type=click.Choice(EVENT_STATUSES), help="Only those with this status.")
@click.option(
    "--company", "company_id", metavar="ID", callback=codat_id, help="Only those about this company."
)
@paged
def list_events(as_json: bool, **query: Any) -> None:
    """List messages, newest first."""
    with opened() as own:
        page = lookups.events(own.reader, **query)
    print_page(page, EVENT_COLUMNS, as_json=as_json)


@events.command("show")
@click.argument("event_id", metavar="ID")
@as_json_option
def show_event(event_id: str, *, as_json: bool) -> None:
    """Show one message with its body."""
    with opened() as own:
        found = lookups.event(own.reader, event_id)
    if as_json:
        print_json(found)
        return
    body = found.pop("body")
    print_fields(found)
    if found["raw"] is None:
        click.echo("body")
        print_json(body)


@events.command("replay")
@click.argument("event_ids", metavar="[ID]...", nargs=-1)
@click.option("--status", type=click.Choice(REPLAYABLE), help="All those with this status.")
@as_json_option
def replay_events(event_ids: tuple[str, ...], *, status: str | None, as_json: bool) -> None:
    """Handle messages once more; harmless for those that were handled."""
    if bool(event_ids) == bool(status):
        raise click.UsageError("Name either messages or a --status.")
    with opened() as own:
        replays = _replays(own)
        ids = iter(dict.fromkeys(event_ids)) if status is None else replays.ids_of(status)
        replayed = _report(replays.replay_each(ids, only=status), as_json=as_json)
    sys.exit(0 if replayed else 1)


@events.command("discard")
@click.argument("event_ids", metavar="[ID]...", nargs=-1)
@click.option("--status", type=click.Choice(DISCARDABLE), help="All those with this status.")
@as_json_option
def discard_events(event_ids: tuple[str, ...], *, status: str | None, as_json: bool) -> None:
    """Close quarantined messages or dead letters: kept, and no longer counted as open."""
    if bool(event_ids) == bool(status):
        raise click.UsageError("Name either messages or a --status.")
    with opened() as own:
        replays = _replays(own)
        ids = iter(dict.fromkeys(event_ids)) if status is None else replays.ids_of(status)
        results = replays.discard_each(ids, only=status)
        discarded = _report(results, status=DISCARDED, as_json=as_json)
    sys.exit(0 if discarded else 1)


@click.group("dead-letters")
def dead_letters() -> None:
    """Messages whose handling failed to the last."""


@dead_letters.command("list")
@paged
def list_dead_letters(as_json: bool, **query: Any) -> None:
    """List dead letters, newest first."""
    with opened() as own:
        page = lookups.events(own.reader, status=DEAD, **query)
    print_page(page, DEAD_LETTER_COLUMNS, as_json=as_json)


@dead_letters.command("replay")
@click.argument("event_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@as_json_option
def replay_dead_letters(event_ids: tuple[str, ...], *, everything: bool, as_json: bool) -> None:
    """Handle dead letters once more."""
    if bool(event_ids) == everything:
        raise click.UsageError("Name either dead letters or --all.")
    with opened() as own:
        replays = _replays(own)
        ids = replays.ids_of(DEAD) if everything else iter(dict.fromkeys(event_ids))
        replayed = _report(replays.replay_each(ids, only=DEAD), as_json=as_json)
    sys.exit(0 if replayed else 1)


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
    with opened() as own:
        page = lookups.notifications(own.reader, **query)
    print_page(page, NOTIFICATION_COLUMNS, as_json=as_json)


@notifications.command("show")
@click.argument("notification_id", metavar="ID")
@as_json_option
def show_notification(notification_id: str, *, as_json: bool) -> None:
    """Show one notification, what became of it in each lane, and each attempt."""
    with opened() as own:
        found = lookups.notification(own.reader, notification_id)
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


COMMANDS: tuple[click.Command, ...] = (connections, events)


def _replays(own: Container) -> Replays:
    return Replays(reader=own.reader, inbox=own.inbox, bell=own.bell)


def _report(results: Iterator[Replayed], *, as_json: bool, status: str = "pending") -> bool:
    """Print what became of each message; whether all of them have ``status`` now."""
    done: list[dict[str, str]] = []
    problems: list[dict[str, object]] = []
    verb, done_to = ("discard", "discarded") if status == DISCARDED else ("replay", "replayed")
    for result in results:
        if result.problem is None:
            done.append({"event_id": result.event_id, "status": status})
            said = status
        else:
            problems.append(result.problem.problem())
            said = f"not {done_to}: {in_words(result.problem)}"
        if not as_json:
            click.echo(f"{result.event_id}  {said}")
    if as_json:
        print_json({"items": done, "problems": problems})
    elif not done and not problems:
        click.echo(f"There is nothing to {verb}.")
    return not problems
