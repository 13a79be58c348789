"""``dead-letters``: messages and deliveries whose last attempt failed."""

import sys
from collections.abc import Mapping
from typing import Any

import click

from processor.cli.events import report_results
from processor.cli.options import as_json_option, paged
from processor.cli.printing import Column, print_page
from processor.cli.store_access import open_store
from processor.resources import queries

DEAD = "dead"


def _last_line(message: Mapping[str, Any]) -> str:
    return next(reversed((message["error"] or "").strip().splitlines()), "")


MESSAGE_COLUMNS: tuple[Column, ...] = (
    ("EVENT", "id"),
    ("TYPE", "type"),
    ("RECEIVED AT", "received_at"),
    ("ATTEMPTS", "attempts"),
    ("ERROR", _last_line),
)
DELIVERY_COLUMNS: tuple[Column, ...] = (
    ("DECIDED", "timestamp"),
    ("NOTIFICATION", "id"),
    ("TYPE", "type"),
    ("LANE", "lane"),
)


@click.group("dead-letters")
def dead_letters() -> None:
    """Messages whose handling failed to the last."""


@dead_letters.command("list")
@paged
def list_dead_letters(**query: Any) -> None:
    """List dead letters, newest first."""
    with open_store() as container:
        page = queries.events(container.reader, status=DEAD, **query)
    print_page(page, MESSAGE_COLUMNS)


@dead_letters.command("replay")
@click.argument("event_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@as_json_option
def replay_dead_letters(event_ids: tuple[str, ...], *, everything: bool) -> None:
    """Handle dead letters once more."""
    if bool(event_ids) == everything:
        raise click.UsageError("Name either dead letters or --all.")
    with open_store() as container:
        replays = container.replay_service
        ids = replays.ids_of(DEAD) if everything else iter(dict.fromkeys(event_ids))
        replayed = report_results(replays.replay_each(ids, only=DEAD))
    sys.exit(0 if replayed else 1)


@dead_letters.command("deliveries")
@click.option("--subscriber", "subscriber_id", metavar="ID", help="Only those of this subscriber.")
@as_json_option
def list_dead_deliveries(subscriber_id: str | None) -> None:
    """List deliveries that failed to the last, the oldest first."""
    with open_store() as container:
        dead = container.redelivery_service.dead_letters(subscriber_id=subscriber_id)
        items = [
            {"id": id_, "lane": lane, "type": row["body"]["type"], "timestamp": row["body"]["timestamp"]}
            for id_, lane in dead
            if (row := container.reader.notification(id_)) is not None
        ]
    print_page({"items": items, "next_cursor": None}, DELIVERY_COLUMNS)
