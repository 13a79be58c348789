"""The journey of a company, from sign-up to "connected", and afterwards: the use cases, without the web."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from handlers.effects import Ask
from handlers.events import Aspect
from handlers.state import LINKED_STATES, State
from processor.clock import utc_now
from processor.codat.client import CodatClient
from processor.codat.names import source_type_of
from processor.errors import Conflict, NotFound
from processor.journey import requests
from processor.journey.companies import Companies
from processor.journey.connections import ConnectionService
from processor.journey.errors import CodatNotSet
from processor.journey.events import JourneyEvents, Row
from processor.journey.models import (
    ChangeResult,
    CompanyView,
    ConnectionView,
    LinkSession,
    PlatformView,
    SyncView,
)
from processor.journey.platforms import Platforms
from processor.journey.progress import sync_view
from processor.journey.records import Records
from processor.journey.search import Found
from processor.journey.search import search as find_platforms
from processor.journey.tokens import LIFETIME_S, Tokens
from processor.resources import serializers
from processor.store import questions, wakeups
from processor.store.queries import Reader
from processor.store.records import StoredConnection, UnreadableConnection
from processor.store.waker import Waker

_log = logging.getLogger(__name__)

ASK_PAUSE_S = 3
"""How long Codat rests after it was asked again about a company, in whole seconds."""

LINK_PAUSE_S = 3600
"""How often a fresh link is mailed to a company's contact, at most: once in so many seconds."""

MOST_ASKED = 20
"""About so many connections of a company Codat is asked at once."""

PAGE = 200


class Journey:
    """Built by the composition root as ``container.journey``.

    Where a call takes ``company_id`` besides ``connection_id``, a connection of another company is
    :class:`NotFound`: pages always pass the company of their token. Calls that need Codat raise
    :class:`CodatNotSet` (503) without CODAT_API_KEY, and ``CodatError``s otherwise; every call raises
    ``redis.RedisError`` when Redis does not answer.
    """

    def __init__(
        self,
        *,
        client: "Redis[Any]",
        reader: Reader,
        waker: Waker,
        codat: CodatClient | None,
        platforms: Platforms | None,
        companies: Companies,
        records: Records,
        news: JourneyEvents,
        tokens: Tokens,
        public_url: str | None,
        own_url: str,
        patience: timedelta,
        mailed_lifetime_s: int,
        mails_links: bool,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.tokens = tokens
        self._client, self._reader, self._waker = client, reader, waker
        self._codat, self._platforms = codat, platforms
        self._companies, self._records, self._news = companies, records, news
        self._public_url, self._own_url = public_url, own_url
        self._patience, self._clock = patience, clock
        self._mailed_lifetime_s, self._mails_links = mailed_lifetime_s, mails_links
        self._connecting = None
        if codat is not None and platforms is not None:
            self._connecting = ConnectionService(
                codat=codat, platform=platforms.get, records=records, news=news, ask_again=self.ask_again
            )

    # Companies

    def connect_url(self, company_id: str, *, root: str | None = None, lifetime_s: int = LIFETIME_S) -> str:
        """A fresh link to the journey of a company, which works for ``lifetime_s`` seconds.

        It leads to PUBLIC_URL; where that is unset to ``root``, which is where the caller reached us, or
        else to the address on which we listen.
        """
        base = (self._public_url or root or self._own_url).rstrip("/")
        return f"{base}/connect/{self.tokens.make(company_id, lifetime_s=lifetime_s)}"

    def mailed_url(self, company_id: str) -> str:
        """The same for an e-mail, which may be read days later: it works for LINK_DAYS."""
        return self.connect_url(company_id, lifetime_s=self._mailed_lifetime_s)

    def can_mail_link(self, company_id: str) -> bool:
        """Whether a fresh link can be sent to the company: mails are set up, and its contact is known."""
        row = self._companies.row(company_id) if self._mails_links else None
        return row is not None and bool(row.get("contact_email"))

    def mail_link(self, company_id: str) -> None:
        """Have a fresh link mailed to the contact that is known, once an hour at most; else do nothing."""
        if self.can_mail_link(company_id) and self._records.may_mail_link(company_id, LINK_PAUSE_S):
            self._waker.wake_link_sender(company_id)

    def sign_up(
        self,
        *,
        merchant_id: str,
        name: str | None = None,
        contact_email: str | None = None,
        tags: Mapping[str, str] | None = None,
        products: Sequence[str] | None = None,
        root: str | None = None,
    ) -> tuple[CompanyView, bool]:
        """The company of a merchant, made at Codat if there is none; whether it was made now.

        Raises :class:`Invalid`, which names the fields to blame.
        """
        wish = requests.sign_up(
            merchant_id=merchant_id, name=name, contact_email=contact_email, tags=tags, products=products
        )
        row, made = self._companies.sign_up(wish, self._client_of_codat)
        if self._platforms is not None:
            self._platforms.warm()
        return self._view(row, root), made

    def company(self, company_id: str, *, root: str | None = None) -> CompanyView:
        """One company; raises :class:`NotFound` for one that is unknown or deleted."""
        return self._view(self._row(company_id), root)

    def find(self, merchant_id: str, *, root: str | None = None) -> CompanyView | None:
        """The company of a merchant; ``None`` without one, or when it was deleted."""
        row = self._companies.known(merchant_id)
        return None if row is None else self._view(row, root)

    def delete_company(self, company_id: str) -> ChangeResult | None:
        """Delete a company with all its connections at Codat, then here; ``None`` where it is deleted."""
        if "deleted_at" in (self._reader.company(company_id) or {}):
            return None
        row = self._row(company_id)
        return self._changes().delete_company(row)

    # Platforms

    def integrations(
        self, *, source_type: str | None = None, search: str | None = None
    ) -> list[PlatformView]:
        """Enabled platforms, by source type and name, from the cache; those that ``search`` may mean.

        Raises :class:`Invalid` for a source type that Codat does not have.
        """
        if self._platforms is None:
            raise CodatNotSet()
        wanted = None if source_type is None else source_type_of(source_type)
        every = [one for one in self._platforms.all() if wanted in (None, one.source_type)]
        return find_platforms(every, search or "").platforms

    def search_platforms(self, text: str) -> Found:
        """The enabled platforms that somebody may mean who types ``text``, and under which name they are."""
        return find_platforms(self.integrations(), text)

    # Connections

    def connect(
        self, company_id: str, platform_key: str, *, parameters: Mapping[str, str] | None = None
    ) -> LinkSession:
        """A connection to a platform, to be authorised; one that is pending already is used again.

        ``parameters`` are added to the link. Raises :class:`AlreadyConnected` (409) for a second active
        accounting connection, and :class:`Invalid` for a platform that there is not.
        """
        row, key, given = (
            self._row(company_id),
            requests.platform_key(platform_key),
            requests.parameters(parameters),
        )
        return self._changes().connect(row, key, given)

    def link(
        self,
        connection_id: str,
        *,
        company_id: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> LinkSession:
        """A fresh one-time link, to resume or to reconnect."""
        given = requests.parameters(parameters)
        row, _ = self._present(connection_id, company_id)
        return self._changes().link(row, connection_id, given)

    def connections(self, company_id: str) -> list[ConnectionView]:
        """The connections of a company without the deleted ones, newest first."""
        return [serializers.connection(stored) for stored in self._stored_of(company_id)]

    def connection(self, connection_id: str, *, company_id: str | None = None) -> ConnectionView:
        """One connection, deleted ones too; raises :class:`NotFound`."""
        return serializers.connection(self._stored(connection_id, company_id))

    def sync(self, company_id: str) -> SyncView:
        """How reading the data stands, per connection and per data type."""
        self._row(company_id)
        return sync_view(company_id, self.connections(company_id))

    def read_again(self, company_id: str) -> None:
        """Have Codat read the company's data again, and be asked how it goes; once a minute at most."""
        row = self._row(company_id)
        self._changes().read_again(row)

    def unlink(self, connection_id: str, *, company_id: str | None = None) -> ChangeResult:
        """End access at Codat, then here; :class:`Conflict` when it is not linked."""
        row, stored = self._present(connection_id, company_id)
        return self._changes().unlink(row, stored)

    def delete(self, connection_id: str, *, company_id: str | None = None) -> ChangeResult:
        """Delete at Codat, then here."""
        row, _ = self._present(connection_id, company_id)
        return self._changes().delete(row, connection_id)

    def ask_again(self, company_id: str, connection_id: str | None = None) -> bool:
        """Have Codat asked in the background; without a connection about all that the company has.

        False, and nothing is asked, for what is unknown or deleted and without CODAT_API_KEY. However
        often this is called, Codat is asked about a company every few seconds at the most.
        """
        if self._codat is None:
            return False
        known = self._stored_of(company_id)
        wanted = [one for one in known if connection_id in (None, one.connection.id)][:MOST_ASKED]
        if not wanted:
            return False
        now = self._clock()
        not_before = now + timedelta(seconds=self._records.rest_s(company_id, ASK_PAUSE_S))
        deadline = not_before + self._patience
        asks = []
        for one in wanted:
            reason = "somebody on the journey wants to know"
            aspects = tuple(Aspect) if one.state in LINKED_STATES else (Aspect.CONNECTION,)
            asks += [
                Ask(aspect, company_id, one.connection.id, not_before, deadline, reason) for aspect in aspects
            ]
        with self._client.pipeline(transaction=True) as pipe:
            questions.write(pipe, asks)
            pipe.execute()
        if wakeups.claim_question_run(self._client, now):
            self._waker.wake_question_runner()
        return True

    # What all of them need

    def _client_of_codat(self) -> CodatClient:
        if self._codat is None:
            raise CodatNotSet()
        return self._codat

    def _changes(self) -> ConnectionService:
        if self._connecting is None:
            raise CodatNotSet()
        return self._connecting

    def _row(self, company_id: str) -> Row:
        row = self._companies.row(company_id)
        if row is None:
            raise NotFound("There is no company with this id.")
        return row

    def _stored(self, connection_id: str, company_id: str | None) -> StoredConnection:
        stored = next(iter(self._reader.rows([connection_id])), None)
        if isinstance(stored, UnreadableConnection):
            raise Conflict("What is stored of this connection cannot be read; an operator can repair it.")
        if stored is None or company_id not in (None, stored.connection.company_id):
            raise NotFound("There is no connection with this id.")
        return stored

    def _present(self, connection_id: str, company_id: str | None) -> tuple[Row, StoredConnection]:
        """A connection that is not deleted, and its company."""
        stored = self._stored(connection_id, company_id)
        if stored.state == State.DELETED:
            raise NotFound("The connection was deleted.")
        if stored.connection.company_id is None:
            raise Conflict("It is not known yet whose connection this is; try again shortly.")
        return self._row(stored.connection.company_id), stored

    def _stored_of(self, company_id: str) -> list[StoredConnection]:
        found: list[StoredConnection] = []
        cursor: str | None = None
        while True:
            page = self._reader.list_connections(company_id=company_id, limit=PAGE, cursor=cursor)
            found += [
                one for one in page.items if isinstance(one, StoredConnection) and one.state != State.DELETED
            ]
            cursor = page.next_cursor
            if cursor is None:
                return found

    def _view(self, row: Row, root: str | None) -> CompanyView:
        return CompanyView(
            company_id=row["id"],
            merchant_id=row.get("merchant_id"),
            name=row.get("name"),
            contact_email=row.get("contact_email"),
            connect_url=self.connect_url(row["id"], root=root),
            given_name=row.get("given_name"),
        )
