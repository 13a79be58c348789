"""``events``, ``dead-letters``: operators look at messages, replay and discard them."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from processor.alerts.replay import DISCARDABLE, DISCARDED, ReplayResult
from processor.cli.browse import as_json_option, codat_id, field, paged
from processor.cli.printing import Column, print_fields, print_json, print_page
from processor.cli.store_access import in_words, open_store
from processor.resources import queries
from processor.store.records import EVENT_STATUSES

DEAD = "dead"
REPLAYABLE = (DEAD, "quarantined", "failed")


def _last_line(item: Mapping[str, Any]) -> str:
    return next(reversed((item["error"] or "").strip().splitlines()), "")


EVENT_COLUMNS: tuple[Column, ...] = (
    ("EVENT", field("id")),
    ("STATUS", field("status")),
    ("TYPE", field("type")),
    ("SOURCE", field("source")),
    ("RECEIVED AT", field("received_at")),
    ("CONNECTIONS", field("connection_ids")),
)
DEAD_LETTER_COLUMNS: tuple[Column, ...] = (
    ("EVENT", field("id")),
    ("TYPE", field("type")),
    ("RECEIVED AT", field("received_at")),
    ("ATTEMPTS", field("attempts")),
    ("ERROR", _last_line),
)


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
    with open_store() as container:
        page = queries.events(container.reader, **query)
    print_page(page, EVENT_COLUMNS, as_json=as_json)


@events.command("show")
@click.argument("event_id", metavar="ID")
@as_json_option
def show_event(event_id: str, *, as_json: bool) -> None:
    """Show one message with its body."""
    with open_store() as container:
        found = queries.event(container.reader, event_id)
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
    with open_store() as container:
        replays = container.replay_service
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
    with open_store() as container:
        replays = container.replay_service
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
    with open_store() as container:
        page = queries.events(container.reader, status=DEAD, **query)
    print_page(page, DEAD_LETTER_COLUMNS, as_json=as_json)


@dead_letters.command("replay")
@click.argument("event_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@as_json_option
def replay_dead_letters(event_ids: tuple[str, ...], *, everything: bool, as_json: bool) -> None:
    """Handle dead letters once more."""
    if bool(event_ids) == everything:
        raise click.UsageError("Name either dead letters or --all.")
    with open_store() as container:
        replays = container.replay_service
        ids = replays.ids_of(DEAD) if everything else iter(dict.fromkeys(event_ids))
        replayed = _report(replays.replay_each(ids, only=DEAD), as_json=as_json)
    sys.exit(0 if replayed else 1)


COMMANDS: tuple[click.Command, ...] = (events, dead_letters)


def _report(results: Iterator[ReplayResult], *, as_json: bool, status: str = "pending") -> bool:
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
