"""Calls about messages: reading, replay, discard."""

from http import HTTPStatus
from typing import Any

from processor.resources import queries
from processor.web.dependencies import get_container
from processor.web.v1.calls import Calls
from processor.web.v1.event_schemas import DiscardSchema, EventSchema, ReplaySchema, WholeEventSchema
from processor.web.v1.fields import page_of
from processor.web.v1.parameters import EventQuery

calls = Calls("events", "Messages and what became of them", ids={"event_id": "A message's id."})


@calls.get("/events", page_of(EventSchema), query=EventQuery)
def list_events(**query: Any) -> dict[str, Any]:
    """Messages without their bodies, newest first"""
    return queries.events(get_container().reader, **query)


@calls.get("/events/<event_id>", WholeEventSchema)
def get_event(event_id: str) -> dict[str, Any]:
    """One message with its body"""
    return queries.event(get_container().reader, event_id)


@calls.post(
    "/events/<event_id>/replay", ReplaySchema, status=HTTPStatus.ACCEPTED, errors=(HTTPStatus.CONFLICT,)
)
def replay_event(event_id: str) -> dict[str, str]:
    """Handle a message once more

    Harmless for one that was handled: what is known already changes nothing. A quarantined message is
    read again first; 422 when it is still not understood.
    """
    return get_container().replay_service.replay(event_id)


@calls.post("/events/<event_id>/discard", DiscardSchema, status=HTTPStatus.OK, errors=(HTTPStatus.CONFLICT,))
def discard_event(event_id: str) -> dict[str, str]:
    """Close a quarantined message or a dead letter without handling it

    It is kept with its error until it expires and can still be replayed, but no longer counts as one to
    look at.
    """
    return get_container().replay_service.discard(event_id)
