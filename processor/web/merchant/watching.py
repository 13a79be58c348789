"""``/connect/{token}/connections/{id}``: the live status of one connection."""

from typing import Any

from flask import Blueprint, Response, request

from processor.journey.link_redirect import LinkRedirect
from processor.web.merchant import consenting, polling
from processor.web.merchant.card import Card
from processor.web.merchant.choosing import leave_for_link, redirect_in_address
from processor.web.merchant.copy import asked_for, redirect_outcomes
from processor.web.merchant.link_session import (
    PATH,
    PageVisit,
    form_visit_of,
    journey,
    known_platforms,
    visit_of,
)
from processor.web.merchant.pages import LivePart, fragment, live_part, page, register_handlers
from processor.web.redirects import see_other

blueprint = Blueprint("watch", __name__, url_prefix=f"{PATH}/<token>/connections/<connection_id>")
register_handlers(blueprint)

STATUS = "_status"


@blueprint.get("")
def show(token: str, connection_id: str) -> Response:
    """The status of a connection."""
    visit = visit_of(token)
    card = visit.card(connection_id)
    polling.ask_if_due(visit.company_id, card)
    is_read_requested = request.args.get("asked") == "read" and card.is_linked
    return page(visit, "watch", card=card, live=live_status(visit, card), is_read_requested=is_read_requested)


@blueprint.get("/live")
def live(token: str, connection_id: str) -> Response:
    """The live part of that page."""
    visit = visit_of(token)
    redirect = redirect_in_address()
    card = visit.card(connection_id, redirect=redirect)
    polling.ask_if_due(visit.company_id, card)
    return fragment(visit, STATUS, **_status(visit, card, redirect))


@blueprint.get("/account")
@blueprint.get("/link")
@blueprint.get("/read")
def back_to_watching(token: str, connection_id: str) -> Response:
    """The status page at the address of a form."""
    return show(token, connection_id)


@blueprint.post("/link")
def resume(token: str, connection_id: str) -> Response:
    """Go to Codat's Link: to finish, to try again, or to connect again."""
    visit = form_visit_of(token)
    text = consenting.text_for(visit)
    if text is not None:
        card = visit.card(connection_id)
        if consenting.is_missing_for(visit, card, text):
            platform = known_platforms().get(card.platform_key or "")
            action = visit.url("watch.resume", connection_id=connection_id)
            return consenting.ask(visit, text, action=action, name=card.full_name, platform=platform)
    session = journey().link(connection_id, company_id=visit.company_id, keep_way_back=True)
    consenting.keep(visit, session, text)
    return leave_for_link(visit, session)


@blueprint.post("/account")
def confirm_account(token: str, connection_id: str) -> Response:
    """Keep that another account than before is meant."""
    visit = form_visit_of(token)
    name = request.form.get("account", "")
    journey().accounts.confirm(connection_id, name, company_id=visit.company_id)
    return see_other(visit.url("watch.show", connection_id=connection_id))


@blueprint.post("/read")
def read_again(token: str, connection_id: str) -> Response:
    """Have Codat read the data again, and show the status."""
    visit = form_visit_of(token)
    visit.connection(connection_id)
    journey().read_again(visit.company_id)
    return see_other(visit.url("watch.show", connection_id=connection_id, asked="read"))


def live_status(visit: PageVisit, card: Card, *, redirect: LinkRedirect | None = None) -> LivePart:
    """The status of a connection as a live part.

    The notice of a ``redirect`` belongs to the live part, because later changes may contradict it.
    """
    url = visit.url("watch.live", connection_id=card.id, **(redirect.as_query if redirect else {}))
    return live_part(visit, url, STATUS, **_status(visit, card, redirect))


def _status(visit: PageVisit, card: Card, redirect: LinkRedirect | None) -> dict[str, Any]:
    cards = visit.cards_beside(card)
    asked = asked_for.progress_of(visit.standing(cards))
    status: dict[str, Any] = {
        "card": card,
        "next_step": asked and asked.next_step,
        "notice": None,
        "quotation": None,
        "leave_url": visit.leave_url(cards),
        "statement": consenting.inline_statement(visit, [card]),
    }
    if redirect is not None:
        status["notice"] = redirect_outcomes.notice_beside(redirect, card)
        status["quotation"] = redirect_outcomes.quotation_of(redirect, card)
    return status
