"""``/connect/{token}``: choose a platform, go on with one that waits, or let somebody else do it."""

from typing import Any

from flask import Blueprint, Response, redirect, request

from processor.errors import CodatError, Invalid, NotFound
from processor.journey import CodatNotSet, LinkRedirect, LinkSession, TokenExpired
from processor.web import security
from processor.web.merchant import link_session, tiles
from processor.web.merchant.cards import UNNAMED, Card
from processor.web.merchant.copy import redirect_outcomes, terms
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

blueprint = Blueprint("choose", __name__, url_prefix=PATH)
guard(blueprint)

LONGEST_SEARCH = 100
PART = "_connections"
PLATFORMS = "_platforms"


@blueprint.get("/<token>", strict_slashes=False)
def show(token: str) -> Response:
    """The platforms, what is connected, what waits, and the ways out."""
    visit = visit_of(token)
    cards = visit.cards()
    return page(visit, "choose", cards=cards, live=changing(visit, cards), **_found(cards))


@blueprint.get("/<token>/found")
def found(token: str) -> Response:
    """The platforms alone, while somebody types what to search for."""
    visit = visit_of(token)
    return fragment(visit, PLATFORMS, **_found(visit.cards()))


@blueprint.get("/<token>/live")
def live(token: str) -> Response:
    """The list of connections as it is now."""
    visit = visit_of(token)
    return fragment(visit, PART, **_shown(visit.cards(), came_back()))


@blueprint.get("/<token>/not-listed")
def not_listed(token: str) -> Response:
    """What to do when a platform is missing."""
    visit = visit_of(token)
    return page(
        visit, "not_listed", uploads=[one for one in link_session.platforms().values() if one.is_upload]
    )


@blueprint.get("/<token>/connections")
def back_to_choosing(token: str) -> Response:
    """Where somebody lands who opens the address of a form."""
    return redirect(visit_of(token).url("choose.show"), 303)  # type: ignore[return-value]


@blueprint.post("/<token>/connections")
def choose(token: str) -> Response:
    """Begin with the platform that was chosen."""
    visit = opened(token)
    platform_key = request.form.get("platform_key", "")
    if not platform_key:
        raise Invalid("Choose a platform first.")
    return leave_for(visit, journey().connect(visit.company_id, platform_key))


@blueprint.post("/<token>/new-link")
def new_link(token: str) -> Response:
    """Mail a fresh link to the company's contact, in place of one that has expired; say no more than that."""
    security.check_form(token)
    try:
        visit = visit_of(token)
    except TokenExpired as error:
        journey().mail_link(error.company_id)
        return page(None, "link_sent")
    return redirect(visit.url("choose.show"), 303)  # type: ignore[return-value]


@blueprint.get("", strict_slashes=False)
@blueprint.get("/<token>/<path:_rest>")
def nowhere(token: str = "", _rest: str = "") -> Response:
    """Half of a link, or a page that does not exist."""
    visit_of(token)
    raise NotFound("There is no such page.")


def changing(visit: PageVisit, cards: list[Card], *, back: LinkRedirect | None = None) -> Live:
    """The list of connections, as the part of a page that changes.

    ``back``: the user has just come back from Codat, as the address claims it.
    """
    url = visit.url("choose.live", **(back.as_query if back else {}))
    return link_session.live(visit, url, PART, **_shown(cards, back))


def came_back() -> LinkRedirect | None:
    """The end of a visit to Codat's Link beside which a live part stands; ``None``: it stands alone."""
    return LinkRedirect.from_query(request.args) if "statusCode" in request.args else None


def _shown(cards: list[Card], back: LinkRedirect | None) -> dict[str, Any]:
    return {"cards": cards, "notice": redirect_outcomes.notice_above(back, cards) if back else None}


def leave_for(visit: PageVisit, started: LinkSession) -> Response:
    """The page that takes the user to Codat's Link.

    Not a redirect: browsers hold redirects after a form against ``form-action`` too, which would have to
    allow every platform's login page. https://www.w3.org/TR/CSP3/#directive-form-action
    """
    name = terms.name_of(started.platform_name or UNNAMED)
    platform = link_session.platforms().get(started.platform_key or "")
    expect = terms.on_premise(name) if platform is not None and platform.is_on_premise else None
    answer = page(visit, "leaving", started=started, name=name, expect=expect)
    answer.delete_cookie(link_session.THANKED_COOKIE, path=link_session.RETURN_PATH)
    return answer


def _found(cards: list[Card]) -> dict[str, Any]:
    """The platforms that the address searches for, and whether we know any at all."""
    search = " ".join(request.args.get("q", "")[:LONGEST_SEARCH].split())
    try:
        known = journey().search_platforms(search)
    except (CodatError, CodatNotSet):
        return {"search": search, "groups": [], "hint": None, "available": False}
    groups = tiles.groups(known.platforms, cards)
    return {"search": search, "groups": groups, "hint": known.hint, "available": True}
