"""Codat's messages: what became of each, why, and another try."""

from flask import Blueprint, Response, request, url_for

from processor import lookups
from processor.replays import Replayed
from processor.store.decoding import EVENT_STATUSES
from processor.web.context import container, replays
from processor.web.ops import door, sheets, words
from processor.web.v1.parameters import MOST, EventQuery, a_codat_id

REPLAYABLE = ("failed", "dead", "quarantined")


class CompanyEventQuery(EventQuery):
    """A list of messages, also of one company."""

    company_id = a_codat_id("Only messages that name this company.")


def add_to(blueprint: Blueprint) -> None:
    """Add these pages."""
    blueprint.add_url_rule("/events", view_func=events)
    blueprint.add_url_rule("/events", "replay_several", replay_several, methods=["POST"])
    blueprint.add_url_rule("/events/<id_>", view_func=event)
    blueprint.add_url_rule("/events/<id_>", "replay", replay, methods=["POST"])


def events() -> Response:
    """Messages without their bodies, newest first."""
    query = sheets.query_of(CompanyEventQuery)
    own = container()
    page = lookups.events(own.reader, **query)
    counts = own.reader.stats(lookups.STATES)["events"]
    return sheets.page(
        "events",
        page=page,
        query=query,
        counts=counts,
        statuses=EVENT_STATUSES,
        replayable=query.get("status") in REPLAYABLE,
    )


def event(id_: str) -> Response:
    """One message with its body."""
    found = lookups.event(container().reader, sheets.wanted(id_))
    body = words.pretty(found["body"]) if found["raw"] is None else found["raw"]
    return sheets.page(
        "event", event=found, body=body[: words.SHOWN_CHARS], cut=len(body) > words.SHOWN_CHARS
    )


def replay(id_: str) -> Response:
    """Put one message into the inbox again."""
    door.check_form()
    id_ = sheets.wanted(id_)
    replays().replay(id_)
    return sheets.back(sheets.address("event", id_), "replayed")


def replay_several() -> Response:
    """Put the messages of one page of the list into the inbox again, as far as they still have its status."""
    door.check_form()
    status = request.form.get("status")
    only = status if status in REPLAYABLE else REPLAYABLE[0]
    ids = list(dict.fromkeys(request.form.getlist("event_id")))[:MOST]
    results: list[Replayed] = list(replays().replay_each(iter(ids), only=only))
    refused = sum(one.problem is not None for one in results)
    address = url_for(f"{door.NAME}.events", status=only)
    return sheets.back(address, "replayed-several", count=len(results) - refused, refused=refused)
