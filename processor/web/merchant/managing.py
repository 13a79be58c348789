"""``/connect/{token}/manage``: the company's connections, disconnecting and deleting them."""

import contextlib
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, request

from handlers.state import State
from processor.errors import Conflict, NotFound
from processor.settings.brands import brand_of
from processor.web.dependencies import get_container
from processor.web.merchant import consenting
from processor.web.merchant.card import Card
from processor.web.merchant.cards import Dates, dates_of
from processor.web.merchant.copy import changes
from processor.web.merchant.link_session import PATH, PageVisit, form_visit_of, journey, visit_of
from processor.web.merchant.pages import fragment, live_part, page, register_handlers
from processor.web.redirects import see_other

blueprint = Blueprint("manage", __name__, url_prefix=f"{PATH}/<token>")
register_handlers(blueprint)

MANAGED = "_managed"


@blueprint.get("/manage")
def show(token: str) -> Response:
    """Every connection with its dates."""
    visit = visit_of(token)
    done = changes.after(request.args.get("done", ""))
    part = live_part(visit, visit.url("manage.live"), MANAGED, **_managed(visit))
    return page(visit, "manage", done=done, live=part, companies=visit.group())


@blueprint.get("/manage/live")
def live(token: str) -> Response:
    """The live list of that page."""
    visit = visit_of(token)
    return fragment(visit, MANAGED, **_managed(visit))


@blueprint.get("/connections/<connection_id>/<any(unlink,delete):change>")
def confirm(token: str, connection_id: str, change: str) -> Response:
    """Ask for confirmation of a change."""
    visit = visit_of(token)
    card = visit.card(connection_id)
    if card.state is State.DELETED or (change == "unlink" and not card.is_linked):
        return see_other(visit.url("manage.show"))
    keeper = brand_of(journey().brands, visit.company.brand).name
    question = changes.question(change, card.full_name, keeper)
    return page(visit, "confirm", card=card, change=change, question=question)


@blueprint.post("/connections/<connection_id>/unlink")
def unlink(token: str, connection_id: str) -> Response:
    """End access; a connection that is not linked counts as disconnected."""
    visit = form_visit_of(token)
    with contextlib.suppress(Conflict):
        journey().unlink(connection_id, company_id=visit.company_id)
    return _back(visit, "disconnected")


@blueprint.post("/connections/<connection_id>/delete")
def delete(token: str, connection_id: str) -> Response:
    """Delete the connection; a second deletion succeeds too."""
    visit = form_visit_of(token)
    visit.connection(connection_id)
    with contextlib.suppress(NotFound):
        journey().delete(connection_id, company_id=visit.company_id)
    return _back(visit, "deleted")


def _back(visit: PageVisit, done: str) -> Response:
    return see_other(visit.url("manage.show", done=done))


def _managed(visit: PageVisit) -> dict[str, Any]:
    cards = visit.cards()
    statement = consenting.inline_statement(visit, cards)
    return {"rows": _rows(cards), "leave_url": visit.leave_url(cards), "statement": statement}


def _rows(cards: Sequence[Card]) -> list[tuple[Card, Dates]]:
    connections = get_container().reader.connections([card.id for card in cards])
    dates = {stored.connection.id: dates_of(stored.connection) for stored in connections}
    return [(card, dates.get(card.id, Dates(None, None))) for card in cards]
