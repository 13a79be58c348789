"""``/return``: where Codat's Link sends the merchant back.

The address is unverified and changes no connection. A cookie, never the address, identifies the browser's
visits; without one the page shows a general message.
"""

from dataclasses import replace

from flask import Blueprint, Response, request

from processor.journey.link_redirect import LinkRedirect
from processor.store.visit_steps import VisitStep
from processor.web.dependencies import get_container
from processor.web.merchant import choosing, polling, watching
from processor.web.merchant.copy import redirect_outcomes
from processor.web.merchant.link_session import (
    RETURN_PATH,
    PageVisit,
    choose_language_for,
    journey,
    leave_url_of_stranger,
    remember_thanks,
    visits_of_browser,
    was_thanked,
)
from processor.web.merchant.pages import page, register_handlers

blueprint = Blueprint("return", __name__)
register_handlers(blueprint)


@blueprint.get(RETURN_PATH, strict_slashes=False)
def show() -> Response:
    """The claimed outcome and the stored state.

    Codat is asked about a connection only for a browser that holds a visit to its company.
    """
    redirect = LinkRedirect.from_query(request.args)
    redirect = replace(redirect, is_new=not was_thanked(redirect))
    company_id = _company_of(redirect)
    visit = _matching_visit(visits_of_browser(company_id, redirect.company_id), redirect, company_id)
    if visit is None:
        notice = redirect_outcomes.notice_of(redirect, to_stranger=True)
        return page(None, "returned", notice=notice, leave_url=leave_url_of_stranger(redirect, company_id))
    choose_language_for(visit.company)
    if company_id != visit.company_id or redirect.connection_id is None:
        cards = visit.cards()
        live = choosing.live_connections(visit, cards, redirect=redirect)
        response = page(visit, "back", live=live, notice=redirect_outcomes.notice_above(redirect, cards))
        return remember_thanks(response, redirect)
    card = visit.card(redirect.connection_id, redirect=redirect)
    journey().steps.take(VisitStep.BACK, visit.company_id, card.id)
    polling.ask_on_return(visit.company_id, card)
    live = watching.live_status(visit, card, redirect=redirect)
    return remember_thanks(page(visit, "watch", card=card, live=live), redirect)


def _company_of(redirect: LinkRedirect) -> str | None:
    """The stored company of the connection; ``None`` for an unknown connection."""
    if redirect.connection_id is None:
        return None
    stored = get_container().reader.connection(redirect.connection_id)
    return None if stored is None else stored.connection.company_id


def _matching_visit(
    visits: list[PageVisit], redirect: LinkRedirect, company_id: str | None
) -> PageVisit | None:
    """The visit to the connection's company, else to the claimed one, else the only visit."""
    for candidate in (company_id, redirect.company_id):
        for visit in visits:
            if visit.company_id == candidate:
                return visit
    return visits[0] if len(visits) == 1 and company_id is None else None
