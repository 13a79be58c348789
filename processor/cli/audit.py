"""``audit``: what operators, API keys, commands and receivers did."""

import dataclasses
import json
import sys
from typing import Any

import click

from processor.access.audit import ActorKind
from processor.cli.options import as_json_option, paged, wants_json
from processor.cli.printing import Column, print_json, print_page, print_result
from processor.cli.store_access import open_store
from processor.resources import serializers

KINDS = [kind.value for kind in ActorKind]
COLUMNS: tuple[Column, ...] = (
    ("NUMBER", "number"),
    ("AT", "at"),
    ("WHO", "actor"),
    ("AS", "kind"),
    ("ACTION", "action"),
    ("TARGET", "target"),
    ("OUTCOME", "outcome"),
    ("FROM", "address"),
)


@click.group()
def audit() -> None:
    """The audit trail: who did what, and when."""


@audit.command("list")
@click.option("--kind", type=click.Choice(KINDS), help="Only this kind of actor.")
@click.option("--actor", metavar="NAME", help="Only what this one did.")
@click.option("--action", metavar="ACTION", help="Only this action.")
@click.option("--target", metavar="ID", help="Only what was done to this.")
@paged
def list_entries(**query: Any) -> None:
    """List actions, newest first."""
    with open_store() as container:
        page = container.audit.entries(**query)
    print_page(serializers.page(page), COLUMNS)


@audit.command("export")
@as_json_option
def export() -> None:
    """Print every action as a line of JSON, oldest first; with --json as one list."""
    with open_store() as container:
        if wants_json():
            print_json({"items": list(container.audit.all()), "next_cursor": None})
        else:
            for entry in container.audit.all():
                click.echo(json.dumps(entry))


@audit.command("verify")
@as_json_option
def verify() -> None:
    """Check that no entry was changed, inserted or removed; exit code 1 if one was."""
    with open_store() as container:
        result = container.audit.verify()
    verdict = "NOT WHOLE" if result.faults else "whole"
    summary = f"{result.entries} entries, {verdict}; the newest hash is {result.head or '-'}."
    print_result(dataclasses.asdict(result), "\n".join([*result.faults, summary]))
    sys.exit(1 if result.faults else 0)
