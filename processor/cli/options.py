"""Options and arguments that several commands share."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from processor.codat.json_values import folded

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

Command = TypeVar("Command", bound=Callable[..., Any])

_JSON = "processor.cli.options.json"
"""Where the context's ``meta`` has the option ``--json`` of the command."""


def _keep_json(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    ctx.meta[_JSON] = value


as_json_option = click.option(
    "--json", is_flag=True, expose_value=False, callback=_keep_json, help="Print what the API answers."
)


def wants_json() -> bool:
    """Whether the current command was called with ``--json``."""
    return bool(click.get_current_context().meta[_JSON])


def paged(command: Command) -> Command:
    """Add the options of a list: ``--limit``, ``--cursor`` and ``--json``."""
    cursor = click.option("--cursor", metavar="CURSOR", help="Where the page before ended.")
    limit = click.option(
        "--limit",
        type=click.IntRange(1, MAX_LIMIT),
        default=DEFAULT_LIMIT,
        show_default=True,
        help="Most to show.",
    )
    return limit(cursor(as_json_option(command)))


def company_option(help: str) -> Callable[[Command], Command]:
    return click.option("--company", "company_id", metavar="ID", callback=codat_id, help=help)


def moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """Parse a time in ISO 8601; UTC if it names no zone."""
    if value is None:
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return (parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{value!r} is no time like 2026-11-22T15:00:00Z.") from None


def codat_id(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """An id of Codat, in the case in which it is stored."""
    return value and folded(value)


def read_secret(name: str, *, twice: bool = False) -> str:
    """A secret from the input, or asked for at a terminal: an argument would be in the shell's history."""
    if sys.stdin.isatty():
        return str(click.prompt(name, hide_input=True, confirmation_prompt=twice))
    return sys.stdin.readline().rstrip("\r\n")
