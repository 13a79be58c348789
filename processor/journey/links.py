"""Links to the journey of a company: their addresses, and how they are sent by e-mail."""

import math
from collections.abc import Mapping

from processor.errors import NotFound
from processor.journey.companies import CompanyService
from processor.journey.groups import Groups
from processor.journey.people import People
from processor.journey.records import LINK_GENERATION, Records
from processor.journey.tokens import LIFETIME_S, Tokens
from processor.languages.catalogues import match
from processor.settings.definitions import Settings
from processor.store.waker import Waker

LINK_PAUSE_S = 3600
"""Minimum seconds between two links e-mailed to one address."""


def generation_of(row: Mapping[str, str]) -> int:
    """The generation of a company's links: how often they were revoked."""
    return int(row.get(LINK_GENERATION) or 0)


class Links:
    """Makes and mails links; every method may raise ``redis.RedisError``."""

    def __init__(
        self,
        *,
        tokens: Tokens,
        companies: CompanyService,
        records: Records,
        groups: Groups,
        people: People,
        waker: Waker,
        settings: Settings,
    ) -> None:
        self._tokens, self._companies, self._records = tokens, companies, records
        self._groups, self._people = groups, people
        self._waker, self._settings = waker, settings

    def connect_url(
        self,
        company_id: str,
        *,
        root: str | None = None,
        lifetime_s: int = LIFETIME_S,
        lang: str | None = None,
        generation: int | None = None,
        holder: str = "",
    ) -> str:
        """A fresh link to the journey of a company, for ``lifetime_s`` seconds in the language ``lang``.

        It leads to PUBLIC_URL, else to ``root``, the address of the current request, else to the address on
        which the service listens. ``generation`` is that of the company's links; ``None``: it is read.
        ``holder`` is the id of the person for whom it is made; empty: the company's contact.
        """
        if generation is None:
            generation = generation_of(self._companies.company(company_id) or {})
        base = (self._settings.public_url or root or self._settings.local_url).rstrip("/")
        language = match(lang)
        query = f"?lang={language}" if language else ""
        token = self._tokens.make(company_id, lifetime_s=lifetime_s, generation=generation, holder=holder)
        return f"{base}/connect/{token}{query}"

    def mailed_url(self, company_id: str, holder: str = "") -> str:
        """A link for an e-mail, valid for LINK_DAYS."""
        return self.connect_url(company_id, lifetime_s=self._settings.link_days * 86_400, holder=holder)

    def url_of(self, row: Mapping[str, str], *, root: str | None, lang: str | None) -> str:
        """A fresh link for the company with these fields, as ``connect_url`` makes it."""
        return self.connect_url(row["id"], root=root, lang=lang, generation=generation_of(row))

    def revoke(self, company_id: str) -> None:
        """End all links of a company that were made so far, also those in e-mails and open pages.

        The links of its group end too, because their pages lead to it. Raises :class:`NotFound` when it is
        unknown or deleted.
        """
        company = self._companies.company(company_id)
        if company is None:
            raise NotFound("There is no company with this id.")
        for other in self._groups.others(company_id, company.get("group"), most=math.inf):
            self._records.revoke_links(other["id"])
        self._records.revoke_links(company_id)

    @property
    def can_mail(self) -> bool:
        """Whether links can be e-mailed at all; to whom is not said."""
        return self._settings.smtp_url is not None and self._settings.public_url is not None

    def address_of(self, company_id: str, holder: str, generation: int) -> str | None:
        """The address that a link of this generation was made for: the person ``holder``'s, or the contact's.

        ``None`` if nobody is to get another one: the links were revoked, or the company or person is gone.
        """
        company = self._companies.company(company_id)
        if company is None or generation_of(company) != generation:
            return None
        if holder:
            person = self._people.person(company_id, holder)
            return None if person is None else str(person["email"])
        return company.get("contact_email") or None

    def mail(self, company_id: str, holder: str, generation: int) -> None:
        """E-mail a fresh link to the address of an old one, if possible, once in ``LINK_PAUSE_S``."""
        if (
            self.can_mail
            and self.address_of(company_id, holder, generation)
            and self._records.begin_link_pause(company_id, holder, LINK_PAUSE_S)
        ):
            self._waker.wake_link_sender(company_id, holder, generation)

    def end_pause(self, company_id: str, holder: str) -> None:
        """Let a link be asked for again at once, because none could be e-mailed."""
        self._records.end_link_pause(company_id, holder)
