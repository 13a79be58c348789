"""``subscribers``: operators add, change, test and remove subscribers."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from processor.cli.options import as_json_option, paged, wants_json
from processor.cli.printing import Column, print_fields, print_json, print_page, print_result
from processor.cli.store_access import open_store
from processor.delivery.rules import SUBSCRIBABLE_TYPES
from processor.delivery.subscriber_service import SubscriberService

KEEP_HINT = "Keep the secret now: it is not shown again."


def _last_attempt(subscriber: Mapping[str, Any]) -> Any:
    attempt = subscriber["last_attempt"]
    return attempt and (attempt["error"] or attempt["outcome"])


COLUMNS: tuple[Column, ...] = (
    ("SUBSCRIBER", "id"),
    ("STATUS", "status"),
    ("WAITING", "waiting"),
    ("DELIVERED", "delivered"),
    ("DEAD", "dead"),
    ("LAST", _last_attempt),
    ("SUBSCRIBABLE_TYPES", lambda subscriber: subscriber["types"] or "all"),
    ("URL", "url"),
)


@click.group()
def subscribers() -> None:
    """Who is told by signed webhooks."""


@subscribers.command("add")
@click.argument("url")
@click.option(
    "--type",
    "types",
    multiple=True,
    type=click.Choice(SUBSCRIBABLE_TYPES),
    help="Only this type; may be given again.",
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME:VALUE",
    help="Sent with each request; may be given again.",
)
@click.option("--traceparent", is_flag=True, help="Pass the trace of each message on in this header.")
@click.option("--ordered", is_flag=True, help="Those of one connection never overtake each other.")
@click.option(
    "--rate", "rate_per_s", type=float, default=0, metavar="N", help="At most so many requests a second."
)
@click.option("--description", default="", help="A note of yours.")
@as_json_option
def add(url: str, types: tuple[str, ...], headers: tuple[str, ...], **fields: Any) -> None:
    """Add a subscriber; prints its secret, which is shown only now."""
    with open_store() as container:
        same_url = [subscriber.id for subscriber in container.subscribers.all() if subscriber.url == url]
        subscriber = container.subscriber_service.add(
            url=url, types=types, headers=dict(map(_parse_header, headers)), **fields
        )
    _print(subscriber)
    if same_url:
        click.echo(f"The same address has {', '.join(same_url)}: what both want is told twice.", err=True)


@subscribers.command("list")
@paged
def list_subscribers(**query: Any) -> None:
    """List subscribers, newest first."""
    with open_store() as container:
        page = container.subscriber_service.list(**query)
    print_page(page, COLUMNS)


def _add_command(name: str, act: Callable[[SubscriberService, str], dict[str, Any]], help: str) -> None:
    """Add a command that acts on one subscriber and prints it."""

    @subscribers.command(name, help=help)
    @click.argument("subscriber_id", metavar="ID")
    @as_json_option
    def command(subscriber_id: str) -> None:
        with open_store() as container:
            subscriber = act(container.subscriber_service, subscriber_id)
        _print(subscriber)


_add_command(
    "show",
    SubscriberService.show,
    "Show one subscriber, how its lane stands, and what came of the last test.",
)
_add_command("rotate", SubscriberService.rotate, "Give it a new secret; for 24 hours the old one signs too.")
_add_command(
    "enable",
    lambda service, subscriber_id: service.change(subscriber_id, enabled=True),
    "Let it be told again; what waited is sent.",
)
_add_command(
    "disable",
    lambda service, subscriber_id: service.change(subscriber_id, enabled=False),
    "Send it nothing until it is enabled; what is decided meanwhile is not kept for it.",
)
_add_command(
    "test",
    SubscriberService.send_test,
    "Send it a test message; `subscribers show` tells what came of it.",
)


@subscribers.command("portal")
@click.argument("subscriber_id", metavar="ID")
@click.option("--days", type=click.IntRange(1, 90), default=7, show_default=True, help="How long it works.")
@as_json_option
def portal(subscriber_id: str, days: int) -> None:
    """Print a link to its deliveries alone, for its owner: attempts, test, rotate, send again."""
    with open_store() as container:
        root = container.settings.public_url or container.settings.local_url
        url = container.portal_url(subscriber_id, days=days, root=root)
    print_result({"subscriber_id": subscriber_id, "url": url, "days": days}, url)


@subscribers.command("revoke-portal")
@click.argument("subscriber_id", metavar="ID")
@as_json_option
def revoke_portal(subscriber_id: str) -> None:
    """End the links to its own page that were made so far; those of others stay."""
    with open_store() as container:
        container.subscribers.revoke_portal(subscriber_id)
    print_result(
        {"id": subscriber_id, "status": "revoked"}, f"{subscriber_id}  the links to its page are revoked"
    )


@subscribers.command("remove")
@click.argument("subscriber_id", metavar="ID")
@as_json_option
def remove(subscriber_id: str) -> None:
    """Remove it; what waits for it is not sent."""
    with open_store() as container:
        container.subscriber_service.remove(subscriber_id)
    print_result({"id": subscriber_id, "status": "removed"}, f"{subscriber_id}  removed")


def _parse_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise click.UsageError("A header is written NAME:VALUE.")
    return name.strip(), value.strip()


def _print(subscriber: dict[str, Any]) -> None:
    if wants_json():
        print_json(subscriber)
        return
    print_fields(
        {**subscriber, "types": subscriber["types"] or "all"} if "types" in subscriber else subscriber
    )
    if "secret" in subscriber:
        click.echo(KEEP_HINT)
