"""Connections on their way: chosen, linked again, disconnected, deleted."""

import dataclasses
from http import HTTPStatus
from typing import Any

from handlers.events import LinkStatus
from processor.journey import LinkSession
from processor.web.dependencies import get_container
from processor.web.v1.calls import Calls
from processor.web.v1.journey_companies import FROM_CODAT
from processor.web.v1.journey_schemas import ConnectBody, DoneSchema, LinkBody, StartedSchema

ERRORS = (HTTPStatus.CONFLICT, *FROM_CODAT)

calls = Calls(
    "journey-connections",
    "Connections: choosing, linking, disconnecting",
    ids={"company_id": "A company's id at Codat.", "connection_id": "A connection's id."},
)


@calls.post(
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
    started = get_container().journey.connect(company_id, **body)
    return _shown(started), HTTPStatus.CREATED if started.created else HTTPStatus.OK


@calls.post(
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
    return _shown(get_container().journey.link(connection_id, **body))


@calls.post("/connections/<connection_id>/unlink", DoneSchema, status=HTTPStatus.OK, errors=ERRORS)
def unlink_connection(connection_id: str) -> dict[str, Any]:
    """Disconnect

    Ends access at Codat first, then here. Only a linked connection can be disconnected (409 otherwise).
    What was read stays readable at Codat.
    """
    done = dataclasses.asdict(get_container().journey.unlink(connection_id))
    return {**done, "id": connection_id, "status": LinkStatus.UNLINKED}


@calls.delete("/connections/<connection_id>", errors=ERRORS)
def delete_connection(connection_id: str) -> None:
    """Delete a connection

    For good, at Codat first, then here.
    """
    get_container().journey.delete(connection_id)


def _shown(started: LinkSession) -> dict[str, Any]:
    return {**dataclasses.asdict(started), "id": started.connection_id}
