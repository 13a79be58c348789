"""``conditions``: operators list what is wrong now, and mute its alerts for a time."""

from datetime import timedelta

import click

from processor.cli.options import as_json_option
from processor.cli.printing import Column, print_json, print_table
from processor.cli.store_access import open_store
from processor.clock import iso_or_none
from processor.conditions import evaluation, mutes

COLUMNS: tuple[Column, ...] = (
    ("CONDITION", "condition"),
    ("SEVERITY", "severity"),
    ("SINCE", "since"),
    ("MUTED UNTIL", "muted_until"),
    ("SENTENCE", "sentence"),
)


@click.group()
def conditions() -> None:
    """What is wrong now, and what alerts about it."""


@conditions.command("list")
@as_json_option
def list_conditions(*, as_json: bool) -> None:
    """List the conditions that hold now, the worst first."""
    with open_store() as container:
        current = evaluation.current(container.redis, container.settings, now=container.clock())
    rows = [
        {
            "condition": condition.key,
            "severity": condition.severity.value,
            "since": iso_or_none(condition.since),
            "muted_until": iso_or_none(condition.muted_until),
            "sentence": condition.sentence,
            "advice": condition.advice,
        }
        for condition in current
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS)


@conditions.command("mute")
@click.argument("condition")
@click.option("--hours", type=click.FloatRange(0.01, 720), default=8, show_default=True, help="For how long.")
@as_json_option
def mute_condition(condition: str, hours: float, *, as_json: bool) -> None:
    """Mute a code, or one condition (code and subject), also before it begins; its end is still told."""
    with open_store() as container:
        now = container.clock()
        until = now + timedelta(hours=hours)
        mutes.mute(container.redis, condition, until, now)
    if as_json:
        print_json({"condition": condition, "muted_until": iso_or_none(until)})
    else:
        click.echo(f"{condition} is muted until {iso_or_none(until)}.")


@conditions.command("unmute")
@click.argument("condition")
@as_json_option
def unmute_condition(condition: str, *, as_json: bool) -> None:
    """End a mute."""
    with open_store() as container:
        was_muted = mutes.unmute(container.redis, condition)
    if as_json:
        print_json({"condition": condition, "was_muted": was_muted})
    else:
        click.echo(f"{condition} {'is no longer muted' if was_muted else 'was not muted'}.")
