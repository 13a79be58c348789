"""``webhooks``: our webhook consumers at Codat, and the signing secrets of their messages."""

from dataclasses import asdict
from typing import Any

import click

from processor.cli.audited import MADE, actor_name
from processor.cli.options import as_json_option, read_secret, wants_json
from processor.cli.printing import Column, print_fields, print_json, print_page, print_result
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
    ("EVENT TYPES", lambda consumer: consumer["event_types"] or "all"),
)


SECRET_COLUMNS: tuple[Column, ...] = (("SECRET", "id"), ("ADDED", "added_at"), ("BY", "added_by"))


@click.group()
def webhooks() -> None:
    """Our webhook consumers at Codat, and the secrets that sign their messages."""


@webhooks.command("register")
@click.option(
    "--url", required=True, metavar="URL", help=f"Our address: https://…{webhook_registration.WEBHOOK_PATH}."
)
@click.option("--force", is_flag=True, help="Also another path, or http:// on a public host.")
@as_json_option
def register_webhook(url: str, *, force: bool) -> None:
    """Create the consumer for the event types that we handle; harmless when it is there already."""
    with open_store() as container:
        public_url = container.settings.public_url
        registration = webhook_registration.register(
            _client(container), url, public_url=public_url, force=force
        )
        wiring.check_consumers(container)
    if wants_json():
        print_json({**_fields(registration.consumer), "made": registration.is_new})
        return
    print_fields(_fields(registration.consumer))
    if registration.is_new:
        click.echo(
            "\nNow copy its signing secret from Codat's portal,"
            " and add it with `codat-processor webhooks add-secret`."
        )
    else:
        click.echo("\nIt was there already; nothing was changed.")


@webhooks.command("list")
@as_json_option
def list_webhooks() -> None:
    """List all consumers that Codat has."""
    with open_store() as container:
        items = [_fields(consumer) for consumer in _client(container).list_webhooks()]
    print_page({"items": items, "next_cursor": None}, CONSUMER_COLUMNS)


@webhooks.command("remove")
@click.argument("ids_or_urls", metavar="ID|URL...", nargs=-1, required=True)
@as_json_option
def remove_webhooks(ids_or_urls: tuple[str, ...]) -> None:
    """Remove consumers by their id or address."""
    with open_store() as container:
        consumers = webhook_registration.remove(_client(container), ids_or_urls)
    removed = [_fields(consumer) for consumer in consumers]
    lines = [f"{fields['id']}  removed ({fields['url']})" for fields in removed]
    print_result({"items": removed, "next_cursor": None}, "\n".join(lines))


@webhooks.command("add-secret")
@as_json_option
def add_secret() -> None:
    """Accept messages signed with one more secret, at once; it is read from the input, or asked for."""
    secret = read_secret("Signing secret")
    with open_store() as container:
        stored = container.webhook_secrets.add(secret, by=actor_name())
        click.get_current_context().meta[MADE] = stored.id
    print_result(asdict(stored), f"{stored.id}  added; it counts within a second")


@webhooks.command("secrets")
@as_json_option
def list_secrets() -> None:
    """List the added signing secrets, without the secrets."""
    with open_store() as container:
        items = [asdict(stored) for stored in container.webhook_secrets.all()]
    print_page({"items": items}, SECRET_COLUMNS)


@webhooks.command("remove-secret")
@click.argument("secret_id", metavar="ID")
@as_json_option
def remove_secret(secret_id: str) -> None:
    """Refuse what is signed with an added secret."""
    with open_store() as container:
        container.webhook_secrets.remove(secret_id)
    print_result({"id": secret_id, "status": "removed"}, f"{secret_id}  removed")


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
