"""``webhooks``: operators register, list and remove our webhook consumers at Codat."""

from typing import Any

import click

from processor.cli.options import as_json_option
from processor.cli.printing import Column, print_fields, print_json, print_page
from processor.cli.store_access import open_store
from processor.codat.client import CodatClient
from processor.codat.models import WebhookConsumer
from processor.container import Container
from processor.errors import ProcessorError
from processor.reconciliation import webhook_registration, wiring

CONSUMER_COLUMNS: tuple[Column, ...] = (
    ("CONSUMER", "id"),
    ("ENABLED", "enabled"),
    ("COMPLETE", "complete"),
    ("URL", "url"),
    ("EVENT TYPES", lambda item: item["event_types"] or "all"),
)


@click.group()
def webhooks() -> None:
    """Our webhook consumers at Codat."""


@webhooks.command("register")
@click.option(
    "--url", required=True, metavar="URL", help=f"Our address: https://…{webhook_registration.WEBHOOK_PATH}."
)
@click.option("--force", is_flag=True, help="Also another path, or http:// on a public host.")
@as_json_option
def register_webhook(url: str, *, force: bool, as_json: bool) -> None:
    """Create the consumer for the event types that we handle; harmless when it is there already."""
    with open_store() as container:
        public_url = container.settings.public_url
        registration = webhook_registration.register(
            _client(container), url, public_url=public_url, force=force
        )
        wiring.check_consumers(container)
    if as_json:
        print_json({**_fields(registration.consumer), "made": registration.is_new})
        return
    print_fields(_fields(registration.consumer))
    if registration.is_new:
        click.echo("\nNow copy its signing secret from Codat's portal into CODAT_WEBHOOK_SECRETS.")
    else:
        click.echo("\nIt was there already; nothing was changed.")


@webhooks.command("list")
@as_json_option
def list_webhooks(*, as_json: bool) -> None:
    """List all consumers that Codat has."""
    with open_store() as container:
        items = [_fields(consumer) for consumer in _client(container).list_webhooks()]
    print_page({"items": items, "next_cursor": None}, CONSUMER_COLUMNS, as_json=as_json)


@webhooks.command("remove")
@click.argument("ids_or_urls", metavar="ID|URL...", nargs=-1, required=True)
@as_json_option
def remove_webhooks(ids_or_urls: tuple[str, ...], *, as_json: bool) -> None:
    """Remove consumers by their id or address."""
    with open_store() as container:
        consumers = webhook_registration.remove(_client(container), ids_or_urls)
    removed = [_fields(consumer) for consumer in consumers]
    if as_json:
        print_json({"items": removed, "next_cursor": None})
    else:
        for fields in removed:
            click.echo(f"{fields['id']}  removed ({fields['url']})")


def _client(container: Container) -> CodatClient:
    if container.codat is None:
        raise ProcessorError("CODAT_API_KEY is not set: Codat cannot be asked.")
    return container.codat


def _fields(consumer: WebhookConsumer) -> dict[str, Any]:
    return {
        "id": consumer.id,
        "url": consumer.url,
        "enabled": not consumer.disabled,
        "complete": webhook_registration.is_complete(consumer),
        "event_types": list(consumer.event_types),
        "company_tags": list(consumer.company_tags),
    }
