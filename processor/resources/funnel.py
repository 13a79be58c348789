"""The funnel: how far the connections of the last days came, from what is stored. No personal data."""

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from handlers.connection import Connection
from handlers.funnel import FunnelRow, Progress, Step, funnel, progress_of
from processor.clock import from_ms, to_iso
from processor.store.cursors import all_items
from processor.store.queries import Reader
from processor.store.records import StoredConnection

PAGE_SIZE = 200
DAYS = 30
MAX_ON_PAGE = 20_000
"""Connections that a request looks at, newest first; the command line looks at all."""

STEPS = tuple(step.value for step in Step)


def report(
    reader: Reader,
    now: datetime,
    *,
    days: int = DAYS,
    max_connections: int | None = None,
    source: Callable[[StoredConnection], Connection] = lambda stored: stored.connection,
) -> dict[str, Any]:
    """The funnel of the connections that were first heard of in the last ``days``.

    At most ``max_connections`` are looked at; ``complete`` says whether these were all. ``source`` gives the
    connection to count for a stored one.
    """
    since, is_complete = now - timedelta(days=days), True
    connections: list[Progress] = []
    for row in all_items(partial(reader.list_connections, limit=PAGE_SIZE)):
        if not isinstance(row, StoredConnection):
            continue
        chosen_at = from_ms(row.first_heard_ms)
        if chosen_at < since:
            break
        if len(connections) == max_connections:
            is_complete = False
            break
        connections.append(progress_of(source(row), chosen_at))
    rows = funnel(connections)
    whole = funnel(
        dataclasses.replace(progress, day=now.date(), platform="", source_type="") for progress in connections
    )
    total = whole[0] if whole else FunnelRow(now.date(), "", "", dict.fromkeys(Step, 0))
    return {
        "since": to_iso(since),
        "complete": is_complete,
        "total": _figures(total),
        "rows": [
            {
                "day": row.day.isoformat(),
                "platform": row.platform,
                "source_type": row.source_type,
                **_figures(row),
            }
            for row in rows
        ],
    }


def _figures(row: FunnelRow) -> dict[str, Any]:
    chosen = row.counts[Step.CHOSEN]
    return {
        **{step.value: row.counts[step] for step in Step},
        "conversion": round(row.counts[Step.READY] / chosen, 4) if chosen else None,
        "median_s": {step.value: seconds for step, seconds in row.median_s.items()},
        "stops": row.stops,
    }
