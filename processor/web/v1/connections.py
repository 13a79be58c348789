"""Connections and what happened to them."""

from typing import Any

from processor.resources import queries
from processor.web.dependencies import get_container
from processor.web.v1.calls import Calls
from processor.web.v1.fields import page_of
from processor.web.v1.parameters import ConnectionQuery, PageQuery
from processor.web.v1.schemas import ConnectionSchema, TimelineEntrySchema

ConnectionPageSchema = page_of(ConnectionSchema)

calls = Calls("connections", "Connections and their timelines", ids={"connection_id": "A connection's id."})


@calls.get("/connections", ConnectionPageSchema, query=ConnectionQuery)
def list_connections(**query: Any) -> dict[str, Any]:
    """Connections, newest first"""
    return queries.connections(get_container().reader, **query)


@calls.get("/connections/<connection_id>", ConnectionSchema)
def get_connection(connection_id: str) -> dict[str, Any]:
    """One connection"""
    return queries.connection(get_container().reader, connection_id)


@calls.get("/connections/<connection_id>/timeline", page_of(TimelineEntrySchema), query=PageQuery)
def get_timeline(connection_id: str, **query: Any) -> dict[str, Any]:
    """What happened to a connection, newest first"""
    return queries.timeline(get_container().reader, connection_id, **query)
