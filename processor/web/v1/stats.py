"""How the service stands."""

from typing import Any

from processor import lookups
from processor.web.context import conditions, container
from processor.web.v1.calls import Calls
from processor.web.v1.stats_schemas import StatsSchema

calls = Calls("stats", "How the service stands")


@calls.get("/stats", StatsSchema)
def get_stats() -> dict[str, Any]:
    """Counts by state, the inbox, the roads out, dead letters"""
    own = container()
    found = conditions()
    return lookups.stats(own.reader, own.redis, found)
