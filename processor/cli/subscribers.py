"""``subscribers``: operators add, change, test and remove subscribers."""

from collections.abc import Mapping
from typing import Any

import click

from processor.cli.options import as_json_option, paged
from processor.cli.printing import Column, print_fields, print_json, print_page
from processor.cli.store_access import open_store
from processor.delivery.rules import TYPES

KEEP_HINT = "Keep the secret now: it is not shown again."


def _last_attempt(item: Mapping[str, Any]) -> Any:
    attempt = item["last_attempt"]
    return attempt and (attempt["error"] or attempt["outcome"])


COLUMNS: tuple[Column, ...] = (
    ("SUBSCRIBER", lambda item: item["id"]),
    ("STATUS", lambda item: item["status"]),
    ("WAITING", lambda item: item["waiting"]),
    ("DELIVERED", lambda item: item["delivered"]),
    ("DEAD", lambda item: item["dead"]),
    ("LAST", _last_attempt),
    ("TYPES", lambda item: item["types"] or "all"),
    ("URL", lambda item: item["url"]),
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
def add(url: str, types: tuple[str, ...], headers: tuple[str, ...], as_json: bool, **fields: Any) -> None:
    """Add a subscriber; prints its secret, which is shown only now."""
    with open_store() as container:
        same_url = [subscriber.id for subscriber in container.subscribers.all() if subscriber.url == url]
        subscriber = container.subscriber_service.add(
            url=url, types=types, headers=dict(map(_parse_header, headers)), **fields
        )
    _print_with_secret(subscriber, as_json=as_json)
    if same_url:
        click.echo(f"The same address has {', '.join(same_url)}: what both want is told twice.", err=True)


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
        _print(container.subscriber_service.show(subscriber_id), as_json=as_json)


@subscribers.command("rotate")
@click.argument("subscriber_id", metavar="ID")
@as_json_option
def rotate(subscriber_id: str, as_json: bool) -> None:
    """Give it a new secret; for 24 hours the old one signs too."""
    with open_store() as container:
        subscriber = container.subscriber_service.rotate(subscriber_id)
    _print_with_secret(subscriber, as_json=as_json)


@subscribers.command("enable")
@click.argument("subscriber_id", metavar="ID")
@as_json_option
def enable(subscriber_id: str, as_json: bool) -> None:
    """Let it be told again; what waited is sent."""
    with open_store() as container:
        _print(container.subscriber_service.change(subscriber_id, enabled=True), as_json=as_json)


@subscribers.command("disable")
@click.argument("subscriber_id", metavar="ID")
@as_json_option
def disable(subscriber_id: str, as_json: bool) -> None:
    """Send it nothing until it is enabled; what is decided meanwhile is not kept for it."""
    with open_store() as container:
        _print(container.subscriber_service.change(subscriber_id, enabled=False), as_json=as_json)


@subscribers.command("test")
@click.argument("subscriber_id", metavar="ID")
@as_json_option
def send_test(subscriber_id: str, as_json: bool) -> None:
    """Send it a test message; `subscribers show` tells what came of it."""
    with open_store() as container:
        _print(container.subscriber_service.send_test(subscriber_id), as_json=as_json)


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


COMMANDS: tuple[click.Command, ...] = (subscribers,)


def _parse_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise click.UsageError("A header is written NAME:VALUE.")
    return name.strip(), value.strip()


def _print_with_secret(subscriber: dict[str, Any], *, as_json: bool) -> None:
    _print(subscriber, as_json=as_json)
    if not as_json:
        click.echo(KEEP_HINT)


def _print(subscriber: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(subscriber)
    elif "types" in subscriber:
        print_fields({**subscriber, "types": subscriber["types"] or "all"})
    else:
        print_fields(subscriber)
