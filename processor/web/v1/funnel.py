"""The funnel: how far connections come, and where they stop."""

from typing import Any

from marshmallow import fields

from processor.resources import funnel
from processor.web.dependencies import get_container
from processor.web.v1.calls import Calls
from processor.web.v1.fields import ResponseSchema, by_name, flag, many, moment, number, text
from processor.web.v1.parameters import DaysQuery

calls = Calls("funnel", "How far connections come")


class FunnelFiguresSchema(ResponseSchema):
    """The figures of some connections."""

    chosen = number("Connections for which a platform was chosen.")
    authorized = number("Of these, how many were authorised at least once.")
    read = number("Of these, how many had a first read.")
    ready = number("Of these, how many were ready at least once.")
    conversion = fields.Float(
        required=True, allow_none=True, metadata={"description": "`ready` of `chosen`, 0 to 1."}
    )
    median_s = by_name(fields.Float, "The median time from the choice to each step, in seconds.")
    stops = by_name(fields.Integer, "Where those that are not ready stopped.")


class FunnelRowSchema(FunnelFiguresSchema):
    """The connections of one cohort."""

    day = text("The day (UTC) on which they were first heard of.", format="date")
    platform = text("The platform's name.")
    source_type = text("`Accounting`, `Banking`, ...")


class FunnelSchema(ResponseSchema):
    """The funnel."""

    since = moment("Connections first heard of since then.")
    complete = flag(f"Whether all were looked at: `false` beyond the newest {funnel.MAX_ON_PAGE:,}.")
    total = fields.Nested(FunnelFiguresSchema, required=True)
    rows = many(FunnelRowSchema, "By day, platform and source type; newest day first.")


@calls.get("/funnel", FunnelSchema, query=DaysQuery)
def get_funnel(days: int) -> dict[str, Any]:
    """How far connections came, by day, platform and source type

    Without personal data.
    """
    container = get_container()
    now = container.clock()
    return funnel.report(container.reader, now, days=days, max_connections=funnel.MAX_ON_PAGE)
