"""Codat's API as this service uses it: the only module through which Codat is called.

Reading is tried again briefly, a change is never repeated blindly. Whatever goes wrong is a
``CodatError`` (``processor.errors``, ``processor.codat.errors``). https://docs.codat.io/platform-api
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import httpx

from processor.clock import utc_now as now_by_our_clock
from processor.codat import schemas
from processor.codat.errors import CodatConflict, CodatUncertain, CodatUnusable
from processor.codat.http import MAX_ANSWER_BYTES, CodatHttp, CodatResponse
from processor.codat.models import (
    Branding,
    CompanyResponse,
    ConnectionResponse,
    DataTypeStatus,
    HistoryResponse,
    Integration,
    WebhookConsumer,
)
from processor.codat.names import source_type_of, tag_filter
from processor.codat.paging import pages, rows_of
from processor.codat.quota import Quota
from processor.errors import CodatError

Made = TypeVar("Made")

PAGE_SIZE = 100
LARGE_PAGE_SIZE = 1_000
"""Rows a page where the rows are small. Codat: 100 by default and advised, 5,000 at most.

https://docs.codat.io/using-the-api/paging
"""


class CodatClient:
    """One Codat client account. Safe for threads; make one per process, after forking, and close it.

    ``timeout_s`` bounds each wait, ``budget_s`` a whole call with its retries (each page of a list is
    a call). ``on_quota`` hears the quota after each answer that tells it. ``clock`` is ours, in UTC.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = "https://api.codat.io",
        timeout_s: float = 10.0,
        budget_s: float = 20.0,
        transport: httpx.BaseTransport | None = None,
        on_quota: Callable[[Quota], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = now_by_our_clock,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._exchange = CodatHttp(
            api_key=api_key,
            base_url=base_url,
            timeout_s=timeout_s,
            budget_s=budget_s,
            transport=transport,
            on_quota=on_quota,
            sleep=sleep,
            now=clock,
            monotonic=monotonic,
            jitter=jitter,
            max_answer_bytes=max_answer_bytes,
        )

    @property
    def quota(self) -> Quota | None:
        """The quota as the newest answer told it; ``None`` before the first that did."""
        return self._exchange.quota

    def close(self) -> None:
        """Give the connections back."""
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Companies

    def get_company(self, company_id: str) -> CompanyResponse:
        """One company, with its connections; raises ``CodatNotFound`` where Codat knows none."""
        answer = self._exchange.read("companies", company_id)
        company = schemas.company_of(answer.body, answer)
        _must_be(company.id, company_id, "company")
        return company

    def find_companies(
        self,
        *,
        query: str | None = None,
        tags: str | None = None,
        order_by: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Iterator[CompanyResponse]:
        """All companies that match, page by page as they are taken, each once.

        ``query`` and ``tags`` are filters in Codat's language (https://docs.codat.io/using-the-api/querying).
        """
        for page in pages(
            self._exchange, "companies", query=query, tags=tags, order_by=order_by, page_size=page_size
        ):
            yield from schemas.readable(page.rows, partial(schemas.company_of, answer=page.answer))

    def find_company_by_tag(
        self, name: str, value: str, *, unless: Callable[[str], bool] = lambda _: False
    ) -> CompanyResponse | None:
        """The company with exactly that tag: of several the oldest, ``None`` without one.

        Those for whose id ``unless`` is true are passed over.
        """
        found = [
            company
            for company in self.find_companies(tags=tag_filter(name, value), page_size=LARGE_PAGE_SIZE)
            if company.tags.get(name) == value and not unless(company.id)
        ]
        # An unknown age sorts last; ids break ties, so that every process finds the same one.
        return min(
            found, key=lambda one: (one.created is None, one.created or one.asked_at, one.id), default=None
        )

    def create_company(
        self, name: str, tags: Mapping[str, str] | None = None, *, products: Sequence[str] = ()
    ) -> CompanyResponse:
        """A new company; ``name`` as ``codat_name`` makes it. Without ``products`` it has the client's own.

        Raises ``CodatUncertain`` where it may exist now: look for it by its tag before another try.
        """
        body: dict[str, object] = {"name": name, "tags": dict(tags or {})}
        if products:
            body["products"] = list(products)
        answer = self._exchange.write("POST", "companies", body=body)
        return _made(schemas.company_of, answer)

    def delete_company(self, company_id: str) -> None:
        """Delete a company with all its connections and data."""
        self._exchange.write("DELETE", "companies", company_id)

    # Connections

    def get_connection(self, company_id: str, connection_id: str) -> ConnectionResponse:
        """One connection, with a fresh ``link_url``; raises ``CodatNotFound`` where Codat knows none."""
        answer = self._exchange.read("companies", company_id, "connections", connection_id)
        connection = schemas.connection_of(answer.body, answer)
        _must_be(connection.id, connection_id, "connection")
        return connection

    def list_connections(self, company_id: str) -> list[ConnectionResponse]:
        """The connections of a company that can be read; one that is left out is not gone."""
        read = pages(self._exchange, "companies", company_id, "connections", page_size=PAGE_SIZE)
        found: list[ConnectionResponse] = []
        for page in read:
            found += schemas.readable(page.rows, partial(schemas.connection_of, answer=page.answer))
        return found

    def create_connection(self, company_id: str, platform_key: str) -> ConnectionResponse:
        """A new connection to a platform, to be authorised at ``link_url``."""
        body = {"platformKey": platform_key}
        answer = self._exchange.write("POST", "companies", company_id, "connections", body=body)
        return _made(schemas.connection_of, answer)

    def unlink(self, company_id: str, connection_id: str) -> ConnectionResponse:
        """End our access through a linked connection; what was read stays readable."""
        path = ("companies", company_id, "connections", connection_id)
        answer = self._exchange.write("PATCH", *path, body={"status": "Unlinked"})
        return _made(schemas.connection_of, answer)

    def delete_connection(self, company_id: str, connection_id: str) -> None:
        """Delete a connection for good."""
        self._exchange.write("DELETE", "companies", company_id, "connections", connection_id)

    # Reading of data

    def get_data_status(self, company_id: str) -> dict[str, DataTypeStatus]:
        """How each data type of a company stands, over all of its connections."""
        return schemas.data_statuses_of(self._exchange.read("companies", company_id, "dataStatus").body)

    def get_history(self, company_id: str, connection_id: str | None = None) -> HistoryResponse:
        """The read history of a company, or of one connection, in Codat's order, as far as it can be read.

        ``asked_at`` is that of the first page: what came later was seen then at the earliest.
        """
        query = None if connection_id is None else f"connectionId={connection_id}"
        path = ("companies", company_id, "data", "history")
        read = list(pages(self._exchange, *path, query=query, page_size=LARGE_PAGE_SIZE))
        rows = (row for page in read for row in page.rows)
        datasets = tuple(schemas.readable(rows, schemas.dataset_of))
        first = read[0].answer
        return HistoryResponse(first.asked_at, datasets, first.timed)

    def read_again(self, company_id: str) -> None:
        """Have all data types read that are marked to be fetched on first link; what is being read is fine.

        https://docs.codat.io/platform-api#/operations/refresh-all-data-types
        """
        try:
            self._exchange.write("POST", "companies", company_id, "data", "all")
        except CodatConflict:
            return
        except CodatError as error:
            if not _is_being_read(error):
                raise

    # Integrations

    def list_integrations(
        self, *, source_type: str | None = None, enabled: bool | None = True
    ) -> list[Integration]:
        """The platforms of a source type, in any case, that are ``enabled``; ``None`` stands for "all".

        One that cannot be read is left out, for it is no reason to show none. Raises ``Invalid`` for a
        source type that Codat does not have, and ``CodatUnusable`` where not one can be read.
        """
        terms = [] if source_type is None else [f"sourceType={source_type_of(source_type)}"]
        terms += [] if enabled is None else [f"enabled={str(enabled).lower()}"]
        read = pages(self._exchange, "integrations", query="&&".join(terms) or None, page_size=PAGE_SIZE)
        return schemas.readable((row for page in read for row in page.rows), schemas.integration_of)

    def get_branding(self, platform_key: str) -> Branding:
        """The pictures of a platform; they change rarely and belong into a cache."""
        return schemas.branding_of(self._exchange.read("integrations", platform_key, "branding").body)

    def ping(self) -> None:
        """Ask for one company, to see that Codat answers and accepts the key; raises ``CodatError``s."""
        next(self.find_companies(page_size=1), None)

    # Webhook consumers

    def list_webhooks(self) -> list[WebhookConsumer]:
        """The consumers of the Codat client that can be read; there are 50 at most."""
        return schemas.readable(rows_of(self._exchange.read("webhooks")), schemas.consumer_of)

    def create_webhook(
        self,
        url: str,
        event_types: Sequence[str],
        *,
        company_tags: Sequence[str] = (),
        disabled: bool = False,
    ) -> WebhookConsumer:
        """A new consumer of ``event_types`` at ``url``."""
        body: dict[str, object] = {"url": url, "eventTypes": list(event_types), "disabled": disabled}
        if company_tags:
            body["companyTags"] = list(company_tags)
        answer = self._exchange.write("POST", "webhooks", body=body)
        return _made(lambda value, _: schemas.consumer_of(value), answer)

    def delete_webhook(self, webhook_id: str) -> None:
        """Remove a consumer."""
        self._exchange.write("DELETE", "webhooks", webhook_id)


def _is_being_read(error: CodatError) -> bool:
    """Whether Codat refused to read what it is reading: ``DatasetAlreadyInProgressException``."""
    return "alreadyinprogress" in "".join(error.detail.split()).casefold()


def _must_be(answered: str, asked: str, what: str) -> None:
    """Codat's ids are UUIDs: their case says nothing."""
    if answered.casefold() != asked.casefold():
        raise CodatUnusable(f"Codat answered with another {what} than the one that was asked for.")


def _made(read: Callable[[object, CodatResponse], Made], answer: CodatResponse) -> Made:
    """What a change brought about; where that cannot be read, it was made all the same."""
    try:
        return read(answer.body, answer)
    except CodatUnusable as error:
        raise CodatUncertain from error
