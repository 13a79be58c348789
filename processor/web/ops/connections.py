"""Connections: what state each is in, and above all why."""

from flask import Blueprint, Response

from handlers.situation import has_failed
from processor import lookups
from processor.errors import Conflict
from processor.lenient.values import folded
from processor.truth import assembly
from processor.web.context import container
from processor.web.ops import door, naming, sheets, words
from processor.web.v1.parameters import ConnectionQuery, PageQuery

NOTIFICATIONS_SHOWN = 50
NOT_ASKED = ("deleted", "unreadable")
"""States about which Codat has nothing more to say, or that could not learn it."""


def add_to(blueprint: Blueprint) -> None:
    """Add these pages."""
    blueprint.add_url_rule("/connections", view_func=connections)
    blueprint.add_url_rule("/connections/<id_>", view_func=connection)
    blueprint.add_url_rule("/connections/<id_>", "ask_codat", ask_codat, methods=["POST"])
    blueprint.add_url_rule("/connections/<id_>/read", "read_now", read_now, methods=["POST"])


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
        meaning=words.of_connection(found),
        connection=found,
        timeline=timeline,
        told=told,
        turned=turned,
        has_failed=has_failed,
        names=naming.of_subscribers(),
        askable=container().codat is not None and found["company_id"] and found["state"] not in NOT_ASKED,
    )


def ask_codat(id_: str) -> Response:
    """Ask Codat how the connection's company stands now; the answer goes onto the timeline."""
    door.check_form()
    id_ = folded(sheets.wanted(id_))
    company_id = lookups.connection(container().reader, id_)["company_id"]
    if not company_id:
        raise Conflict("The company of this connection is not known, so Codat cannot be asked about it.")
    look = assembly.ask_now(container(), company_id)
    done = "asked-codat" if id_ in look.connections and look.events else "asked-codat-in-vain"
    return sheets.back(sheets.address("connection", id_), done)


def read_now(id_: str) -> Response:
    """Have Codat read the company of a connection now."""
    door.check_form()
    id_ = folded(sheets.wanted(id_))
    company_id = lookups.connection(container().reader, id_)["company_id"]
    if not company_id:
        raise Conflict("The company of this connection is not known, so Codat cannot be told to read it.")
    container().journey.read_again(company_id)
    return sheets.back(sheets.address("connection", id_), "reading")
