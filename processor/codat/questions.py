"""Questions to Codat on behalf of the workers: the answer is an event for the inbox."""

from collections.abc import Callable, Iterable
from datetime import datetime

from handlers.events import Company, ConnectionGone, ConnectionSeen, HistorySeen
from processor.clock import utc_now as now_by_our_clock
from processor.codat.client import CodatClient
from processor.codat.errors import CodatNotFound, CompanyUnseen
from processor.codat.observations import connection_gone, connection_seen, history_seen, new_id
from processor.errors import CodatUnavailable


class QuestionClient:
    """Asks one Codat client; without one (no API key) nothing can be asked, and the answer is ``None``.

    ``new_event_id`` names events for which the caller gives no id. ``clock`` is ours, in UTC.
    """

    def __init__(
        self,
        client: CodatClient | None,
        *,
        new_event_id: Callable[[], str] = new_id,
        clock: Callable[[], datetime] = now_by_our_clock,
    ) -> None:
        self._client = client
        self._new_event_id = new_event_id
        self._clock = clock

    def ask_connection(
        self,
        company_id: str,
        connection_id: str,
        *,
        seen_before: bool = False,
        event_id: str | None = None,
    ) -> ConnectionSeen | ConnectionGone | None:
        """What Codat shows of a connection; raises ``CodatError`` where it gives no answer to rely on.

        Gone is for good, so a 404 alone does not say it: it must be Codat's own, and the company must
        still be shown to our key. Where the company is unknown too, the connection is gone only if our
        key was shown it before (``seen_before``); otherwise it may be another Codat client's, several of
        which can share one endpoint, and ``CompanyUnseen`` is raised.
        """
        if self._client is None:
            return None
        try:
            answer = self._client.get_connection(company_id, connection_id)
        except CodatNotFound as missing:
            company = _company_without(self._client, company_id, connection_id, missing, seen_before)
            return connection_gone(
                connection_id,
                event_id=event_id or self._new_event_id(),
                received_at=self._clock(),
                company=company,
                asked_at=missing.asked_at,
                timed=missing.timed,
            )
        return connection_seen(
            answer,
            event_id=event_id or self._new_event_id(),
            received_at=self._clock(),
            company=Company(company_id),
        )

    def ask_connections(
        self, company_id: str, connection_ids: Iterable[str], *, new_event_id: Callable[[], str] | None = None
    ) -> dict[str, ConnectionSeen]:
        """What Codat's list of a company's connections shows of these; one request, however many they are.

        Those that are not listed are left out: ask for each, since gone is for good. Raises
        ``CodatError`` without an answer, of which ``CompanyUnseen`` says that our key is not shown
        the company.
        """
        if self._client is None:
            return {}
        wanted = {connection_id.casefold(): connection_id for connection_id in connection_ids}
        try:
            answers = self._client.list_connections(company_id)
        except CodatNotFound as missing:
            raise CompanyUnseen(correlation_id=missing.correlation_id) from missing
        name = new_event_id or self._new_event_id
        return {
            wanted[answer.id.casefold()]: connection_seen(
                answer, event_id=name(), received_at=self._clock(), company=Company(company_id)
            )
            for answer in answers
            if answer.id.casefold() in wanted
        }

    def ask_history(
        self, company_id: str, connection_ids: Iterable[str] = (), *, event_id: str | None = None
    ) -> HistorySeen | None:
        """Codat's read history of these connections, or of the whole company without any.

        One question, however many connections; raises ``CodatError`` without an answer, of which
        ``CompanyUnseen`` says that our key is not shown the company.
        """
        if self._client is None:
            return None
        wanted = tuple(dict.fromkeys(connection_ids))
        try:
            answer = self._client.get_history(company_id, wanted[0] if len(wanted) == 1 else None)
        except CodatNotFound as missing:
            raise CompanyUnseen(correlation_id=missing.correlation_id) from missing
        return history_seen(
            answer,
            event_id=event_id or self._new_event_id(),
            received_at=self._clock(),
            company=Company(company_id),
            asked_for=wanted,
        )


def _company_without(
    client: CodatClient, company_id: str, connection_id: str, missing: CodatNotFound, seen_before: bool
) -> Company:
    """The company, once it is sure that it does not have the connection any more."""
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
