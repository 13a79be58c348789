"""``conditions``: operators list what is wrong now, and mute its alerts for a time."""

import math
from datetime import timedelta

import click

from processor.cli.options import as_json_option, wants_json
from processor.cli.printing import Column, print_json, print_result, print_table
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
def list_conditions() -> None:
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
    if wants_json():
        print_json(rows)
    else:
        print_table(rows, COLUMNS)


@conditions.command("mute")
@click.argument("condition")
@click.option("--hours", type=click.FloatRange(0.01, 720), default=8, show_default=True, help="For how long.")
@as_json_option
def mute_condition(condition: str, hours: float) -> None:
    """Mute a code, or one condition (code and subject), also before it begins; its end is still told."""
    if math.isnan(hours):  # click's range takes it
        raise click.UsageError("--hours must be a number.")
    with open_store() as container:
        now = container.clock()
        until = now + timedelta(hours=hours)
        mutes.mute(container.redis, condition, until, now)
    print_result(
        {"condition": condition, "muted_until": iso_or_none(until)},
        f"{condition} is muted until {iso_or_none(until)}.",
    )


@conditions.command("unmute")
@click.argument("condition")
@as_json_option
def unmute_condition(condition: str) -> None:
    """End a mute."""
    with open_store() as container:
        was_muted = mutes.unmute(container.redis, condition)
    print_result(
        {"condition": condition, "was_muted": was_muted},
        f"{condition} {'is no longer muted' if was_muted else 'was not muted'}.",
    )
