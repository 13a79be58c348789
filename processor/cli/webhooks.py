"""``webhooks``: operators make, see and remove our webhook consumers at Codat."""

from typing import Any

import click

from processor.bootstrap import Container
from processor.cli.inspect import as_json_option
from processor.cli.opened import opened
from processor.cli.printing import Column, print_fields, print_json, print_table
from processor.codat.answers import WebhookConsumer
from processor.codat.client import CodatClient
from processor.errors import ProcessorError
from processor.truth import consumers

CONSUMER_COLUMNS: tuple[Column, ...] = (
    ("CONSUMER", lambda item: item["id"]),
    ("ENABLED", lambda item: item["enabled"]),
    ("COMPLETE", lambda item: item["complete"]),
    ("URL", lambda item: item["url"]),
    ("EVENT TYPES", lambda item: item["event_types"] or "all"),
)


@click.group()
def webhooks() -> None:
    """Our webhook consumers at Codat."""


@webhooks.command("register")
@click.option("--url", required=True, metavar="URL", help=f"Our address: https://…{consumers.ADDRESS}.")
@click.option("--force", is_flag=True, help="Also another path, or http:// on a public host.")
@as_json_option
def register_webhook(url: str, *, force: bool, as_json: bool) -> None:
    """Create the consumer for the event types that we handle; harmless when it is there already."""
    with opened() as own:
        public_url = own.settings.public_url
        found = consumers.register(_client(own), url, public_url=public_url, force=force)
    if as_json:
        print_json({**_consumer(found.consumer), "made": found.made})
        return
    print_fields(_consumer(found.consumer))
    if found.made:
        click.echo("\nNow copy its signing secret from Codat's portal into CODAT_WEBHOOK_SECRETS.")
    else:
        click.echo("\nIt was there already; nothing was changed.")


@webhooks.command("list")
@as_json_option
def list_webhooks(*, as_json: bool) -> None:
    """List all consumers that Codat has."""
    with opened() as own:
        items = [_consumer(one) for one in _client(own).list_webhooks()]
    if as_json:
        print_json({"items": items, "next_cursor": None})
    else:
        print_table(items, CONSUMER_COLUMNS)


@webhooks.command("remove")
@click.argument("named", metavar="ID|URL...", nargs=-1, required=True)
@as_json_option
def remove_webhooks(named: tuple[str, ...], *, as_json: bool) -> None:
    """Remove consumers by their id or address."""
    with opened() as own:
        removed = [_consumer(one) for one in consumers.remove(_client(own), named)]
    if as_json:
        print_json({"items": removed, "next_cursor": None})
    else:
        for one in removed:
            click.echo(f"{one['id']}  removed ({one['url']})")


COMMANDS: tuple[click.Command, ...] = (webhooks,)


def _client(own: Container) -> CodatClient:
    if own.codat is None:
        raise ProcessorError("CODAT_API_KEY is not set: Codat cannot be asked.")
    return own.codat


def _consumer(one: WebhookConsumer) -> dict[str, Any]:
    return {
        "id": one.id,
        "url": one.url,
        "enabled": not one.disabled,
        "complete": consumers.is_complete(one),
        "event_types": list(one.event_types),
        "company_tags": list(one.company_tags),
    }
