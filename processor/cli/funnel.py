"""``funnel``: how far merchants come, and where they stop."""

import sys
from datetime import datetime
from functools import partial

import click

from handlers.connection import Connection
from processor.cli.options import as_json_option, wants_json
from processor.cli.printing import Column, print_fields, print_json, print_table
from processor.cli.store_access import open_store
from processor.clock import from_iso, from_ms, to_ms
from processor.journey.visit_steps import EVENT_TYPES
from processor.reconciliation import wiring
from processor.resources.funnel import DAYS, PAGE_SIZE, VisitTimes, report, visit_times
from processor.store.cursors import all_items
from processor.store.queries import Reader
from processor.store.records import StoredConnection
from processor.store.visit_steps import KEPT, VisitStep

COLUMNS: tuple[Column, ...] = (
    ("DAY", "day"),
    ("PLATFORM", "platform"),
    ("SOURCE TYPE", "source_type"),
    ("CHOSEN", "chosen"),
    ("AT CODAT", "at_codat"),
    ("AUTHORIZED", "authorized"),
    ("READ", "read"),
    ("READY", "ready"),
    ("STOPS", "stops"),
)


@click.command()
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=DAYS,
    show_default=True,
    help=f"How far to look back; steps of visitors are kept for {KEPT.days} days.",
)
@click.option("--platform", metavar="NAME", help="Only connections to this platform.")
@click.option("--source-type", metavar="NAME", help="Only connections of this source type.")
@click.option(
    "--verify", is_flag=True, help="Count again from the kept messages; exit code 1 if that differs."
)
@as_json_option
def funnel(*, days: int, platform: str | None, source_type: str | None, verify: bool) -> None:
    """Count how far merchants came, by day, platform and source type."""
    is_same, left_out = True, 0
    with open_store() as container:
        now, reader = container.clock(), container.reader
        count = partial(report, reader, now, days=days, platform=platform, source_type=source_type)
        counted = count()
        if verify:
            verification = wiring.build_verification(container)

            def from_messages(stored: StoredConnection) -> Connection:
                nonlocal left_out
                rebuilt = verification.rebuilt(stored.connection)[0]
                left_out += rebuilt is None
                return rebuilt or stored.connection

            visits, not_kept = _visits_from_messages(reader, from_iso(counted["since"]))
            left_out += not_kept
            is_same = count(source=from_messages, visits=visits) == counted
    if wants_json():
        print_json({**counted, **({"same": is_same, "not_recounted": left_out} if verify else {})})
    else:
        print_table(counted["rows"], COLUMNS)
        click.echo()
        print_fields(counted["total"])
        if counted["unreadable"]:
            click.echo(f"Not counted, for their records cannot be read: {counted['unreadable']}.")
        if verify:
            verb = "is the same" if is_same else "differs"
            click.echo(f"The recount from the kept messages {verb}.")
            if left_out:
                click.echo(f"Not recounted, for their messages are not kept any more: {left_out}.")
    sys.exit(0 if is_same else 1)


def _visits_from_messages(reader: Reader, since: datetime) -> tuple[VisitTimes, int]:
    """The steps of visitors as their messages tell, and how many messages are not kept any more.

    A step whose message has expired counts as it is stored.
    """
    steps = {event_type: step for step, event_type in EVENT_TYPES.items()}
    told: dict[VisitStep, dict[str, datetime]] = {step: {} for step in VisitStep}
    at: datetime | None = None
    for row in all_items(partial(reader.list_events, status=None, limit=PAGE_SIZE)):
        at = from_ms(to_ms(from_iso(row["received_at"])))
        step = steps.get(row.get("type") or "")
        if step is not None and at >= since:
            (id_,) = row["connection_ids"] or [row["company_id"]]
            told[step][id_] = at
    expired = 0
    for step, times in visit_times(reader, since).items():
        for id_, stored_at in times.items():
            if id_ not in told[step] and (at is None or stored_at < at):
                told[step][id_], expired = stored_at, expired + 1
    return told, expired
