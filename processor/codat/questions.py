"""Questions to Codat by the workers: the answer is an event for the inbox."""

from collections.abc import Callable, Iterable
from datetime import datetime

from handlers.events import Company, ConnectionGone, ConnectionSeen, HistorySeen
from processor.clock import utc_now
from processor.codat.client import CodatClient
from processor.codat.errors import CodatNotFound, CompanyUnseen
from processor.codat.observations import connection_gone, connection_seen, history_seen
from processor.errors import CodatUnavailable


class QuestionClient:
    """Asks Codat through ``client``."""

    def __init__(self, client: CodatClient, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._client, self._clock = client, clock

    def ask_connection(
        self, company_id: str, connection_id: str, *, seen_before: bool = False
    ) -> ConnectionSeen | ConnectionGone:
        """The state of a connection at Codat. Raises ``CodatError``.

        ``ConnectionGone`` is final, so it takes more than a 404: the 404 must be Codat's own, and Codat must
        still show the company. If the company is unknown too, the connection is gone only if this key has
        seen it (``seen_before``); otherwise it may belong to another Codat client with the same webhook
        endpoint, and ``CompanyUnseen`` is raised.
        """
        try:
            response = self._client.get_connection(company_id, connection_id)
        except CodatNotFound as missing:
            company = _company_lacking(self._client, company_id, connection_id, missing, seen_before)
            return connection_gone(
                connection_id,
                received_at=self._clock(),
                company=company,
                asked_at=missing.asked_at,
                timed=missing.timed,
            )
        return connection_seen(response, received_at=self._clock(), company=Company(company_id))

    def ask_connections(self, company_id: str, connection_ids: Iterable[str]) -> dict[str, ConnectionSeen]:
        """The states of several connections of a company, from one list.

        Connections that are not listed are omitted: ask for each of them. Raises ``CodatError``, such as
        ``CompanyUnseen`` if this key cannot see the company.
        """
        ids = {connection_id.casefold(): connection_id for connection_id in connection_ids}
        try:
            responses = self._client.list_connections(company_id)
        except CodatNotFound as missing:
            raise CompanyUnseen(correlation_id=missing.correlation_id) from missing
        return {
            ids[response.id.casefold()]: connection_seen(
                response, received_at=self._clock(), company=Company(company_id)
            )
            for response in responses
            if response.id.casefold() in ids
        }

    def ask_history(self, company_id: str, connection_ids: Iterable[str] = ()) -> HistorySeen:
        """The read history of these connections, or of the whole company without any, in one request.

        Raises ``CodatError``, such as ``CompanyUnseen`` if this key cannot see the company.
        """
        ids = tuple(dict.fromkeys(connection_ids))
        try:
            response = self._client.get_history(company_id, ids[0] if len(ids) == 1 else None)
        except CodatNotFound as missing:
            raise CompanyUnseen(correlation_id=missing.correlation_id) from missing
        return history_seen(response, received_at=self._clock(), company=Company(company_id), asked_for=ids)


def _company_lacking(
    client: CodatClient, company_id: str, connection_id: str, missing: CodatNotFound, seen_before: bool
) -> Company:
    """The company, if it certainly does not have the connection any more. Raises ``CodatError`` otherwise."""
    try:
        company = client.get_company(company_id)
    except CodatNotFound:
        if seen_before:
            return Company(company_id)
        raise CompanyUnseen(correlation_id=missing.correlation_id) from missing
    shown = {connection.id.casefold() for connection in company.connections or ()}
    if connection_id.casefold() in shown or not company.all_readable:
        raise CodatUnavailable(
            "Codat shows the connection with its company, but not by itself; try again later.",
            correlation_id=missing.correlation_id,
        )
    return company.company
