"""The connections that there are: see, disconnect, connect again, delete."""

import contextlib
from dataclasses import dataclass

from flask import Blueprint, Response, redirect, request

from handlers.state import State
from processor.errors import Conflict, NotFound
from processor.web.dependencies import get_container
from processor.web.merchant import link_session
from processor.web.merchant.cards import Card, Dates, dates_of
from processor.web.merchant.link_session import (
    PATH,
    PageVisit,
    fragment,
    guard,
    journey,
    opened,
    page,
    visit_of,
)

blueprint = Blueprint("manage", __name__, url_prefix=f"{PATH}/<token>")
guard(blueprint)

PART = "_managed"

DONE = {
    "disconnected": "It is disconnected: no new data is read.",
    "deleted": "The connection is deleted. What was read through it was deleted at Codat with it.",
}
"""What may be said after a change; anything else in the address is not said."""


@dataclass(frozen=True, slots=True)
class ConfirmQuestion:
    """What is asked before a change: the title, what follows from it, and the label of the button."""

    title: str
    consequences: tuple[str, ...]
    label: str


_QUESTIONS = {
    "unlink": ConfirmQuestion(
        "Disconnect {platform}?",
        (
            "No new data is read from {platform}.",
            "Data that was read already stays where it is; to have it deleted, delete the connection.",
            "You can connect it again at any time.",
        ),
        "Disconnect",
    ),
    "delete": ConfirmQuestion(
        "Delete the connection to {platform}?",
        (
            "Access to {platform} ends at once.",
            "The connection disappears from this list for good.",
            "What was read through it is deleted with it at Codat, which reads it for us, and cannot be "
            "brought back.",
            "Copies that {keeper} made before are not deleted by this: ask there.",
            "To share data from {platform} again, you have to add it anew.",
        ),
        "Delete for good",
    ),
}


@blueprint.get("/manage")
def show(token: str) -> Response:
    """Every connection, with its dates."""
    visit = visit_of(token)
    done = DONE.get(request.args.get("done", ""))
    rows = _rows(visit)
    changing = link_session.live(visit, visit.url("manage.live"), PART, rows=rows)
    return page(visit, "manage", rows=rows, done=done, live=changing)


@blueprint.get("/manage/live")
def live(token: str) -> Response:
    """The list as it is now."""
    visit = visit_of(token)
    return fragment(visit, PART, rows=_rows(visit))


@blueprint.get("/connections/<connection_id>/<any(unlink,delete):change>")
def confirm(token: str, connection_id: str, change: str) -> Response:
    """Ask before something is changed."""
    visit = visit_of(token)
    card = visit.card(connection_id)
    if card.state is State.DELETED or (change == "unlink" and not card.is_linked):
        return redirect(visit.url("manage.show"), 303)  # type: ignore[return-value]
    keeper = get_container().settings.product_name or "whoever sent you the link"
    question = _filled(_QUESTIONS[change], card.name, keeper)
    return page(visit, "confirm", card=card, change=change, question=question)


@blueprint.post("/connections/<connection_id>/unlink")
def unlink(token: str, connection_id: str) -> Response:
    """End access, at Codat first. What has no access is disconnected."""
    visit = opened(token)
    with contextlib.suppress(Conflict):
        journey().unlink(connection_id, company_id=visit.company_id)
    return _back(visit, "disconnected")


@blueprint.post("/connections/<connection_id>/delete")
def delete(token: str, connection_id: str) -> Response:
    """Delete, at Codat first. Deleted twice is deleted."""
    visit = opened(token)
    visit.connection(connection_id)
    with contextlib.suppress(NotFound):
        journey().delete(connection_id, company_id=visit.company_id)
    return _back(visit, "deleted")


def _back(visit: PageVisit, done: str) -> Response:
    return redirect(visit.url("manage.show", done=done), 303)  # type: ignore[return-value]


def _rows(visit: PageVisit) -> list[tuple[Card, Dates]]:
    cards = visit.cards()
    stored = get_container().reader.connections([card.id for card in cards])
    dates = {one.connection.id: dates_of(one.connection) for one in stored}
    return [(card, dates.get(card.id, Dates(None, None))) for card in cards]


def _filled(question: ConfirmQuestion, platform: str, keeper: str) -> ConfirmQuestion:
    return ConfirmQuestion(
        question.title.replace("{platform}", platform),
        tuple(
            one.replace("{platform}", platform).replace("{keeper}", keeper) for one in question.consequences
        ),
        question.label,
    )
