"""Visits with a link: the token in the address, its company, and the cookies for the way back.

The token is part of the address, so no address of a page is logged, sent as a referrer, or cached.
"""

import contextlib
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from flask import Response, request, url_for
from redis import RedisError

from handlers.state import LINKED_STATES
from processor.errors import CodatError, NotFound
from processor.journey.errors import CodatNotSet, CompanyGone, TokenExpired, TokenInvalid
from processor.journey.link_redirect import LinkRedirect
from processor.journey.models import CompanyView, ConnectionView, PlatformView
from processor.journey.service import Journey
from processor.journey.standing import ConnectionStanding, Standing, outcome_of_claim, standing_of
from processor.web import cookies, csrf
from processor.web.credential_throttle import Credential, throttled
from processor.web.dependencies import get_container
from processor.web.merchant import embedding, language_choice
from processor.web.merchant.card import Card
from processor.web.merchant.cards import NO_ACCOUNTS, card_of, distinct_names, in_order, mark_barred
from processor.web.merchant.copy import terms

PATH = "/connect"
RETURN_PATH = "/return"
VISIT_COOKIE = "visit-"
LANGUAGE_COOKIE = "lang-"
_VISIT_NAME = re.compile(f"{VISIT_COOKIE}([0-9a-f]{{12}})")
THANKED_COOKIE = "thanked"
VISIT_LIFETIME_S = 24 * 3600
MAX_VISITS = 8
"""Visits that one browser keeps; an accountant may have several. All are sent with every request."""


@dataclass(frozen=True, slots=True)
class GroupMember:
    """Another company of a group: its name, its pages, and how many connections have access."""

    name: str
    url: str = field(repr=False)
    linked: int


@dataclass(frozen=True, slots=True)
class PageVisit:
    """A visit with a valid link: its token, the company to which it gives access, and whose link it is."""

    token: str = field(repr=False)
    company: CompanyView
    expires_at: datetime
    person_id: str = ""

    @property
    def company_id(self) -> str:
        """The only company that this visit may read and change."""
        return self.company.company_id

    @property
    def company_name(self) -> str | None:
        """The company's display name, or ``None``."""
        return terms.name_of(self.company.display_name) if self.company.display_name else None

    def connection(self, connection_id: str) -> ConnectionView:
        """A connection of this company; raises :class:`NotFound` for any other."""
        return journey().connection(connection_id, company_id=self.company_id)

    def card(self, connection_id: str, *, redirect: LinkRedirect | None = None) -> Card:
        """The card of one connection; ``redirect`` as in :func:`card_of`."""
        platforms, views = known_platforms(), journey().connections(self.company_id)
        view, names = self.connection(connection_id), distinct_names(views, platforms)
        confirmed = self._confirmed_accounts([view])
        name = names.get(connection_id)
        card = card_of(view, platforms, redirect=redirect, name=name, confirmed_accounts=confirmed)
        cards = [card_of(other, platforms, name=names[other["id"]]) for other in views]
        return mark_barred([card, *cards])[0]

    def cards(self) -> list[Card]:
        """The cards of the company, those that need the merchant's attention first."""
        platforms, views = known_platforms(), journey().connections(self.company_id)
        names, confirmed = distinct_names(views, platforms), self._confirmed_accounts(views)
        cards = [
            card_of(view, platforms, name=names[view["id"]], confirmed_accounts=confirmed) for view in views
        ]
        return in_order(mark_barred(cards))

    def _confirmed_accounts(self, views: Sequence[ConnectionView]) -> Mapping[str, str]:
        """The confirmed accounts, which are read only where another account was connected."""
        if not any(view["previous_account_name"] for view in views):
            return NO_ACCOUNTS
        return journey().accounts.confirmed(self.company_id)

    @property
    def link_address(self) -> str:
        """The absolute address of the link, to be shared."""
        root = get_container().settings.public_url or request.url_root
        return root.rstrip("/") + self.url("choose.show")

    @property
    def mail_to_colleague(self) -> str:
        """A ``mailto:`` that shares the link, without a recipient."""
        return terms.mail_to_colleague(self.company_name, self.link_address, self.expires_at)

    def leave_url(self, cards: Sequence[Card]) -> str | None:
        """The address of the caller's own site, which is told how these connections stand.

        ``None`` when there is nowhere to go back to.
        """
        standing = self.standing(cards)
        way_back, connection_id = journey().way_back, standing.connection_id
        return_to = way_back.of_company(self.company, connection_id)
        return way_back.address(
            return_to, standing.outcome, company_id=self.company_id, connection_id=connection_id
        )

    def standing(self, cards: Sequence[Card]) -> Standing:
        """How the company's journey stands, if these are its connections."""
        rows = [ConnectionStanding(card.id, card.counts_as, card.outcome) for card in cards]
        return standing_of(rows, self.company.asked_for, self.company.skipped)

    def cards_beside(self, card: Card) -> list[Card]:
        """This card, and where something is asked for the others too, which count for the whole."""
        if not self.company.asked_for:
            return [card]
        return [card if other.id == card.id else other for other in self.cards()]

    def group(self) -> list[GroupMember]:
        """The other companies of the company's group; their links live no longer than this visit's.

        None for a person's link: it leads to the company that it was made for alone.
        """
        if self.person_id:
            return []
        lifetime_s = int((self.expires_at - get_container().clock()).total_seconds())
        members = []
        for company in journey().group(self.company) if lifetime_s > 0 else ():
            link = journey().links.connect_url(
                company.company_id, lifetime_s=lifetime_s, generation=company.link_generation
            )
            token = link.rpartition("/")[2]
            states = [view["state"] for view in journey().connections(company.company_id)]
            members.append(
                GroupMember(
                    name=terms.name_of(company.display_name or company.merchant_id or company.company_id),
                    url=url_for("choose.show", token=token),
                    linked=sum(state in LINKED_STATES for state in states),
                )
            )
        return members

    def url(self, endpoint: str, **values: Any) -> str:
        """The path of another page of this visit."""
        return url_for(endpoint, token=self.token, **values)


def leave_url_of_stranger(redirect: LinkRedirect | None = None, company_id: str | None = None) -> str | None:
    """The way back without a visit; ``company_id`` is that of the redirect's connection.

    It hands on what the address claims, and nothing that is stored but the link's own ``return_url``.
    """
    way_back = journey().way_back
    redirect = redirect or LinkRedirect()
    return way_back.address(
        way_back.of_stranger(company_id, redirect.connection_id),
        outcome_of_claim(redirect.kind),
        company_id=redirect.company_id,
        connection_id=redirect.connection_id,
    )


def journey() -> Journey:
    """The use cases."""
    return get_container().journey


def known_platforms() -> dict[str, PlatformView]:
    """The platforms by key; empty when Codat cannot be asked and none are cached."""
    try:
        return {platform.key: platform for platform in journey().offers.enabled()}
    except (CodatError, CodatNotSet):
        return {}


def visit_of(token: str) -> PageVisit:
    """The visit with ``token``, whose language the page is in from now on.

    Raises :class:`TokenExpired`, :class:`TokenInvalid`, :class:`CompanyGone` or :class:`TooManyAttempts`.
    """
    try:
        visit = _visit_of(token)
    except TokenExpired as error:
        with contextlib.suppress(RedisError):
            choose_language_for(journey().company(error.company_id))
        raise
    choose_language_for(visit.company)
    return visit


def choose_language_for(company: CompanyView) -> None:
    """Choose the language for a page of this company."""
    kept = cookies.get(LANGUAGE_COOKIE + _digest(company.company_id))
    language_choice.choose_for_company(company.language, kept)


def _visit_of(token: str) -> PageVisit:
    try:
        with throttled(Credential.LINK, TokenInvalid):
            claims = journey().tokens.claims(token)
    except TokenExpired as error:
        with contextlib.suppress(RedisError):
            _company_of_link(error.company_id, error.generation, error.holder)
        raise
    company = _company_of_link(claims.company_id, claims.generation, claims.holder)
    return PageVisit(token, company, claims.expires_at, claims.holder)


def _company_of_link(company_id: str, generation: int, holder: str) -> CompanyView:
    """The company; raises :class:`CompanyGone`, or :class:`TokenInvalid` if the link was revoked."""
    try:
        company = journey().company(company_id)
    except NotFound as error:
        raise CompanyGone() from error
    if generation != company.link_generation or (holder and not journey().people.exists(company_id, holder)):
        raise TokenInvalid()
    return company


def form_visit_of(token: str) -> PageVisit:
    """The visit of a submitted form; raises as :func:`visit_of`, or :class:`FormExpired`."""
    visit = visit_of(token)
    csrf.check_form(token, is_embedded=embedding.is_allowed())
    return visit


def visits_of_browser(*company_ids: str | None) -> list[PageVisit]:
    """The valid visits of this browser in the last day, those to ``company_ids`` first.

    Browsers send the oldest cookie first, and only ``MAX_VISITS`` are looked at.
    """
    visits = []
    tokens = cookies.with_prefix(VISIT_COOKIE)
    wanted = {VISIT_COOKIE + _digest(id_) for id_ in company_ids if id_}
    for name in sorted(tokens, key=lambda name: name not in wanted)[:MAX_VISITS]:
        try:
            visits.append(_visit_of(tokens[name]))
        except (TokenExpired, TokenInvalid, CompanyGone):
            continue
    return visits


def remember_visit(response: Response, visit: PageVisit) -> None:
    """Set the cookies that ``/return`` and later forms of this browser need."""
    for path in (PATH, RETURN_PATH):  # a new value set on the way back would expire forms in other tabs
        csrf.set_cookie(response, path)
    name = VISIT_COOKIE + _digest(visit.company_id)
    cookies.put(response, name, visit.token, path=RETURN_PATH, max_age_s=VISIT_LIFETIME_S)
    _forget_oldest_visits(response, name)
    language = language_choice.of_link()
    if language is not None:
        cookie = LANGUAGE_COOKIE + _digest(visit.company_id)
        for path in (PATH, RETURN_PATH):
            cookies.put(
                response,
                cookie,
                language,
                path=path,
                max_age_s=VISIT_LIFETIME_S,
                is_framed=embedding.is_framed(),
            )


def _forget_oldest_visits(response: Response, name: str) -> None:
    """Remove the cookies of the oldest visits but ``MAX_VISITS``, of which ``name`` is one."""
    others = [other for other in cookies.with_prefix(VISIT_COOKIE) if other != name]
    matches = filter(None, map(_VISIT_NAME.fullmatch, others[: 1 - MAX_VISITS]))
    for match in islice(matches, MAX_VISITS):
        cookies.remove(response, match[0], path=RETURN_PATH)
        for path in (PATH, RETURN_PATH):
            cookies.remove(response, LANGUAGE_COOKIE + match[1], path=path)


def was_thanked(redirect: LinkRedirect) -> bool:
    """Whether this browser has already shown the notice of this redirect."""
    return cookies.get(THANKED_COOKIE) == _digest(redirect.connection_id or "")


def remember_thanks(response: Response, redirect: LinkRedirect) -> Response:
    """Have the same address show its notice once, until the merchant leaves for Codat again."""
    if redirect.kind == "connected":
        cookies.put(response, THANKED_COOKIE, _digest(redirect.connection_id or ""), path=RETURN_PATH)
    return response


def forget_thanks(response: Response) -> Response:
    """Have the next redirect show its notice."""
    cookies.remove(response, THANKED_COOKIE, path=RETURN_PATH)
    return response


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
