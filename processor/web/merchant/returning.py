"""``/return``: where Codat's Link sends the user back. It believes nothing and changes nothing.

Whose browser it is, the cookie of a visit says and never the address. Without one there is a general
message, in words of ours only.
"""

from dataclasses import replace

from flask import Blueprint, Response, request

from processor.journey import LinkRedirect
from processor.web.dependencies import get_container
from processor.web.merchant import choosing, watching
from processor.web.merchant.copy import redirect_outcomes
from processor.web.merchant.link_session import (
    RETURN_PATH,
    PageVisit,
    guard,
    page,
    remember_thanks,
    visits_of_browser,
    was_thanked,
)

blueprint = Blueprint("return", __name__)
guard(blueprint)


@blueprint.get(RETURN_PATH, strict_slashes=False)
def show() -> Response:
    """What happened, as far as the address claims it, and how it really stands.

    Codat is asked about a connection only for a browser that holds a visit to its company.
    """
    outcome = LinkRedirect.from_query(request.args)
    outcome = replace(outcome, is_new=not was_thanked(outcome))
    visits = visits_of_browser()
    company_id = _company_of(outcome)
    visit = _owner(visits, outcome, company_id)
    if visit is None:
        return page(None, "returned", notice=redirect_outcomes.notice_of(outcome, to_stranger=True))
    if company_id != visit.company_id or outcome.connection_id is None:
        cards = visit.cards()
        live = choosing.changing(visit, cards, back=outcome)
        answer = page(visit, "back", live=live, notice=redirect_outcomes.notice_above(outcome, cards))
        return remember_thanks(answer, outcome)
    card = visit.card(outcome.connection_id, back=outcome)
    watching.curiosity().anew(visit.company_id, card)
    answer = page(visit, "watch", card=card, live=watching.changing(visit, card, back=outcome))
    return remember_thanks(answer, outcome)


def _company_of(outcome: LinkRedirect) -> str | None:
    """The company to which the connection really belongs; ``None`` for an unknown connection."""
    if outcome.connection_id is None:
        return None
    stored = get_container().reader.connection(outcome.connection_id)
    return None if stored is None else stored.connection.company_id


def _owner(visits: list[PageVisit], outcome: LinkRedirect, company_id: str | None) -> PageVisit | None:
    """The visit that this is the end of: by the connection's company, else by the one that is claimed."""
    for wanted in (company_id, outcome.company_id):
        for visit in visits:
            if visit.company_id == wanted:
                return visit
    return visits[0] if len(visits) == 1 and company_id is None else None
