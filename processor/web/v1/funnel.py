"""The funnel: how far merchants come, and where they stop."""

from typing import Any

from marshmallow import fields

from processor.resources import funnel
from processor.web.dependencies import get_container
from processor.web.v1.calls import Calls
from processor.web.v1.fields import ResponseSchema, by_name, flag, many, moment, number, text
from processor.web.v1.parameters import FunnelQuery

calls = Calls("funnel", "How far merchants come")


class FunnelFiguresSchema(ResponseSchema):
    """The figures of some connections."""

    opened = number("Companies whose link was opened by a person; 0 where only some connections count.")
    chosen = number("Connections for which a platform was chosen.")
    at_codat = number("Of these, how many users went to Codat's Link.")
    authorized = number("Of these, how many were authorised at least once.")
    read = number("Of these, how many had a first read.")
    ready = number("Of these, how many were ready at least once.")
    conversion = fields.Float(
        required=True, allow_none=True, metadata={"description": "`ready` of `chosen`, 0 to 1."}
    )
    median_s = by_name(
        fields.Float,
        "Median seconds: from the opened link to the choice, and from the choice to each later step.",
    )
    stops = by_name(fields.Integer, "Where companies and connections that are not ready stopped.")
    reasons = by_name(fields.Integer, "The same by Codat's status code, or the statuses of data types.")


class FunnelDaySchema(FunnelFiguresSchema):
    """The companies and connections of one day."""

    day = text(
        "The day (UTC) on which the link was opened, or the connection was first heard of.", format="date"
    )


class FunnelPlatformSchema(FunnelFiguresSchema):
    """The connections of one platform."""

    platform = text("The platform's name.")


class FunnelSourceTypeSchema(FunnelFiguresSchema):
    """The connections of one source type."""

    source_type = text("`Accounting`, `Banking`, ...")


class FunnelRowSchema(FunnelDaySchema, FunnelPlatformSchema, FunnelSourceTypeSchema):
    """The connections of one cohort."""


class FunnelSchema(ResponseSchema):
    """The funnel."""

    since = moment("Links opened, and connections first heard of, since then.")
    complete = flag(
        f"Whether all were looked at: `false` beyond the newest {funnel.MAX_ON_PAGE:,}, or about as many"
        " links."
    )
    unreadable = number("Connections that cannot be read and are not counted.")
    total = fields.Nested(FunnelFiguresSchema, required=True)
    days = many(FunnelDaySchema, "By day, oldest first.")
    platforms = many(FunnelPlatformSchema, "By platform.")
    source_types = many(FunnelSourceTypeSchema, "By source type.")
    rows = many(FunnelRowSchema, "By day, platform and source type; newest day first.")


@calls.get("/funnel", FunnelSchema, query=FunnelQuery)
def get_funnel(**query: Any) -> dict[str, Any]:
    """How far merchants came, by day, platform and source type

    Without personal data.
    """
    container = get_container()
    now = container.clock()
    return funnel.report(container.reader, now, max_connections=funnel.MAX_ON_PAGE, **query)
