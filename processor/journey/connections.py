"""Connections at Codat: chosen, linked again, unlinked, deleted. Codat first, then here."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from handlers.events import LinkStatus
from processor.codat.client import CodatClient
from processor.codat.errors import CodatNotFound, CodatUncertain
from processor.codat.models import ConnectionResponse
from processor.errors import CodatError, Conflict, Invalid, NotFound
from processor.journey.addresses import with_query
from processor.journey.companies import LOOK_AGAIN_AFTER_S
from processor.journey.errors import AlreadyConnected
from processor.journey.events import JourneyEvents, Row
from processor.journey.models import ChangeResult, LinkSession, PlatformView
from processor.journey.records import Records
from processor.store.records import StoredConnection

ACCOUNTING = "Accounting"

READ_PAUSE_S = 60
"""How often Codat is told to read a company's data again, at most: once in so many seconds."""

_IS: Mapping[LinkStatus, str] = {
    LinkStatus.PENDING: "was not authorised yet",
    LinkStatus.LINKED: "is linked",
    LinkStatus.UNLINKED: "is disconnected already",
    LinkStatus.DEAUTHORIZED: "has lost its access already",
}


class AskAgain(Protocol):
    """Has Codat asked in the background about a connection of a company."""

    def __call__(self, company_id: str, connection_id: str | None = None) -> object: ...


class ConnectionService:
    """The changes of connections; each raises ``CodatError`` where Codat does not make it."""

    def __init__(
        self,
        *,
        codat: CodatClient,
        platform: Callable[[str], PlatformView | None],
        records: Records,
        news: JourneyEvents,
        ask_again: AskAgain,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._codat, self._platform = codat, platform
        self._records, self._news, self._ask_again = records, news, ask_again
        self._sleep = sleep

    def connect(self, row: Row, platform_key: str, parameters: Mapping[str, str]) -> LinkSession:
        """A connection to a platform, to be authorised: a new one, or the one that is pending already."""
        platform = self._platform(platform_key)
        if platform is None:
            raise Invalid(errors={"platform_key": ["There is no platform with this key that is enabled."]})
        company_id = row["id"]
        with self._records.connecting(company_id):
            existing = self._codat.list_connections(company_id)
            if platform.source_type == ACCOUNTING:
                _refuse_second(existing)
            pending = _pending(existing, platform_key)
            answer = pending or self._created(company_id, platform_key)
        if pending is None or not self._news.knows(answer.id):
            event_id = self._news.created(row, answer)
            if answer.status is not LinkStatus.PENDING:
                event_id = self._news.seen(row, answer)
            self._news.settle(event_id)
        if answer.link_url is None:
            answer = self._codat.get_connection(company_id, answer.id)
        return _started(answer, company_id, parameters, created=pending is None)

    def _created(self, company_id: str, platform_key: str) -> ConnectionResponse:
        """A new connection; where the answer is lost, it is looked for and never sent again."""
        try:
            return self._codat.create_connection(company_id, platform_key)
        except CodatUncertain as lost:
            for pause_s in LOOK_AGAIN_AFTER_S:
                self._sleep(pause_s)
                try:
                    found = _pending(self._codat.list_connections(company_id), platform_key)
                except CodatError as error:
                    raise lost from error
                if found is not None:
                    return found
            raise

    def link(self, row: Row, connection_id: str, parameters: Mapping[str, str]) -> LinkSession:
        """A fresh link to a connection, to resume or to reconnect."""
        company_id = row["id"]
        answer = self._shown(row, connection_id)
        if answer.details.source_type == ACCOUNTING and answer.status is not LinkStatus.LINKED:
            others = self._codat.list_connections(company_id)
            _refuse_second([one for one in others if one.id != answer.id])
        return _started(answer, company_id, parameters, created=False)

    def unlink(self, row: Row, stored: StoredConnection) -> ChangeResult:
        """End access; raises :class:`Conflict` unless Codat shows the connection as linked."""
        company_id, connection_id = row["id"], stored.connection.id
        shown = self._shown(row, connection_id)
        if shown.status is not LinkStatus.LINKED:
            self._ask_again(company_id, connection_id)
            name = shown.details.platform_name or "the platform"
            raise Conflict(
                f"The connection to {name} {_IS[shown.status]}; only a linked one can be disconnected."
            )
        try:
            answer = self._codat.unlink(company_id, connection_id)
            if answer.status is not LinkStatus.UNLINKED:
                raise CodatUncertain
        except CodatUncertain:
            self._ask_again(company_id, connection_id)
            raise
        return self._done(company_id, connection_id, self._news.unlinked(row, answer, stored))

    def delete(self, row: Row, connection_id: str) -> ChangeResult:
        """Delete a connection for good."""
        company_id = row["id"]
        try:
            self._codat.delete_connection(company_id, connection_id)
        except (CodatNotFound, CodatUncertain):
            self._ask_again(company_id, connection_id)
            raise
        return self._done(company_id, connection_id, self._news.deleted(row, connection_id))

    def read_again(self, row: Row) -> None:
        """Have Codat read the company's data again; what it is reading already is fine."""
        company_id = row["id"]
        if self._records.may_read_again(company_id, READ_PAUSE_S):
            try:
                self._codat.read_again(company_id)
            except CodatError:
                self._records.may_not_wait(company_id)
                raise
        self._ask_again(company_id)

    def delete_company(self, row: Row) -> ChangeResult:
        """Delete a company with all its connections."""
        try:
            self._codat.delete_company(row["id"])
        except (CodatNotFound, CodatUncertain):
            self._ask_again(row["id"])
            raise
        return self._done(row["id"], None, self._news.company_deleted(row))

    def _shown(self, row: Row, connection_id: str) -> ConnectionResponse:
        """The connection as Codat shows it now; where Codat does not know it, the state is asked about."""
        try:
            return self._codat.get_connection(row["id"], connection_id)
        except CodatNotFound:
            self._ask_again(row["id"], connection_id)
            raise

    def _done(self, company_id: str, connection_id: str | None, event_id: str) -> ChangeResult:
        return ChangeResult(company_id, connection_id, event_id, self._news.settle(event_id))


def _refuse_second(existing: Sequence[ConnectionResponse]) -> None:
    """Raise :class:`AlreadyConnected` where an accounting connection is active."""
    for one in existing:
        if one.details.source_type == ACCOUNTING and one.status is LinkStatus.LINKED:
            raise AlreadyConnected(one.id, one.details.platform_name)


def _pending(existing: Sequence[ConnectionResponse], platform_key: str) -> ConnectionResponse | None:
    """A connection to the platform that nobody has authorised yet."""
    return next(
        (
            one
            for one in existing
            if one.details.platform_key == platform_key and one.status is LinkStatus.PENDING
        ),
        None,
    )


def _started(
    answer: ConnectionResponse, company_id: str, parameters: Mapping[str, str], *, created: bool
) -> LinkSession:
    if answer.link_url is None:
        raise NotFound("Codat gives no link for this connection.")
    details = answer.details
    return LinkSession(
        connection_id=answer.id,
        company_id=company_id,
        link_url=with_query(answer.link_url, **parameters),
        status=answer.status.value,
        platform_key=details.platform_key,
        platform_name=details.platform_name,
        source_type=details.source_type,
        created=created,
    )
