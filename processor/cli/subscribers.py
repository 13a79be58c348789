"""``subscribers``, and what belongs to deliveries of ``notifications`` and ``dead-letters``."""

import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

import click

from processor.cli.browse import as_json_option, moment, notifications, paged
from processor.cli.events import dead_letters
from processor.cli.printing import Column, print_fields, print_json, print_page, print_table
from processor.cli.store_access import in_words, open_store
from processor.delivery.redelivery import RedeliveryResult, RedeliveryService
from processor.delivery.rules import TYPES
from processor.errors import ProcessorError

KEPT = "Keep the secret now: it is not shown again."


def _last(item: Mapping[str, Any]) -> Any:
    last = item["last_attempt"]
    if last is None:
        return None
    return last["error"] or last["outcome"]


COLUMNS: tuple[Column, ...] = (
    ("SUBSCRIBER", lambda item: item["id"]),
    ("STATUS", lambda item: item["status"]),
    ("WAITING", lambda item: item["waiting"]),
    ("DELIVERED", lambda item: item["delivered"]),
    ("DEAD", lambda item: item["dead"]),
    ("LAST", _last),
    ("TYPES", lambda item: item["types"] or "all"),
    ("URL", lambda item: item["url"]),
)
DEAD_COLUMNS: tuple[Column, ...] = (
    ("DECIDED", itemgetter("timestamp")),
    ("NOTIFICATION", itemgetter("id")),
    ("TYPE", itemgetter("type")),
    ("LANE", itemgetter("lane")),
)


@click.group()
def subscribers() -> None:
    """Who is told by signed webhooks."""


@subscribers.command("add")
@click.argument("url")
@click.option(
    "--type", "types", multiple=True, type=click.Choice(TYPES), help="Only this type; may be given again."
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME:VALUE",
    help="Sent with each request; may be given again.",
)
@click.option("--ordered", is_flag=True, help="Those of one connection never overtake each other.")
@click.option("--description", default="", help="A note of yours.")
@as_json_option
def add(url: str, types: tuple[str, ...], headers: tuple[str, ...], as_json: bool, **more: Any) -> None:
    """Add a subscriber; prints its secret, which is shown only now."""
    own_headers = dict(map(_header, headers))
    with open_store() as container:
        same = [subscriber.id for subscriber in container.subscribers.all() if subscriber.url == url]
        made = container.subscriber_service.add(url=url, types=types, headers=own_headers, **more)
    _with_secret(made, as_json=as_json)
    if same:
        click.echo(f"The same address has {', '.join(same)}: what both want is told twice.", err=True)


@subscribers.command("list")
@paged
def list_subscribers(as_json: bool, **query: Any) -> None:
    """List subscribers, newest first."""
    with open_store() as container:
        page = container.subscriber_service.list(**query)
    print_page(page, COLUMNS, as_json=as_json)


@subscribers.command("show")
@click.argument("subscriber_id", metavar="ID")
@as_json_option
def show(subscriber_id: str, as_json: bool) -> None:
    """Show one subscriber, how its lane stands, and what came of the last test."""
    with open_store() as container:
        _shown(container.subscriber_service.show(subscriber_id), as_json=as_json)


@subscribers.command("rotate")
@click.argument("subscriber_id", metavar="ID")
@as_json_option
def rotate(subscriber_id: str, as_json: bool) -> None:
    """Give it a new secret; for 24 hours the old one signs too."""
    with open_store() as container:
        made = container.subscriber_service.rotate(subscriber_id)
    _with_secret(made, as_json=as_json)


@subscribers.command("enable")
@click.argument("subscriber_id", metavar="ID")
@as_json_option
def enable(subscriber_id: str, as_json: bool) -> None:
    """Let it be told again; what waited is sent."""
    with open_store() as container:
        _shown(container.subscriber_service.change(subscriber_id, enabled=True), as_json=as_json)


@subscribers.command("disable")
@click.argument("subscriber_id", metavar="ID")
@as_json_option
def disable(subscriber_id: str, as_json: bool) -> None:
    """Send it nothing until it is enabled; what is decided meanwhile is not kept for it."""
    with open_store() as container:
        _shown(container.subscriber_service.change(subscriber_id, enabled=False), as_json=as_json)


@subscribers.command("test")
@click.argument("subscriber_id", metavar="ID")
@as_json_option
def send_test(subscriber_id: str, as_json: bool) -> None:
    """Send it a test message; `subscribers show` tells what came of it."""
    with open_store() as container:
        _shown(container.subscriber_service.send_test(subscriber_id), as_json=as_json)


@subscribers.command("remove")
@click.argument("subscriber_id", metavar="ID")
@as_json_option
def remove(subscriber_id: str, as_json: bool) -> None:
    """Remove it; what waits for it is not sent."""
    with open_store() as container:
        container.subscriber_service.remove(subscriber_id)
    if as_json:
        print_json({"id": subscriber_id, "status": "removed"})
    else:
        click.echo(f"{subscriber_id}  removed")


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
    as_json: bool,
) -> None:
    """Send notifications again, under the same ids."""
    if sum((bool(notification_ids), since is not None, dead)) != 1:
        raise click.UsageError("Name either notifications, --since or --dead.")
    if undelivered and since is None:
        raise click.UsageError("--undelivered goes with --since.")
    with open_store() as container:
        redelivery = container.redelivery_service
        results: Iterator[RedeliveryResult | tuple[str, ProcessorError]]
        if since is not None:
            results = redelivery.redeliver_since(
                since, subscriber_id=subscriber_id, undelivered=undelivered, dry_run=dry_run
            )
        elif dead:
            results = redelivery.redeliver_dead(subscriber_id=subscriber_id, dry_run=dry_run)
        else:
            results = _each(redelivery, notification_ids, subscriber_id, dry_run=dry_run)
        as_wished = _report(results, dry_run=dry_run, as_json=as_json)
    sys.exit(0 if as_wished else 1)


@dead_letters.command("deliveries")
@click.option("--subscriber", "subscriber_id", metavar="ID", help="Only those of this subscriber.")
@as_json_option
def list_dead_deliveries(subscriber_id: str | None, as_json: bool) -> None:
    """List deliveries that failed to the last, the oldest first."""
    with open_store() as container:
        redelivery = container.redelivery_service
        items = []
        for id_, lane_id in redelivery.dead_letters(subscriber_id=subscriber_id):
            row = container.reader.notification(id_)
            if row is not None:
                body = row["body"]
                items.append(
                    {"id": id_, "lane": lane_id, "type": body["type"], "timestamp": body["timestamp"]}
                )
    if as_json:
        print_json({"items": items, "next_cursor": None})
    else:
        print_table(items, DEAD_COLUMNS)


COMMANDS: tuple[click.Command, ...] = (subscribers, notifications, dead_letters)


def _each(
    redelivery: RedeliveryService, ids: tuple[str, ...], subscriber_id: str | None, *, dry_run: bool
) -> Iterator[RedeliveryResult | tuple[str, ProcessorError]]:
    """One after the other; what one of them cannot does not stop the others."""
    for id_ in dict.fromkeys(ids):
        try:
            yield redelivery.redeliver(id_, subscriber_id=subscriber_id, dry_run=dry_run)
        except ProcessorError as error:
            yield id_, error


def _report(
    results: Iterator[RedeliveryResult | tuple[str, ProcessorError]], *, dry_run: bool, as_json: bool
) -> bool:
    done: list[dict[str, Any]] = []
    problems: list[dict[str, object]] = []
    for result in results:
        if isinstance(result, RedeliveryResult):
            done.append({"id": result.notification_id, "type": result.type, "lanes": list(result.lanes)})
            line = f"{result.notification_id}  {result.type}  to {', '.join(result.lanes)}"
        else:
            problems.append({"id": result[0], **result[1].problem()})
            line = f"{result[0]}  not sent: {in_words(result[1])}"
        if not as_json:
            click.echo(line)
    if as_json:
        print_json({"dry_run": dry_run, "items": done, "problems": problems})
    else:
        what, verb = ("1 notification", "is") if len(done) == 1 else (f"{len(done)} notifications", "are")
        click.echo(f"{what} {'would be' if dry_run else verb} sent again.")
    return not problems


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise click.UsageError("A header is written NAME:VALUE.")
    return name.strip(), value.strip()


def _with_secret(made: dict[str, Any], *, as_json: bool) -> None:
    _shown(made, as_json=as_json)
    if not as_json:
        click.echo(KEPT)


def _shown(item: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(item)
    elif "types" in item:
        print_fields({**item, "types": item["types"] or "all"})
    else:
        print_fields(item)
