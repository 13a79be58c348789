"""Calls about connections: reading, timeline, linking, deletion."""

import dataclasses
from datetime import datetime
from http import HTTPStatus
from typing import Any

from handlers.events import LinkStatus
from processor.journey.models import LinkSession
from processor.resources import past, queries
from processor.web.dependencies import get_container
from processor.web.v1.calls import CODAT_ERRORS, Calls
from processor.web.v1.connection_schemas import (
    ConnectBody,
    ConnectionAtSchema,
    ConnectionPageSchema,
    DoneSchema,
    FactsSchema,
    LinkBody,
    StartedSchema,
    TimelineEntrySchema,
)
from processor.web.v1.fields import page_of
from processor.web.v1.parameters import AtQuery, ConnectionQuery, TimelineQuery

ERRORS = (HTTPStatus.CONFLICT, *CODAT_ERRORS)
CONNECTION_ID = "A connection's id."

calls = Calls("connections", "Connections and their timelines", ids={"connection_id": CONNECTION_ID})
journey_calls = Calls(
    "journey-connections",
    "Connections: choosing, linking, disconnecting",
    ids={"company_id": "A company's id at Codat.", "connection_id": CONNECTION_ID},
)


@calls.get("/connections", ConnectionPageSchema, query=ConnectionQuery)
def list_connections(**query: Any) -> dict[str, Any]:
    """Connections, newest first"""
    return queries.connections(get_container().reader, **query)


@calls.get("/connections/<connection_id>", ConnectionAtSchema, query=AtQuery)
def get_connection(connection_id: str, at: datetime | None = None) -> dict[str, Any]:
    """One connection

    With `at`: what was believed at that time, and why. 404 if it was not known then.
    """
    return past.connection(get_container().reader, connection_id, at)


@calls.get("/connections/<connection_id>/timeline", page_of(TimelineEntrySchema), query=TimelineQuery)
def get_timeline(connection_id: str, **query: Any) -> dict[str, Any]:
    """What happened to a connection, newest first

    With `at`: only what was handled by then. With `outcome`: only what ended so.
    """
    return past.timeline(get_container().reader, connection_id, **query)


@calls.get("/connections/<connection_id>/facts", FactsSchema, query=AtQuery)
def get_facts(connection_id: str, at: datetime | None = None) -> dict[str, Any]:
    """The facts of a connection

    Its state is computed from them. With `at`: those that were known at that time.
    """
    return past.facts(get_container().reader, connection_id, at)


@journey_calls.post(
    "/companies/<company_id>/connections",
    StartedSchema,
    status=HTTPStatus.CREATED,
    or_status=HTTPStatus.OK,
    body=ConnectBody,
    errors=ERRORS,
)
def connect_company(body: dict[str, Any], company_id: str) -> tuple[dict[str, Any], int]:
    """Choose a platform

    Send the user to `link_url`. A connection to the platform that nobody has authorised yet is used again
    (200); a second active accounting connection is refused (409), naming the one there is.
    """
    session = get_container().journey.connect(company_id, **body)
    return _link_session(session), HTTPStatus.CREATED if session.created else HTTPStatus.OK


@journey_calls.post(
    "/connections/<connection_id>/link",
    StartedSchema,
    status=HTTPStatus.OK,
    body=LinkBody,
    body_required=False,
    errors=ERRORS,
)
def link_connection(body: dict[str, Any], connection_id: str) -> dict[str, Any]:
    """A fresh link

    To resume an authorisation, or to reconnect. Links work once and for a day, those of
    QuickBooks Online Bank Feeds for an hour: fetch one when the user is about to go.
    """
    return _link_session(get_container().journey.link(connection_id, **body))


@journey_calls.post("/connections/<connection_id>/unlink", DoneSchema, status=HTTPStatus.OK, errors=ERRORS)
def unlink_connection(connection_id: str) -> dict[str, Any]:
    """Disconnect

    Ends access at Codat first, then here. Only a linked connection can be disconnected (409 otherwise).
    What was read stays readable at Codat.
    """
    result = dataclasses.asdict(get_container().journey.unlink(connection_id))
    return {**result, "id": connection_id, "status": LinkStatus.UNLINKED}


@journey_calls.delete("/connections/<connection_id>", errors=ERRORS)
def delete_connection(connection_id: str) -> None:
    """Delete a connection

    For good, at Codat first, then here.
    """
    get_container().journey.delete(connection_id)


def _link_session(session: LinkSession) -> dict[str, Any]:
    return {**dataclasses.asdict(session), "id": session.connection_id}
