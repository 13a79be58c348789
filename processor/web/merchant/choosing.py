"""``/connect/{token}``: choose a platform, continue a pending connection, or share the link."""

from typing import Any

from flask import Blueprint, Response, request

from processor.errors import CodatError, Invalid, NotFound
from processor.journey.errors import CodatNotSet, TokenExpired
from processor.journey.link_redirect import LinkRedirect
from processor.journey.models import LinkSession, PlatformView
from processor.journey.platform_requests import MOST_REQUESTS
from processor.languages.current import gettext
from processor.store.visit_steps import VisitStep
from processor.web import csrf
from processor.web.merchant import consenting, embedding, language_choice, tiles
from processor.web.merchant.card import Card
from processor.web.merchant.copy import asked_for, next_steps, redirect_outcomes, terms
from processor.web.merchant.link_session import (
    PATH,
    PageVisit,
    forget_thanks,
    form_visit_of,
    journey,
    known_platforms,
    visit_of,
)
from processor.web.merchant.pages import LivePart, fragment, live_part, page, register_handlers
from processor.web.redirects import see_other

blueprint = Blueprint("choose", __name__, url_prefix=PATH)
register_handlers(blueprint)

MAX_SEARCH_CHARS = 100
CONNECTIONS = "_connections"
PLATFORMS = "_platforms"


@blueprint.get("/<token>", strict_slashes=False)
def show(token: str) -> Response:
    """The company's connections and the platforms to choose from."""
    visit = visit_of(token)
    if opened_by_person():
        journey().steps.take(VisitStep.OPENED, visit.company_id)
    cards = visit.cards()
    live = live_connections(visit, cards)
    steps = next_steps.next_steps(gettext(consenting.ANY_PLATFORM))
    return page(
        visit,
        "choose",
        cards=cards,
        live=live,
        next_steps=steps,
        companies=visit.group(),
        **_matching_platforms(visit, cards),
    )


@blueprint.get("/<token>/found")
def matching_platforms(token: str) -> Response:
    """The platforms alone, for a search while typing."""
    visit = visit_of(token)
    return fragment(visit, PLATFORMS, **_matching_platforms(visit, visit.cards()))


@blueprint.get("/<token>/live")
def live(token: str) -> Response:
    """The live list of connections."""
    visit = visit_of(token)
    return fragment(visit, CONNECTIONS, **_connection_list(visit, visit.cards(), redirect_in_address()))


@blueprint.get("/<token>/not-listed")
def not_listed(token: str) -> Response:
    """Advice for a platform that is not listed."""
    visit = visit_of(token)
    uploads = [platform for platform in _offered(visit) if platform.is_upload]
    statement = consenting.inline_statement(visit) if uploads else None
    return page(
        visit,
        "not_listed",
        uploads=uploads,
        leave_url=visit.leave_url(visit.cards()),
        statement=statement,
        searched=_search_text(),
        requested=journey().platform_requests.of_company(visit.company_id),
        most_requests=MOST_REQUESTS,
        is_told=request.args.get("done") == "told",
    )


@blueprint.get("/<token>/platform-requests")
def back_to_not_listed(token: str) -> Response:
    """Redirect from the address of the form to the page with the form."""
    return see_other(visit_of(token).url("choose.not_listed", lang=language_choice.of_link()))


@blueprint.post("/<token>/platform-requests")
def request_platform(token: str) -> Response:
    """Tell whoever sent the link which platform is missing."""
    visit = form_visit_of(token)
    journey().request_platform(visit.company_id, request.form.get("name", ""), request.form.get("note"))
    return see_other(visit.url("choose.not_listed", done="told"))


@blueprint.get("/<token>/connections")
@blueprint.get("/<token>/skip")
def back_to_choosing(token: str) -> Response:
    """Redirect from the address of the form to the page with the form."""
    return see_other(visit_of(token).url("choose.show", lang=language_choice.of_link()))


@blueprint.post("/<token>/connections")
def choose(token: str) -> Response:
    """Connect the chosen platform."""
    visit = form_visit_of(token)
    platform_key = request.form.get("platform_key", "")
    if not platform_key:
        raise Invalid("Choose a platform first.")
    if platform_key in known_platforms() and not journey().offers.of_company(visit.company).has(platform_key):
        raise Invalid("This platform is not offered.")
    text = consenting.text_for(visit)
    if text is not None and consenting.is_missing(text):
        platform = known_platforms().get(platform_key)
        return consenting.ask(
            visit,
            text,
            action=visit.url("choose.choose"),
            name=consenting.name_of(platform),
            platform=platform,
            platform_key=platform_key,
        )
    session = journey().connect(visit.company_id, platform_key, keep_way_back=True)
    consenting.keep(visit, session, text)
    return leave_for_link(visit, session)


@blueprint.post("/<token>/skip")
def skip(token: str) -> Response:
    """Leave an optional source type for later, or take it up again."""
    visit = form_visit_of(token)
    is_skipped = "undo" not in request.form
    journey().skip(visit.company, request.form.get("source_type", ""), is_skipped=is_skipped)
    return see_other(visit.url("choose.show"))


@blueprint.post("/<token>/new-link")
def new_link(token: str) -> Response:
    """E-mail a fresh link in place of an expired one; the page does not say whether one was sent."""
    csrf.check_form(token, is_embedded=embedding.is_allowed())
    try:
        visit = visit_of(token)
    except TokenExpired as error:
        journey().links.mail(error.company_id, error.holder, error.generation)
        return page(None, "link_sent")
    return see_other(visit.url("choose.show"))


@blueprint.get("", strict_slashes=False)
@blueprint.get("/<token>/<path:_rest>")
def unknown_page(token: str = "", _rest: str = "") -> Response:  # nosec B107 - the address without one
    """An incomplete link, or an unknown page; raises :class:`NotFound`."""
    visit_of(token)
    raise NotFound("There is no such page.")


def live_connections(
    visit: PageVisit, cards: list[Card], *, redirect: LinkRedirect | None = None
) -> LivePart:
    """The list of connections as a live part, with the notice of a ``redirect``."""
    url = visit.url("choose.live", **(redirect.as_query if redirect else {}))
    return live_part(visit, url, CONNECTIONS, **_connection_list(visit, cards, redirect))


def redirect_in_address() -> LinkRedirect | None:
    """The redirect beside which a live part is shown, or ``None``."""
    return LinkRedirect.from_query(request.args) if "statusCode" in request.args else None


def _connection_list(visit: PageVisit, cards: list[Card], redirect: LinkRedirect | None) -> dict[str, Any]:
    notice = redirect_outcomes.notice_above(redirect, cards) if redirect else None
    standing = visit.standing(cards)
    return {
        "cards": cards,
        "asked": None if redirect else asked_for.progress_of(standing),
        "is_complete": not standing.missing,
        "notice": notice,
        "leave_url": visit.leave_url(cards),
        # Beside the notice of a redirect there is no text, so its buttons lead to the page that asks.
        "statement": None if redirect else consenting.inline_statement(visit),
    }


def leave_for_link(visit: PageVisit, session: LinkSession) -> Response:
    """The page that takes the merchant to Codat's Link.

    It is not a redirect: browsers apply ``form-action`` to redirects after a form too, and it would have to
    allow every platform's login page. https://www.w3.org/TR/CSP3/#directive-form-action
    """
    for step, connection_id in ((VisitStep.OPENED, None), (VisitStep.AT_CODAT, session.connection_id)):
        journey().steps.take(step, visit.company_id, connection_id)
    name = terms.name_of(session.platform_name or gettext(terms.UNNAMED_PLATFORM))
    platform = known_platforms().get(session.platform_key or "")
    needs = next_steps.needs_of(platform)
    is_framed = embedding.is_framed()
    return forget_thanks(page(visit, "leaving", session=session, name=name, needs=needs, is_framed=is_framed))


def opened_by_person() -> bool:
    """Whether a browser shows this page to somebody.

    It says so over HTTPS; programs that look at links in e-mails and chats do not, and prefetching says what
    it is. https://www.w3.org/TR/fetch-metadata/
    """
    headers = request.headers
    return (
        request.method == "GET"
        and headers.get("Sec-Fetch-Mode") == "navigate"
        and headers.get("Sec-Fetch-Dest") in ("document", "iframe")
        and "Sec-Purpose" not in headers
    )


def _search_text() -> str:
    return " ".join(request.args.get("q", "")[:MAX_SEARCH_CHARS].split())


def _offered(visit: PageVisit) -> tuple[PlatformView, ...]:
    """The platforms that the company is offered; none when the list cannot be read."""
    try:
        return journey().offers.of_company(visit.company).platforms
    except (CodatError, CodatNotSet):
        return ()


def _matching_platforms(visit: PageVisit, cards: list[Card]) -> dict[str, Any]:
    """The platforms that match the address's search, and whether the list is available at all."""
    search = _search_text()
    statement = consenting.inline_statement(visit)
    values: dict[str, Any] = {
        "search": search,
        "statement": statement,
        "available": False,
        "groups": [],
    }
    try:
        offer = journey().offers.of_company(visit.company)
    except (CodatError, CodatNotSet):
        return values
    matches = offer.search(search)
    skipped = () if search else visit.company.skipped
    asked: list[str] | None = None
    if visit.company.asked_for:
        asked = [kind.source_type for kind in visit.company.asked_for if kind.source_type not in skipped]
    groups = tiles.groups(matches.platforms, cards, recommended=offer.recommended, asked_types=asked)
    return {
        **values,
        "available": True,
        "groups": groups,
        "hint": matches.hint,
        "all_skipped": asked == [],
    }
