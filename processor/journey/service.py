"""The use cases of a company's journey, from sign-up to deletion, without HTTP."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Unpack

from redis import Redis

from handlers.state import situation
from processor.codat.client import CodatClient
from processor.errors import Invalid
from processor.journey import requests
from processor.journey.accounts import Accounts
from processor.journey.asking import CompanyQuestions
from processor.journey.companies import CompanyService
from processor.journey.company_fields import CompanyDetails, asked_of, platforms_of, products_of
from processor.journey.connections import ConnectionService
from processor.journey.consent_texts import ConsentText
from processor.journey.consents import Consents
from processor.journey.errors import CodatNotSet
from processor.journey.events import CompanyFields, JourneyEvents
from processor.journey.groups import Groups
from processor.journey.links import Links, generation_of
from processor.journey.lookup import Lookup
from processor.journey.models import ChangeResult, CompanyView, ConnectionView, LinkSession, SyncView
from processor.journey.offers import Offers
from processor.journey.opt_out import ReminderOptOut
from processor.journey.people import People
from processor.journey.platform_requests import PlatformRequests
from processor.journey.platforms import Platforms
from processor.journey.products import ProductService
from processor.journey.progress import sync_view
from processor.journey.records import Records
from processor.journey.tokens import Tokens
from processor.journey.visit_steps import VisitSteps
from processor.journey.way_back import WayBack
from processor.resources import serializers
from processor.settings.asked_for import Need
from processor.settings.brands import Brand
from processor.settings.definitions import Settings
from processor.store.queries import Reader
from processor.store.waker import Waker


class Journey:
    """The use cases; the container builds one for each process.

    ``company_id`` beside ``connection_id`` makes a connection of another company :class:`NotFound`: pages
    always pass the company of their token. Methods that call Codat raise :class:`CodatNotSet` without
    CODAT_API_KEY, and ``CodatError``; every method may raise ``redis.RedisError``.
    """

    def __init__(
        self,
        *,
        client: "Redis[Any]",
        reader: Reader,
        waker: Waker,
        codat: CodatClient | None,
        platforms: Platforms | None,
        companies: CompanyService,
        records: Records,
        events: JourneyEvents,
        tokens: Tokens,
        consents: Consents,
        platform_requests: PlatformRequests,
        opt_out: ReminderOptOut,
        people: People,
        brands: Mapping[str, Brand],
        settings: Settings,
        clock: Callable[[], datetime],
    ) -> None:
        self.tokens, self.consents, self.brands = tokens, consents, brands
        self.platform_requests, self.opt_out, self.people = platform_requests, opt_out, people
        self._reader, self._codat, self._platforms = reader, codat, platforms
        self._companies, self._records, self._settings = companies, records, settings
        self._lookup = Lookup(companies, reader)
        self.products = ProductService(
            codat=codat, lookup=self._lookup, records=records, queue_questions=self.queue_questions
        )
        self.groups = Groups(client, companies.company)
        self.links = Links(
            tokens=tokens,
            companies=companies,
            records=records,
            groups=self.groups,
            people=people,
            waker=waker,
            settings=settings,
        )
        self.offers, self.way_back = Offers(platforms, settings), WayBack(records=records, settings=settings)
        self.accounts = Accounts(lookup=self._lookup, records=records, events=events)
        self.steps = VisitSteps(client, lookup=self._lookup, events=events)
        self._questions = CompanyQuestions(
            client=client,
            waker=waker,
            records=records,
            lookup=self._lookup,
            patience_s=settings.check_patience_s,
            clock=clock,
        )
        self._connections: ConnectionService | None = None
        if codat is not None and platforms is not None:
            self._connections = ConnectionService(
                codat=codat,
                platform=platforms.get,
                records=records,
                events=events,
                queue_questions=self.queue_questions,
            )

    # Companies

    def sign_up(
        self,
        *,
        merchant_id: str,
        tags: Mapping[str, str] | None = None,
        products: Sequence[str] | None = None,
        lang: str | None = None,
        root: str | None = None,
        **details: Unpack[CompanyDetails],
    ) -> tuple[CompanyView, bool]:
        """The merchant's company, created at Codat if it does not exist, and whether this call created it.

        Raises :class:`Invalid` with the mistakes of each field.
        """
        request = requests.sign_up_request(
            merchant_id=merchant_id,
            tags=tags,
            products=products,
            lang=lang,
            brands=self.brands,
            origins=self._settings.return_url_origins,
            **details,
        )
        before = self._companies.company_of(merchant_id) or {}
        row, is_created = self._companies.sign_up(request, self._client_of_codat)
        self.groups.move(
            row["id"], before.get("group"), request.local_fields.get("group") or before.get("group")
        )
        if self._platforms:
            self._platforms.warm()
        return self._view(row, root, lang), is_created

    def change_company(
        self, company_id: str, *, root: str | None = None, **details: Unpack[CompanyDetails]
    ) -> CompanyView:
        """Change what the caller said of a company; ``None`` resets a member. Codat learns nothing of it.

        Raises :class:`Invalid` with the mistakes of each field.
        """
        row = self._lookup.company(company_id)
        origins = self._settings.return_url_origins
        fields = requests.changed_fields(details, brands=self.brands, origins=origins)
        if fields:
            self._records.save_local_fields(company_id, fields)
            self.groups.move(company_id, row.get("group"), {**row, **fields}.get("group"))
        return self._view({**row, **fields}, root)

    def skip(self, company: CompanyView, source_type: str, *, is_skipped: bool = True) -> None:
        """Keep that users leave an optional source type for later, or that they take it up again."""
        skipped = [known for known in company.skipped if known != source_type]
        optional = [asked.source_type for asked in company.asked_for if asked.need is Need.OPTIONAL]
        if source_type not in optional:
            raise Invalid("Only what is optional can be left for later.")
        fields = {"skipped": json.dumps([*skipped, source_type] if is_skipped else skipped)}
        self._records.save_local_fields(company.company_id, fields)

    def company(self, company_id: str, *, root: str | None = None) -> CompanyView:
        """A company; raises :class:`NotFound` when it is unknown or deleted."""
        return self._view(self._lookup.company(company_id), root)

    def group(self, company: CompanyView) -> list[CompanyView]:
        """The other companies of the company's group, by name."""
        return [self._view(row, None) for row in self.groups.others(company.company_id, company.group)]

    def request_platform(
        self, company_id: str, name: str, note: str | None = None
    ) -> tuple[dict[str, Any], bool]:
        """Keep that a company misses a platform, and tell it; the note, and whether it is new."""
        return self.platform_requests.add(self._lookup.company(company_id), name, note)

    def delete_company(self, company_id: str) -> ChangeResult | None:
        """Delete a company with all its connections, first at Codat; ``None`` when it is already deleted."""
        if "deleted_at" in (self._reader.company(company_id) or {}):
            return None
        return self._connection_service().delete_company(self._lookup.company(company_id))

    # Connections

    def connect(
        self,
        company_id: str,
        platform_key: str,
        *,
        parameters: Mapping[str, str] | None = None,
        lang: str | None = None,
        return_url: str | None = None,
        state: str | None = None,
        keep_way_back: bool = False,
    ) -> LinkSession:
        """A connection to a platform to be authorised; a pending one is used again.

        ``parameters`` and ``lang`` are added to the link; ``return_url`` and ``state`` are its way back; with
        ``keep_way_back`` that of the link before stays. Raises :class:`AlreadyConnected` for a
        second linked accounting connection, and :class:`Invalid` for an unknown platform.
        """
        row = self._lookup.company(company_id)
        requests.check_platform_key(platform_key)
        link_parameters = requests.link_parameters(parameters, lang)
        return_to = self.way_back.checked(return_url, state)
        session = self._connection_service().connect(row, platform_key, link_parameters)
        if not keep_way_back:
            self.way_back.keep(company_id, session.connection_id, return_to)
        return session

    def link(
        self,
        connection_id: str,
        *,
        company_id: str | None = None,
        parameters: Mapping[str, str] | None = None,
        lang: str | None = None,
        return_url: str | None = None,
        state: str | None = None,
        keep_way_back: bool = False,
    ) -> LinkSession:
        """A fresh one-time link to resume or reconnect, with its way back."""
        link_parameters = requests.link_parameters(parameters, lang)
        row, _ = self._lookup.existing(connection_id, company_id)
        return_to = self.way_back.checked(return_url, state)
        session = self._connection_service().link(row, connection_id, link_parameters)
        if not keep_way_back:
            self.way_back.keep(row["id"], connection_id, return_to)
        return session

    def consent(
        self, company: CompanyView, session: LinkSession, text: ConsentText, *, address: str, person_id: str
    ) -> None:
        """Keep that the user agreed to ``text`` for the connection, unless that is known already.

        ``person_id``: whose link they used; empty: the company's own.
        """
        row = self._lookup.company(company.company_id)
        stored = self._reader.connection(session.connection_id)
        count = 0 if stored is None else situation(stored.connection).authorization
        if not self.consents.is_given(row["id"], session.connection_id, text, authorization=count):
            person = self.people.of_link(row["id"], person_id)
            self.consents.give(row, session, text, authorization=count, address=address, person=person)

    def connections(self, company_id: str) -> list[ConnectionView]:
        """The connections of a company, newest first, without deleted ones."""
        return [serializers.connection(stored) for stored in self._lookup.connections(company_id)]

    def connection(self, connection_id: str, *, company_id: str | None = None) -> ConnectionView:
        """A connection, also a deleted one; raises :class:`NotFound`."""
        return serializers.connection(self._lookup.connection(connection_id, company_id))

    def sync(self, company_id: str) -> SyncView:
        """The sync of a company, per connection and per data type."""
        self._lookup.company(company_id)
        return sync_view(company_id, self.connections(company_id))

    def overview(self, company_id: str) -> dict[str, Any]:
        """How the whole journey of a company stands, and where its button leads back to."""
        company = self.company(company_id)
        return {
            **self.way_back.journey(company, self.connections(company_id)),
            "group": company.group,
            "group_companies": self.groups.listed(company_id, company.group),
        }

    def read_again(self, company_id: str) -> None:
        """Have Codat read the company's data, at most once a minute, and ask how it goes."""
        self._connection_service().read_again(self._lookup.company(company_id))

    def unlink(self, connection_id: str, *, company_id: str | None = None) -> ChangeResult:
        """End access, first at Codat; raises :class:`Conflict` when the connection is not linked."""
        row, stored = self._lookup.existing(connection_id, company_id)
        return self._connection_service().unlink(row, stored)

    def delete(self, connection_id: str, *, company_id: str | None = None) -> ChangeResult:
        """Delete a connection, first at Codat."""
        row, _ = self._lookup.existing(connection_id, company_id)
        return self._connection_service().delete(row, connection_id)

    def queue_questions(self, company_id: str, connection_id: str | None = None) -> bool:
        """Queue questions to Codat about one connection, or about all of a company's connections.

        False when there is nothing to ask about or no CODAT_API_KEY. Two rounds of questions about one
        company are at least ``ASK_PAUSE_S`` apart, however often this is called.
        """
        return self._codat is not None and self._questions.queue(company_id, connection_id)

    def _client_of_codat(self) -> CodatClient:
        if self._codat is None:
            raise CodatNotSet()
        return self._codat

    def _connection_service(self) -> ConnectionService:
        if self._connections is None:
            raise CodatNotSet()
        return self._connections

    def _view(self, row: CompanyFields, root: str | None, lang: str | None = None) -> CompanyView:
        fields = {name: row.get(name) or None for name in CompanyView.AS_STORED}
        return CompanyView(
            company_id=row["id"],
            connect_url=self.links.url_of(row, root=root, lang=lang),
            link_generation=generation_of(row),
            state=row.get("return_state") or None,
            asked_for=self._settings.ask_for if (asked := asked_of(row)) is None else asked,
            skipped=tuple(json.loads(row.get("skipped") or "[]")),
            platforms=platforms_of(row),
            products=tuple(products_of(row)) if row.get("products") else self._settings.codat_products,
            **fields,
        )
