"""``api-keys``: named keys of callers of the API, made and revoked while the service runs."""

import click

from processor.cli.options import as_json_option
from processor.cli.printing import Column, print_page, print_result
from processor.cli.store_access import open_store
from processor.settings.people import Scope

COLUMNS: tuple[Column, ...] = (
    ("NAME", "name"),
    ("SCOPES", "scopes"),
    ("FROM", "source"),
    ("MADE", "created_at"),
)


@click.group("api-keys")
def api_keys() -> None:
    """Who may call the API."""


@api_keys.command("add")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="May be given again; write includes read, admin both.",
)
@as_json_option
def add(name: str, scopes: tuple[str, ...]) -> None:
    """Make a key and print it, which is done only now."""
    with open_store() as container:
        stored, key = container.api_keys.add(name, scopes)
    print_result(
        {"name": name, "scopes": sorted(scopes), "created_at": stored.created_at, "key": key},
        f"{key}\nKeep it now: it is not shown again.",
    )


@api_keys.command("list")
@as_json_option
def list_keys() -> None:
    """List the keys: those of API_KEYS, and those that were made."""
    with open_store() as container:
        items = container.api_keys.rows()
    print_page({"items": items}, COLUMNS)


@api_keys.command("revoke")
@click.argument("name")
@as_json_option
def revoke(name: str) -> None:
    """End a key that was made; the next call with it is refused."""
    with open_store() as container:
        container.api_keys.revoke(name)
    print_result({"name": name, "status": "revoked"}, f"{name}  revoked")
