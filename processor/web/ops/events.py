"""Codat's messages: what became of each, why, and another try."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, request, url_for

from processor.alerts.replay import DISCARDABLE, ReplayResult
from processor.errors import Invalid
from processor.resources import queries
from processor.store.records import EVENT_STATUSES
from processor.web.dependencies import get_container
from processor.web.ops import auth, copy, rendering
from processor.web.v1.parameters import MOST, EventQuery

REPLAYABLE = ("failed", "dead", "quarantined", "discarded")
DISCARD = "discard"
"""What a form says that discards; any other replays."""


def add_to(blueprint: Blueprint) -> None:
    """Add these pages."""
    blueprint.add_url_rule("/events", view_func=events)
    blueprint.add_url_rule("/events", "handle_several", handle_several, methods=["POST"])
    blueprint.add_url_rule("/events/<id_>", view_func=event)
    blueprint.add_url_rule("/events/<id_>", "handle", handle, methods=["POST"])


def events() -> Response:
    """Messages without their bodies, newest first."""
    return _listed(rendering.query_of(EventQuery))


def _listed(
    query: dict[str, Any], done: str = "", count: int = 0, refused: Sequence[ReplayResult] = ()
) -> Response:
    """A list; after an action that some of them ``refused``, with their reasons."""
    container = get_container()
    page = queries.events(container.reader, **query)
    counts = container.reader.stats(queries.STATES)["events"]
    return rendering.page(
        "events",
        page=page,
        query=query,
        counts=counts,
        statuses=EVENT_STATUSES,
        replayable=query.get("status") in REPLAYABLE,
        discardable=query.get("status") in DISCARDABLE,
        done=done,
        count=count,
        refused=refused,
    )


def event(id_: str) -> Response:
    """One message with its body."""
    rendering.query_of()
    found = queries.event(get_container().reader, rendering.wanted(id_))
    body = copy.pretty(found["body"]) if found["raw"] is None else found["raw"]
    return rendering.page(
        "event",
        event=found,
        body=body[: copy.SHOWN_CHARS],
        cut=len(body) > copy.SHOWN_CHARS,
        discardable=found["status"] in DISCARDABLE,
    )


def handle(id_: str) -> Response:
    """Put one message into the inbox again, or discard it."""
    auth.check_form()
    id_ = rendering.wanted(id_)
    if request.form.get("action") == DISCARD:
        get_container().replay_service.discard(id_)
        return rendering.back(rendering.address("event", id_), "discarded")
    get_container().replay_service.replay(id_)
    return rendering.back(rendering.address("event", id_), "replayed")


def handle_several() -> Response:
    """Replay or discard the messages of one page of the list, as far as they still have its status."""
    auth.check_form()
    is_discard = request.form.get("action") == DISCARD
    possible = DISCARDABLE if is_discard else REPLAYABLE
    status = request.form.get("status")
    if status not in possible:
        raise Invalid("The form has to name a status whose messages can be replayed or discarded.")
    ids = iter(list(dict.fromkeys(request.form.getlist("event_id")))[:MOST])
    replays = get_container().replay_service
    each = replays.discard_each if is_discard else replays.replay_each
    results = list(each(ids, only=status))
    refused = [one for one in results if one.problem is not None]
    count, done = len(results) - len(refused), "discarded" if is_discard else "replayed"
    if refused:
        return _listed({**EventQuery().load({}), "status": status}, done, count, refused)
    address = url_for(f"{auth.NAME}.events", status=status)
    return rendering.back(address, f"{done}-several", count=count)
