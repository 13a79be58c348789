"""The pages of messages: their status, its reason, replay and discard."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from flask import Response, request, url_for

from processor.alerts.replay import DISCARDABLE, ReplayResult
from processor.errors import Invalid
from processor.resources import queries
from processor.store.message_records import EVENT_STATUSES
from processor.web.dependencies import get_container
from processor.web.ops import copy, csv_export, filters, rendering
from processor.web.ops.rendering import blueprint
from processor.web.v1.parameters import MAX_LIMIT, EventQuery

REPLAYABLE = ("failed", "dead", "quarantined", "discarded")
DISCARD = "discard"
"""The form value that discards; any other replays."""

COLUMNS: tuple[csv_export.Column, ...] = (
    *("id", "status", "type", "source", "received_at", "company_id", "connection_ids"),
    ("error", lambda message: copy.last_line(message["error"])),
)


@blueprint.get("/events")
def events() -> Response:
    """Messages without their bodies, newest first."""
    query = rendering.query_of(filters.EventFilter)
    if csv_export.is_wanted():
        fetch = partial(queries.events, get_container().reader)
        return csv_export.response("events", COLUMNS, fetch, filters.with_companies(query))
    return _list_page(query)


def _list_page(
    query: dict[str, Any], done: str = "", count: int = 0, refused: Sequence[ReplayResult] = ()
) -> Response:
    """A list; after an action on several messages with the ``refused`` ones and their reasons."""
    container = get_container()
    page = queries.events(container.reader, **filters.with_companies(query))
    counts = container.reader.stats(queries.STATES)["events"]
    return rendering.page(
        "events",
        page=page,
        query=query,
        company_names=filters.company_names(page["items"]),
        counts=counts,
        statuses=EVENT_STATUSES,
        replayable=query.get("status") in REPLAYABLE,
        discardable=query.get("status") in DISCARDABLE,
        done=done,
        count=count,
        refused=refused,
    )


@blueprint.get("/events/<id_>")
def event(id_: str) -> Response:
    """One message with its body."""
    rendering.query_of()
    event = queries.event(get_container().reader, id_)
    body = copy.pretty(event["body"]) if event["raw"] is None else event["raw"]
    return rendering.page(
        "event",
        event=event,
        body=body[: copy.MAX_BODY_CHARS],
        cut=len(body) > copy.MAX_BODY_CHARS,
        discardable=event["status"] in DISCARDABLE,
    )


@blueprint.post("/events/<id_>")
def handle(id_: str) -> Response:
    """Replay or discard one message."""
    if request.form.get("action") == DISCARD:
        get_container().replay_service.discard(id_)
        return rendering.back(rendering.address("event", id_), "discarded")
    get_container().replay_service.replay(id_)
    return rendering.back(rendering.address("event", id_), "replayed")


@blueprint.post("/events")
def handle_several() -> Response:
    """Replay or discard the messages of one page of the list that still have its status."""
    is_discard = request.form.get("action") == DISCARD
    allowed_statuses = DISCARDABLE if is_discard else REPLAYABLE
    status = request.form.get("status")
    if status not in allowed_statuses:
        raise Invalid("The form has to name a status whose messages can be replayed or discarded.")
    ids = iter(list(dict.fromkeys(request.form.getlist("event_id")))[:MAX_LIMIT])
    service = get_container().replay_service
    handle_each = service.discard_each if is_discard else service.replay_each
    results = list(handle_each(ids, only=status))
    refused = [result for result in results if result.problem is not None]
    count, done = len(results) - len(refused), "discarded" if is_discard else "replayed"
    if refused:
        return _list_page({**EventQuery().load({}), "status": status}, done, count, refused)
    address = url_for(".events", status=status)
    return rendering.back(address, f"{done}-several", count=count)
