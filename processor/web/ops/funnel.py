"""The page of the funnel: how far connections come, and where they stop."""

from typing import Any

from flask import Response

from processor.resources import funnel
from processor.web.dependencies import get_container
from processor.web.ops import csv_export, rendering, sparkline
from processor.web.ops.rendering import blueprint
from processor.web.v1.parameters import FunnelQuery

COLUMNS: tuple[csv_export.Column, ...] = (
    *("day", "platform", "source_type", *funnel.STEPS[1:], "conversion"),
    *((f"{name}_after_s", lambda row, name=name: row["median_s"].get(name)) for name in funnel.STEPS[2:]),
    ("stops", lambda row: "; ".join(f"{stop}: {count}" for stop, count in row["stops"].items())),
    ("reasons", lambda row: "; ".join(f"{reason}: {count}" for reason, count in row["reasons"].items())),
)


@blueprint.get("/funnel")
def funnel_page() -> Response:
    """The funnel of the last days."""
    query = rendering.query_of(FunnelQuery)
    container = get_container()
    most = funnel.MAX_ON_PAGE
    counted = funnel.report(container.reader, container.clock(), max_connections=most, **query)
    if csv_export.is_wanted():

        def rows(**_: Any) -> dict[str, Any]:
            return {"items": counted["rows"], "next_cursor": None}

        return csv_export.response("funnel", COLUMNS, rows, {})
    return rendering.page(
        "funnel",
        counted=counted,
        query=query,
        titles=funnel.TITLES,
        chart=funnel.chart(counted),
        spark=sparkline,
    )
