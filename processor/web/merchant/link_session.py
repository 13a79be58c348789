"""A visit to the pages of one company: who is there, and how what goes wrong is shown.

The link token stands in the address, so no address of a page is ever logged, sent on as a referrer, or kept
by a cache.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for
from markupsafe import Markup
from redis import RedisError
from werkzeug.http import generate_etag

from processor.errors import CodatError, NotFound, ProcessorError, TooManyAttempts
from processor.journey import (
    CodatNotSet,
    CompanyGone,
    CompanyView,
    ConnectionView,
    Journey,
    LinkRedirect,
    PlatformView,
    TokenExpired,
    TokenInvalid,
)
from processor.web import failure_references, html_errors, security
from processor.web.credential_throttle import Credential, limited
from processor.web.dependencies import get_container
from processor.web.merchant.cards import Card, card, in_order, names_apart, with_room
from processor.web.merchant.copy import errors, terms

RETURN_PATH = "/return"
PATH = "/connect"
VISIT_COOKIE = "visit-"
THANKED_COOKIE = "thanked"
VISIT_LASTS_S = 24 * 3600
MOST_VISITS = 8
"""How many companies' visits ``/return`` looks at; an accountant may have several in one browser."""


_NO_VISIT = (TokenExpired, TokenInvalid, TooManyAttempts)
"""What says that there is no visit: the token is not tried once more."""


@dataclass(frozen=True, slots=True)
class Live:
    """The part of a page that changes by itself: where it is had alone, and how it is now."""

    url: str
    html: Markup
    etag: str


@dataclass(frozen=True, slots=True)
class PageVisit:
    """Somebody who opened a link that works: its token, and the company that it is for."""

    token: str = field(repr=False)
    company: CompanyView
    expires_at: datetime

    @property
    def company_id(self) -> str:
        """The only company that this visit may touch."""
        return self.company.company_id

    def connection(self, connection_id: str) -> ConnectionView:
        """A connection of this company; any other is :class:`NotFound`."""
        return journey().connection(connection_id, company_id=self.company_id)

    @property
    def company_name(self) -> str | None:
        """What the company's people call it."""
        return terms.name_of(self.company.own_name) if self.company.own_name else None

    def card(self, connection_id: str, *, back: LinkRedirect | None = None) -> Card:
        """The same as a card; ``back``: the user was just sent back, as the address claims it."""
        known, views = platforms(), journey().connections(self.company_id)
        view, names = self.connection(connection_id), names_apart(views, known)
        found = card(view, known, back=back, name=names.get(connection_id))
        others = [card(one, known, name=names[one["id"]]) for one in views]
        return with_room([found, *others])[0]

    def cards(self) -> list[Card]:
        """The connections of this company, those first that want something of the user."""
        known, views = platforms(), journey().connections(self.company_id)
        names = names_apart(views, known)
        return in_order(with_room([card(view, known, name=names[view["id"]]) for view in views]))

    @property
    def own_address(self) -> str:
        """The link itself, to be handed on."""
        root = get_container().settings.public_url or request.url_root
        return root.rstrip("/") + self.url("choose.show")

    @property
    def mail_to_colleague(self) -> str:
        """A ``mailto:`` that hands the link to an accountant; it names nobody, the user chooses."""
        return terms.mail_to_colleague(self.company_name, self.own_address, self.expires_at)

    def url(self, endpoint: str, **values: Any) -> str:
        """The address of another page of this visit."""
        return url_for(endpoint, token=self.token, **values)


def journey() -> Journey:
    """The use cases."""
    return get_container().journey


def visit_of(token: str) -> PageVisit:
    """Who comes with ``token``.

    Raises :class:`TokenExpired`, :class:`TokenInvalid`, :class:`CompanyGone` or :class:`TooManyAttempts`.
    """
    try:
        with limited(Credential.LINK, TokenInvalid):
            claims = journey().tokens.claims(token)
    except TokenExpired as error:
        if _is_gone(error.company_id):
            raise CompanyGone() from error
        raise
    try:
        return PageVisit(token, journey().company(claims.company_id), claims.expires_at)
    except NotFound as error:
        raise CompanyGone() from error


def _is_gone(company_id: str) -> bool:
    """Whether a company was deleted; false while Redis cannot tell."""
    try:
        journey().company(company_id)
    except NotFound:
        return True
    except RedisError:
        return False
    return False


def opened(token: str) -> PageVisit:
    """The same for a form: raises :class:`FormExpired` unless it was ours."""
    visit = visit_of(token)
    security.check_form(token)
    return visit


def visits_of_browser() -> list[PageVisit]:
    """The visits that this browser made in the last day, for the way back from Codat."""
    found = []
    tokens = [value for name, value in request.cookies.items() if name.startswith(VISIT_COOKIE)]
    for token in tokens[:MOST_VISITS]:
        try:
            found.append(visit_of(token))
        except (TokenExpired, TokenInvalid, CompanyGone):
            continue
    return found


def platforms() -> dict[str, PlatformView]:
    """The platforms by key, for names and logos; none while Codat cannot be asked and none are kept."""
    try:
        return {one.key: one for one in journey().integrations()}
    except (CodatError, CodatNotSet):
        return {}


def wants_page() -> bool:
    """Whether it is a browser that asks: it prefers a page to the JSON that all others get."""
    return request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html"


def live(visit: PageVisit, url: str, template: str, **values: Any) -> Live:
    """The part ``template`` of a page, as it is now."""
    html = _rendered(visit, template, values)
    return Live(url, Markup(html), generate_etag(html.encode()))  # noqa: S704 - our own template made it


def fragment(visit: PageVisit, template: str, **values: Any) -> Response:
    """The same as an answer of its own; 304 where the browser shows it already."""
    found = live(visit, "", template, **values)
    answer = _protected(visit, found.html, HTTPStatus.OK)
    answer.set_etag(found.etag)
    return answer.make_conditional(request)  # type: ignore[return-value]


def page(visit: PageVisit | None, template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
    """A page as an answer, with its policy and, on a visit, the cookies that the way back needs."""
    return _protected(visit, _rendered(visit, template, values), status)


def _rendered(visit: PageVisit | None, template: str, values: Mapping[str, Any]) -> str:
    settings = get_container().settings
    return render_template(
        f"merchant/{template}.html",
        visit=visit,
        seal=None if visit is None else security.seal(visit.token),
        product_name=settings.product_name,
        support_email=settings.support_email,
        **values,
    )


def _protected(visit: PageVisit | None, html: str, status: int) -> Response:
    answer = make_response(html, status)
    answer.headers["Content-Security-Policy"] = security.page_policy(get_container().settings.codat_api_url)
    if visit is not None:
        for path in (PATH, RETURN_PATH):  # or coming back would make the forms in other tabs expire
            security.remember_browser(answer, path)
        _remember(answer, visit)
    return answer


def failed(error: ProcessorError, visit: PageVisit | None = None) -> Response:
    """The page for what we raised on purpose."""
    answer = page(
        visit,
        "problem",
        int(error.status),
        expired=isinstance(error, TokenExpired),
        invalid=isinstance(error, TokenInvalid),
        trouble=errors.of(error),
        again=request.full_path.rstrip("?") if request.method == "GET" else request.path,
        reference=failure_references.reference_of(error, company_id=visit.company_id if visit else None),
        new_link_seal=_seal_of_new_link(error),
    )
    security.remember_browser(answer, PATH)
    answer.headers.update(error.headers())
    return answer


def _seal_of_new_link(error: ProcessorError) -> str | None:
    """The seal of the form that sends a new link; ``None`` where none can be sent."""
    token = (request.view_args or {}).get("token")
    if not isinstance(error, TokenExpired) or not token:
        return None
    try:
        return security.seal(token) if journey().can_mail_link(error.company_id) else None
    except RedisError:
        return None


def guard(blueprint: Blueprint) -> None:
    """Have ``blueprint`` answer with pages, whatever goes wrong in it."""

    @blueprint.after_request
    def keep_out_of_caches(answer: Response) -> Response:
        answer.headers["Cache-Control"] = "no-store"
        # A page opened in a popup stays connected with the page that opened it, here and after Codat's Link.
        answer.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
        answer.headers["X-Robots-Tag"] = "noindex, nofollow"
        return answer

    def of_processor(error: ProcessorError) -> Response:
        return failed(error, None if isinstance(error, _NO_VISIT) else _quietly_visiting())

    blueprint.register_error_handler(ProcessorError, html_errors.safely(of_processor))
    html_errors.show(blueprint, failed)


def _quietly_visiting() -> PageVisit | None:
    """The visit in which something went wrong, so that the page can lead back; ``None`` without one."""
    try:
        return visit_of((request.view_args or {})["token"])
    except (KeyError, ProcessorError, RedisError):
        return None


def was_thanked(outcome: LinkRedirect) -> bool:
    """Whether this browser read already that it is back: the page is loaded again."""
    return request.cookies.get(THANKED_COOKIE) == _digest(outcome.connection_id or "")


def remember_thanks(answer: Response, outcome: LinkRedirect) -> Response:
    """Let the same address say it once, until somebody leaves for Codat again."""
    if outcome.kind == "connected":
        value = _digest(outcome.connection_id or "")
        answer.set_cookie(
            THANKED_COOKIE,
            value,
            path=RETURN_PATH,
            secure=request.is_secure,
            httponly=True,
            samesite="Lax",
        )
    return answer


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _remember(answer: Response, visit: PageVisit) -> None:
    """Let ``/return`` know who comes back: the token itself, signed and short-lived as it is."""
    name = VISIT_COOKIE + _digest(visit.company_id)
    answer.set_cookie(
        name,
        visit.token,
        max_age=VISIT_LASTS_S,
        path=RETURN_PATH,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )
