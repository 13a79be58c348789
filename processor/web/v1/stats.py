"""Statistics of the service."""

from typing import Any

from processor.resources import queries
from processor.web.dependencies import conditions, get_container
from processor.web.v1.calls import Calls
from processor.web.v1.stats_schemas import StatsSchema

calls = Calls("stats", "How the service stands")


@calls.get("/stats", StatsSchema)
def get_stats() -> dict[str, Any]:
    """Counts by state, the inbox, the lanes, dead letters"""
    container = get_container()
    return queries.stats(container.reader, container.redis, conditions())
