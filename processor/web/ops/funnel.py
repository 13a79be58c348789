"""The page of the funnel: how far connections come, and where they stop."""

from flask import Response

from processor.resources import funnel
from processor.web.dependencies import get_container
from processor.web.ops import rendering
from processor.web.ops.rendering import blueprint
from processor.web.v1.parameters import DaysQuery


@blueprint.get("/funnel")
def funnel_page() -> Response:
    """The funnel of the last days."""
    query = rendering.query_of(DaysQuery)
    container = get_container()
    most = funnel.MAX_ON_PAGE
    counted = funnel.report(container.reader, container.clock(), max_connections=most, **query)
    return rendering.page("funnel", counted=counted, days=query["days"], steps=funnel.STEPS)
