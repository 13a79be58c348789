"""Connections: what state each is in, and above all why."""

from flask import Blueprint, Response

from handlers.situation import has_failed
from processor import lookups
from processor.lenient.values import folded
from processor.web.context import container
from processor.web.ops import naming, sheets
from processor.web.v1.parameters import ConnectionQuery, PageQuery

NOTIFICATIONS_SHOWN = 50


def add_to(blueprint: Blueprint) -> None:
    """Add these pages."""
    blueprint.add_url_rule("/connections", view_func=connections)
    blueprint.add_url_rule("/connections/<id_>", view_func=connection)


def connections() -> Response:
    """Connections, newest first."""
    query = sheets.query_of(ConnectionQuery)
    page = lookups.connections(container().reader, **query)
    return sheets.page("connections", page=page, query=query, states=lookups.STATES)


def connection(id_: str) -> Response:
    """One connection with its timeline and what was told of it."""
    id_, reader = folded(sheets.wanted(id_)), container().reader
    found = lookups.connection(reader, id_)
    timeline = lookups.timeline(reader, id_, **sheets.query_of(PageQuery))
    told = lookups.notifications(reader, connection_id=id_, limit=NOTIFICATIONS_SHOWN)
    turned = next((line for line in timeline["items"] if line["from"] != line["to"]), None)
    return sheets.page(
        "connection",
        connection=found,
        timeline=timeline,
        told=told,
        turned=turned,
        has_failed=has_failed,
        names=naming.of_subscribers(),
    )
