"""The calls to Codat's API that this service makes; no other module calls Codat.

Reads are retried briefly, changes only if they were never sent. Every failure is a ``CodatError``
(``processor.errors``, ``processor.codat.errors``). https://docs.codat.io/platform-api
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Self, TypeVar

from processor.codat import parsing
from processor.codat.errors import CodatConflict, CodatUncertain, CodatUnusable
from processor.codat.http import CodatHttp, CodatResponse
from processor.codat.models import (
    Branding,
    CompanyResponse,
    ConnectionResponse,
    HistoryResponse,
    Integration,
    WebhookConsumer,
)
from processor.codat.names import tag_filter
from processor.codat.paging import pages, rows_of
from processor.errors import CodatError

Model = TypeVar("Model")

PAGE_SIZE = 100
LARGE_PAGE_SIZE = 1_000
"""Page size for small rows. Codat's default and advice is 100, its maximum 5,000.

https://docs.codat.io/using-the-api/paging
"""


class CodatClient:
    """Client of one Codat account. Thread-safe; create one per process, after forking, and close it."""

    def __init__(self, http: CodatHttp) -> None:
        self._http = http

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Companies

    def get_company(self, company_id: str) -> CompanyResponse:
        """One company with its connections. Raises ``CodatNotFound``."""
        response = self._http.read("companies", company_id)
        company = parsing.company_of(response.body, response)
        _check_id(company.id, company_id, "company")
        return company

    def find_companies(
        self, *, tags: str | None = None, page_size: int = PAGE_SIZE
    ) -> Iterator[CompanyResponse]:
        """All companies that match, each once; pages are fetched as they are consumed.

        ``tags`` is a filter in Codat's language (https://docs.codat.io/using-the-api/querying).
        """
        for page in pages(self._http, "companies", tags=tags, page_size=page_size):
            yield from parsing.readable(page.rows, partial(parsing.company_of, response=page.response))

    def find_company_by_tag(
        self, name: str, value: str, *, unless: Callable[[str], bool] = lambda _: False
    ) -> CompanyResponse | None:
        """The oldest company with exactly this tag; ``None`` if there is none.

        Companies for whose id ``unless`` is true are skipped.
        """
        companies = [
            company
            for company in self.find_companies(tags=tag_filter(name, value), page_size=LARGE_PAGE_SIZE)
            if company.tags.get(name) == value and not unless(company.id)
        ]
        # An unknown age sorts last; ids break ties, so every process finds the same company.
        return min(companies, key=_age_order, default=None)

    def create_company(
        self, name: str, tags: Mapping[str, str] | None = None, *, products: Sequence[str] = ()
    ) -> CompanyResponse:
        """Create a company; ``name`` comes from ``codat_name``. By default it gets the account's products.

        Raises ``CodatUncertain`` if the company may exist: look for its tag before another attempt.
        """
        body: dict[str, object] = {"name": name, "tags": dict(tags or {})}
        if products:
            body["products"] = list(products)
        response = self._http.write("POST", "companies", body=body)
        return _parse_created(parsing.company_of, response)

    def delete_company(self, company_id: str) -> None:
        """Delete a company with all its connections and data."""
        self._http.write("DELETE", "companies", company_id)

    # Connections

    def get_connection(self, company_id: str, connection_id: str) -> ConnectionResponse:
        """One connection with a fresh ``link_url``. Raises ``CodatNotFound``."""
        response = self._http.read("companies", company_id, "connections", connection_id)
        connection = parsing.connection_of(response.body, response)
        _check_id(connection.id, connection_id, "connection")
        return connection

    def list_connections(self, company_id: str) -> list[ConnectionResponse]:
        """The readable connections of a company; a missing one may still exist."""
        connections: list[ConnectionResponse] = []
        for page in pages(self._http, "companies", company_id, "connections", page_size=PAGE_SIZE):
            connections += parsing.readable(page.rows, partial(parsing.connection_of, response=page.response))
        return connections

    def create_connection(self, company_id: str, platform_key: str) -> ConnectionResponse:
        """Create a connection to a platform, to be authorised at ``link_url``."""
        body = {"platformKey": platform_key}
        response = self._http.write("POST", "companies", company_id, "connections", body=body)
        return _parse_created(parsing.connection_of, response)

    def unlink(self, company_id: str, connection_id: str) -> ConnectionResponse:
        """End the access through a linked connection; data that was read stays readable."""
        path = ("companies", company_id, "connections", connection_id)
        response = self._http.write("PATCH", *path, body={"status": "Unlinked"})
        return _parse_created(parsing.connection_of, response)

    def delete_connection(self, company_id: str, connection_id: str) -> None:
        """Delete a connection permanently."""
        self._http.write("DELETE", "companies", company_id, "connections", connection_id)

    # Reading of data

    def get_data_status(self, company_id: str) -> dict[str, str]:
        """Status of each data type of a company that was read, over all of its connections."""
        return parsing.data_statuses_of(self._http.read("companies", company_id, "dataStatus").body)

    def get_history(self, company_id: str, connection_id: str | None = None) -> HistoryResponse:
        """The readable rows of the read history of a company, or of one connection, in Codat's order.

        ``asked_at`` is the time of the first page, so that later pages are never dated too late.
        """
        query = None if connection_id is None else f"connectionId={connection_id}"
        path = ("companies", company_id, "data", "history")
        listing = list(pages(self._http, *path, query=query, page_size=LARGE_PAGE_SIZE))
        rows = (row for page in listing for row in page.rows)
        datasets = tuple(parsing.readable(rows, parsing.dataset_of))
        first = listing[0].response
        return HistoryResponse(first.asked_at, datasets, first.timed)

    def read_again(self, company_id: str) -> None:
        """Start a read of all data types that are fetched on first link; a running read is no error.

        https://docs.codat.io/platform-api#/operations/refresh-all-data-types
        """
        try:
            self._http.write("POST", "companies", company_id, "data", "all")
        except CodatConflict:
            return
        except CodatError as error:
            if not _is_read_running(error):
                raise

    def get_account_name(self, company_id: str) -> str | None:
        """The name of the business in the company's accounting software; ``None`` if it says none.

        https://docs.codat.io/accounting-api#/operations/get-company-info
        """
        return parsing.account_name_of(self._http.read("companies", company_id, "data", "info").body)

    # Products

    def add_product(self, company_id: str, product: str) -> None:
        """Give a company a product of the account. Raises ``CodatNotFound``."""
        self._http.write("PUT", "companies", company_id, "products", product)

    def remove_product(self, company_id: str, product: str) -> None:
        """Take a product from a company. Raises ``CodatNotFound``."""
        self._http.write("DELETE", "companies", company_id, "products", product)

    def refresh_product(self, company_id: str, product: str) -> None:
        """Read the data of a custom product again; refused (400) while one is being read.

        https://docs.codat.io/platform-api#/operations/refresh-product-data
        """
        self._http.write("POST", "companies", company_id, "products", product, "refresh")

    # Integrations

    def list_integrations(self) -> list[Integration]:
        """The readable platforms that are enabled. Raises ``CodatUnusable`` if none can be read."""
        listing = pages(self._http, "integrations", query="enabled=true", page_size=PAGE_SIZE)
        return parsing.readable((row for page in listing for row in page.rows), parsing.integration_of)

    def get_branding(self, platform_key: str) -> Branding:
        """The pictures of a platform; they change rarely, so cache them."""
        return parsing.branding_of(self._http.read("integrations", platform_key, "branding").body)

    def ping(self) -> None:
        """Check that Codat responds and accepts the key. Raises ``CodatError``."""
        next(self.find_companies(page_size=1), None)

    # Webhook consumers

    def list_webhooks(self) -> list[WebhookConsumer]:
        """The readable webhook consumers of the account; there are up to 50."""
        return parsing.readable(rows_of(self._http.read("webhooks")), parsing.consumer_of)

    def create_webhook(
        self,
        url: str,
        event_types: Sequence[str],
        *,
        company_tags: Sequence[str] = (),
        disabled: bool = False,
    ) -> WebhookConsumer:
        """Create a consumer of ``event_types`` at ``url``."""
        body: dict[str, object] = {"url": url, "eventTypes": list(event_types), "disabled": disabled}
        if company_tags:
            body["companyTags"] = list(company_tags)
        response = self._http.write("POST", "webhooks", body=body)
        return _parse_created(lambda value, _: parsing.consumer_of(value), response)

    def delete_webhook(self, webhook_id: str) -> None:
        """Delete a consumer."""
        self._http.write("DELETE", "webhooks", webhook_id)


def _is_read_running(error: CodatError) -> bool:
    """Whether Codat refused because a read is running (``DatasetAlreadyInProgressException``)."""
    return "alreadyinprogress" in "".join(error.detail.split()).casefold()


def _age_order(company: CompanyResponse) -> tuple[bool, datetime, str]:
    return company.created is None, company.created or company.asked_at, company.id


def _check_id(received: str, requested: str, kind: str) -> None:
    """Raise ``CodatUnusable`` if the response holds another object; the case of a UUID is irrelevant."""
    if received.casefold() != requested.casefold():
        raise CodatUnusable(f"Codat answered with another {kind} than the one that was asked for.")


def _parse_created(parse: Callable[[object, CodatResponse], Model], response: CodatResponse) -> Model:
    """The result of a change; raises ``CodatUncertain`` if it cannot be read, for the change was made."""
    try:
        return parse(response.body, response)
    except CodatUnusable as error:
        raise CodatUncertain from error
