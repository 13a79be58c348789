"""The live status of one connection: waiting, access given, reading, ready, or what went wrong."""

from typing import Any

from flask import Blueprint, Response, redirect, request

from processor.journey import LinkRedirect
from processor.web.dependencies import get_container
from processor.web.merchant import link_session
from processor.web.merchant.cards import Card
from processor.web.merchant.choosing import came_back, leave_for
from processor.web.merchant.copy import redirect_outcomes
from processor.web.merchant.link_session import (
    PATH,
    Live,
    PageVisit,
    fragment,
    guard,
    journey,
    opened,
    page,
    visit_of,
)
from processor.web.merchant.polling import PagePolling

blueprint = Blueprint("watch", __name__, url_prefix=f"{PATH}/<token>/connections/<connection_id>")
guard(blueprint)

PART = "_status"


@blueprint.get("")
def show(token: str, connection_id: str) -> Response:
    """How one connection stands."""
    visit = visit_of(token)
    card = visit.card(connection_id)
    curiosity().about(visit.company_id, card)
    asked = request.args.get("asked") == "read" and card.words.read_again
    return page(visit, "watch", card=card, live=changing(visit, card), asked=asked)


@blueprint.get("/live")
def live(token: str, connection_id: str) -> Response:
    """The part of that page that changes."""
    visit = visit_of(token)
    back = came_back()
    card = visit.card(connection_id, back=back)
    curiosity().about(visit.company_id, card)
    return fragment(visit, PART, **_shown(card, back))


@blueprint.get("/link")
def back_to_watching(token: str, connection_id: str) -> Response:
    """Where somebody lands who opens the address of the form."""
    return show(token, connection_id)


@blueprint.post("/link")
def resume(token: str, connection_id: str) -> Response:
    """Go to Codat's Link: to finish, to try again, or to connect again."""
    visit = opened(token)
    return leave_for(visit, journey().link(connection_id, company_id=visit.company_id))


@blueprint.get("/read")
def back_from_reading(token: str, connection_id: str) -> Response:
    """Where somebody lands who opens the address of the form."""
    return show(token, connection_id)


@blueprint.post("/read")
def read_again(token: str, connection_id: str) -> Response:
    """Have the data read again, and show how it goes."""
    visit = opened(token)
    visit.connection(connection_id)
    journey().read_again(visit.company_id)
    url = visit.url("watch.show", connection_id=connection_id, asked="read")
    return redirect(url, 303)  # type: ignore[return-value]


def changing(visit: PageVisit, card: Card, *, back: LinkRedirect | None = None) -> Live:
    """The status of a connection, as the part of a page that changes.

    ``back``: the user has just come back from Codat, as the address claims it. What is said of that belongs
    to this part, for what comes later may contradict it.
    """
    url = visit.url("watch.live", connection_id=card.id, **(back.as_query if back else {}))
    return link_session.live(visit, url, PART, **_shown(card, back))


def _shown(card: Card, back: LinkRedirect | None) -> dict[str, Any]:
    if back is None:
        return {"card": card, "notice": None, "quoted": None}
    notice = redirect_outcomes.notice_beside(back, card)
    return {"card": card, "notice": notice, "quoted": redirect_outcomes.quoted(back, card)}


def curiosity() -> PagePolling:
    """Asks Codat for those who wait."""
    container = get_container()
    return PagePolling(container.redis, container.journey, container.clock)
