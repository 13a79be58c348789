"""Changes of connections: choose a platform, link, unlink, delete. Codat changes first, then the store."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import quote_plus, unquote_plus, urlencode

from handlers.events import LinkStatus
from processor.codat.client import CodatClient
from processor.codat.errors import CodatConflict, CodatNotFound, CodatUncertain
from processor.codat.models import ConnectionResponse
from processor.errors import CodatError, CodatRefused, Conflict, Invalid, NotFound
from processor.journey.companies import look_for_lost
from processor.journey.company_fields import products_of
from processor.journey.errors import AlreadyConnected
from processor.journey.events import CompanyFields, JourneyEvents
from processor.journey.models import ChangeResult, LinkSession, PlatformView
from processor.journey.records import Records
from processor.store.records import StoredConnection

ACCOUNTING = "Accounting"

READ_PAUSE_S = 60
"""Minimum seconds between two requests to Codat to read the same company's data."""

_STATUS_TEXTS: Mapping[LinkStatus, str] = {
    LinkStatus.PENDING: "was not authorised yet",
    LinkStatus.LINKED: "is linked",
    LinkStatus.UNLINKED: "is disconnected already",
    LinkStatus.DEAUTHORIZED: "has lost its access already",
}


class QueueQuestions(Protocol):
    """Queues questions to Codat about one connection of a company, or about all of them."""

    def __call__(self, company_id: str, connection_id: str | None = None) -> object: ...


class ConnectionService:
    """Changes connections; each method raises ``CodatError`` when Codat does not make the change.

    When the outcome is uncertain, or Codat does not know the connection, its state is asked of Codat in
    the background.
    """

    def __init__(
        self,
        *,
        codat: CodatClient,
        platform: Callable[[str], PlatformView | None],
        records: Records,
        events: JourneyEvents,
        queue_questions: QueueQuestions,
    ) -> None:
        self._codat, self._platform = codat, platform
        self._records, self._events, self._queue_questions = records, events, queue_questions

    def connect(
        self, company: CompanyFields, platform_key: str, parameters: Mapping[str, str]
    ) -> LinkSession:
        """A connection to the platform to be authorised: the pending one, or a new one."""
        platform = self._platform(platform_key)
        if platform is None:
            raise Invalid(errors={"platform_key": ["There is no platform with this key that is enabled."]})
        company_id = company["id"]
        with self._records.connecting(company_id):
            connections = self._codat.list_connections(company_id)
            if platform.source_type == ACCOUNTING:
                _check_no_linked_accounting(connections)
            pending = _pending_connection(connections, platform_key)
            connection = pending or self._create(company_id, platform_key)
        if pending is None or not self._events.is_known(connection.id):
            event_id = self._events.record_created(company, connection)
            if connection.status is not LinkStatus.PENDING:
                event_id = self._events.record_seen(company, connection)
            self._events.wait_until_handled(event_id)
        if connection.link_url is None:
            connection = self._codat.get_connection(company_id, connection.id)
        return _link_session(connection, company_id, parameters, created=pending is None)

    def _create(self, company_id: str, platform_key: str) -> ConnectionResponse:
        """Create a connection; after a lost answer look for it and never create it a second time."""
        try:
            return self._codat.create_connection(company_id, platform_key)
        except CodatUncertain as lost:

            def pending() -> ConnectionResponse | None:
                return _pending_connection(self._codat.list_connections(company_id), platform_key)

            return look_for_lost(lost, pending, time.sleep)

    def link(self, company: CompanyFields, connection_id: str, parameters: Mapping[str, str]) -> LinkSession:
        """A fresh link to resume or reconnect; raises :class:`AlreadyConnected` as ``connect`` does."""
        company_id = company["id"]
        connection = self._fetch(company_id, connection_id)
        if connection.details.source_type == ACCOUNTING and connection.status is not LinkStatus.LINKED:
            connections = self._codat.list_connections(company_id)
            _check_no_linked_accounting([other for other in connections if other.id != connection.id])
        return _link_session(connection, company_id, parameters, created=False)

    def unlink(self, company: CompanyFields, stored: StoredConnection) -> ChangeResult:
        """End access; raises :class:`Conflict` unless Codat shows the connection as linked."""
        company_id, connection_id = company["id"], stored.connection.id
        connection = self._fetch(company_id, connection_id)
        if connection.status is not LinkStatus.LINKED:
            self._queue_questions(company_id, connection_id)
            name = connection.details.platform_name or "the platform"
            raise Conflict(
                f"The connection to {name} {_STATUS_TEXTS[connection.status]};"
                " only a linked one can be disconnected."
            )
        try:
            unlinked = self._codat.unlink(company_id, connection_id)
            if unlinked.status is not LinkStatus.UNLINKED:
                raise CodatUncertain
        except CodatUncertain:
            self._queue_questions(company_id, connection_id)
            raise
        event_id = self._events.record_unlinked(company, unlinked, stored)
        return self._change_result(company_id, connection_id, event_id)

    def delete(self, company: CompanyFields, connection_id: str) -> ChangeResult:
        """Delete a connection for good."""
        company_id = company["id"]
        try:
            self._codat.delete_connection(company_id, connection_id)
        except (CodatNotFound, CodatUncertain):
            self._queue_questions(company_id, connection_id)
            raise
        event_id = self._events.record_deleted(company, connection_id)
        return self._change_result(company_id, connection_id, event_id)

    def read_again(self, company: CompanyFields) -> None:
        """Have Codat read the company's data, at most once in ``READ_PAUSE_S``, and ask how it goes."""
        company_id = company["id"]
        if self._records.begin_read_pause(company_id, READ_PAUSE_S):
            try:
                self._codat.read_again(company_id)
            except CodatError:
                self._records.end_read_pause(company_id)
                raise
            self._refresh_products(company)
        self._queue_questions(company_id)

    def _refresh_products(self, company: CompanyFields) -> None:
        """Have custom products read too, which the read of the company leaves out.

        Codat refuses that for its standard products, and while one is being read.
        """
        for product in products_of(company):
            with contextlib.suppress(CodatRefused, CodatNotFound, CodatConflict):
                self._codat.refresh_product(company["id"], product)

    def delete_company(self, company: CompanyFields) -> ChangeResult:
        """Delete a company with all its connections."""
        company_id = company["id"]
        try:
            self._codat.delete_company(company_id)
        except (CodatNotFound, CodatUncertain):
            self._queue_questions(company_id)
            raise
        return self._change_result(company_id, None, self._events.record_company_deleted(company))

    def _fetch(self, company_id: str, connection_id: str) -> ConnectionResponse:
        """The connection as Codat shows it now; raises ``CodatNotFound``."""
        try:
            return self._codat.get_connection(company_id, connection_id)
        except CodatNotFound:
            self._queue_questions(company_id, connection_id)
            raise

    def _change_result(self, company_id: str, connection_id: str | None, event_id: str) -> ChangeResult:
        self._events.wait_until_handled(event_id)
        return ChangeResult(company_id, connection_id, event_id)


def with_query(url: str, **parameters: str | None) -> str:
    """``url`` with the parameters added before its fragment; ``None`` leaves a parameter out.

    The existing query stays as it is written, except for parameters of the same name, which are replaced.
    """
    added = {name: value for name, value in parameters.items() if value is not None}
    address, hash_, fragment = url.partition("#")
    path, _, query = address.partition("?")
    pairs = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in added]
    if added:
        pairs.append(urlencode(added, quote_via=quote_plus))
    return path + ("?" + "&".join(pairs) if pairs else "") + hash_ + fragment


def _check_no_linked_accounting(connections: Sequence[ConnectionResponse]) -> None:
    """Raise :class:`AlreadyConnected` when one of the connections is a linked accounting platform."""
    for connection in connections:
        if connection.details.source_type == ACCOUNTING and connection.status is LinkStatus.LINKED:
            raise AlreadyConnected(connection.id, connection.details.platform_name)


def _pending_connection(
    connections: Sequence[ConnectionResponse], platform_key: str
) -> ConnectionResponse | None:
    """The first connection to the platform that is not authorised yet, or ``None``."""
    pending = (
        connection
        for connection in connections
        if connection.details.platform_key == platform_key and connection.status is LinkStatus.PENDING
    )
    return next(pending, None)


def _link_session(
    connection: ConnectionResponse, company_id: str, parameters: Mapping[str, str], *, created: bool
) -> LinkSession:
    if connection.link_url is None:
        raise NotFound("Codat gives no link for this connection.")
    details = connection.details
    return LinkSession(
        connection_id=connection.id,
        company_id=company_id,
        link_url=with_query(connection.link_url, **parameters),
        status=connection.status.value,
        platform_key=details.platform_key,
        platform_name=details.platform_name,
        source_type=details.source_type,
        created=created,
    )
