"""Compares a company with Codat; each difference becomes an event.

The state machine itself, run on the stored connections, finds out what an answer would change. Answers
that change nothing do not enter the inbox, and a dry run shows exactly what would be done.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from handlers.company import company_change
from handlers.connection import Connection
from handlers.events import Company, LinkStatus, Trigger
from handlers.facts import API_LAG, COMPLETE, QUEUED_WITHIN
from handlers.machine import advance
from handlers.registry import Context, Policy
from handlers.state import AWAITING_FIRST_SYNC, State, situation
from processor.clock import from_us, to_iso
from processor.codat.client import CodatClient
from processor.codat.errors import CodatNotFound, CodatUnusable
from processor.codat.models import CompanyResponse, ConnectionResponse
from processor.codat.questions import QuestionClient
from processor.errors import CodatError, CodatUnavailable
from processor.reconciliation import observed
from processor.reconciliation.baseline import BEFORE_START, SINCE_START, Baseline, to_codat_time
from processor.reconciliation.diff import CompanyDiff, Comparison
from processor.store import keys, visibility
from processor.store.queries import Reader
from processor.store.records import UnreadableConnection, company_record

_log = logging.getLogger(__name__)

ACCOUNTING = "Accounting"
COMPANY_DATA = "company"
"""The data type that has the name of the business."""
NAME_MAY_CHANGE = timedelta(days=2)
"""After access was renewed, for so long a name that is known is asked for again."""


class CompanyComparer:
    """Compares companies with Codat through one client.

    It writes nothing but a company's visibility, and that its data name no business.

    Raises ``CodatError`` where Codat does not answer.
    """

    def __init__(
        self,
        codat: CodatClient,
        *,
        client: "Redis[Any]",
        reader: Reader,
        policy: Policy,
        clock: Callable[[], datetime],
    ) -> None:
        self._codat, self._client, self._reader = codat, client, reader
        self._policy, self._clock = policy, clock
        self._questions = QuestionClient(codat, clock=clock)
        self._baseline = Baseline(client, clock=clock)

    def compare(
        self,
        company_id: str,
        trigger: Trigger,
        *,
        listing: CompanyResponse | None = None,
        status_first: bool = False,
        row: Mapping[str, str] | None = None,
        connections: Iterable[Connection] | None = None,
        record_unchanged: bool = False,
    ) -> CompanyDiff:
        """Compare one company.

        ``listing`` is the company as Codat's list showed it a moment ago. ``status_first``: fetch the
        history only if the data status says that something was read. ``row`` and ``connections`` are our
        records if the caller has read them already. ``record_unchanged``: answers that change nothing
        become events too. The first comparison of a company records what predates the store without
        notifications: see ``processor.reconciliation.baseline``.
        """
        diff = CompanyDiff(company_id)
        is_foreign = visibility.is_foreign(self._client, company_id)
        if is_foreign or self._client.exists(keys.erased(company_id)):
            diff.is_shown = False
            return diff
        row = self._reader.company(company_id) if row is None else row
        start = self._start(company_id, trigger, is_known=bool(row))
        if connections is None:
            connections = [stored.connection for stored in self._reader.connections_of(company_id)]
        diff.connections = {connection.id: connection for connection in connections}
        try:
            company, responses = self._fetch(company_id, row, listing)
        except CodatNotFound as error:
            self._compare_missing_company(diff, row or {}, error, SINCE_START if trigger.quiet else trigger)
            return diff
        if listing is not None or not row:
            self._compare_company(diff, company, row, trigger)
        now = self._clock()
        if start is not None and responses:
            start = to_codat_time(start, asked_at=responses[0].asked_at, now=now)
        comparison = Comparison(
            diff,
            company,
            trigger,
            now,
            self._policy,
            start=start,
            by_age=not trigger.quiet or trigger == BEFORE_START,
            record_unchanged=record_unchanged,
        )
        new_ids = [response.id for response in responses if response.id not in diff.connections]
        rows = self._reader.rows(new_ids)
        diff.unreadable_ids = [row.id for row in rows if isinstance(row, UnreadableConnection)]
        responses = [response for response in responses if response.id not in diff.unreadable_ids]
        for response in responses:
            stored = diff.connections.get(response.id)
            comparison.compare_connection(self._with_account_name(company_id, response, stored))
        self._verify_missing(comparison, {response.id.casefold() for response in responses})
        self._compare_history(comparison, responses, status_first=status_first)
        return diff

    def _start(self, company_id: str, trigger: Trigger, *, is_known: bool) -> datetime | None:
        """Start of the store if changes from before it must stay quiet, else ``None``.

        An operator's reconcile notifies everything that was missed of a company that we know.
        """
        if trigger.quiet:
            return self._baseline.started_at()
        return self._baseline.start_if_uncompared(company_id, is_known=is_known and trigger.repairs)

    def _fetch(
        self, company_id: str, row: Mapping[str, str] | None, listing: CompanyResponse | None
    ) -> tuple[Company, list[ConnectionResponse]]:
        if listing is None and not row:
            listing = self._codat.get_company(company_id)
        company = Company(company_id) if listing is None else listing.company
        if listing is None or listing.connections is None:
            return company, self._codat.list_connections(company_id)
        return company, list(listing.connections)

    def _compare_company(
        self, diff: CompanyDiff, company: Company, row: Mapping[str, str] | None, trigger: Trigger
    ) -> None:
        event = observed.company(company, at=self._clock(), trigger=trigger)
        if not company_change(event, company, company_record(row or {})).is_news:
            return
        diff.events.append(event)
        if not row:
            reason = f"a company that was unknown to us; {trigger.reason}"
            diff.add_difference(None, "unknown", "known", reason, event)

    def _compare_missing_company(
        self, diff: CompanyDiff, row: Mapping[str, str], error: CodatNotFound, trigger: Trigger
    ) -> None:
        """Treat the company as deleted if our key was ever shown it; else it may be another client's."""
        diff.is_shown = False
        if "deleted_at" in row:
            return
        if not visibility.was_shown(self._client, diff.company_id):
            visibility.mark_not_shown(self._client, diff.company_id, self._clock())
            return
        first_heard = row.get("first_heard")
        if first_heard is not None and self._clock() < from_us(int(first_heard)) + API_LAG:
            raise CodatUnavailable("Codat does not show the company yet; try again in a minute.")
        event = observed.company_gone(
            Company(diff.company_id), error, received_at=self._clock(), trigger=trigger
        )
        diff.events.append(event)
        for connection in list(diff.connections.values()):
            diff.add_step(
                connection.id, event, advance(connection, event, Context(self._clock(), self._policy))
            )
        if not diff.connections:
            reason = f"Codat does not have the company any more; {trigger.reason}"
            diff.add_difference(None, "known", "deleted", reason, event)

    def _with_account_name(
        self, company_id: str, response: ConnectionResponse, stored: Connection | None
    ) -> ConnectionResponse:
        """The answer with the name of the business in the accounting software, where that was read.

        Not every platform names it with the connection. A name that is known is asked for again only soon
        after access was renewed and the data read, because another business may be connected then. Data that
        named no business are not asked for again until they are read again.
        """
        if (
            stored is None
            or response.details.account_name is not None
            or response.details.source_type != ACCOUNTING
            or response.status is not LinkStatus.LINKED
            or (read := stored.data_types.get(COMPANY_DATA)) is None
            or read.status != COMPLETE
            or (stored.account_name is not None and not _is_renewed(stored, read.at, response.asked_at))
        ):
            return response
        nameless, data_read = keys.nameless(keys.cell_of(company_id)), f"{stored.id} {to_iso(read.at)}"
        if self._client.hget(nameless, company_id) == data_read.encode():
            return response
        try:
            name = self._codat.get_account_name(company_id)
        except CodatNotFound:
            name = None
        except CodatError as error:  # the comparison does not depend on it
            _log.info("the name of an account cannot be read", extra={"error": error.detail})
            return response
        if name is None:
            self._client.hset(nameless, company_id, data_read)
            return response
        return replace(response, details=replace(response.details, account_name=name))

    def _verify_missing(self, comparison: Comparison, listed_ids: set[str]) -> None:
        """Ask Codat for each of our connections that its list lacks: pages may shift, deletion is final.

        A connection whose answer cannot be read stays as it is.
        """
        diff = comparison.diff
        for connection in list(diff.connections.values()):
            if connection.id.casefold() in listed_ids or situation(connection).state is State.DELETED:
                continue
            try:
                event = self._questions.ask_connection(diff.company_id, connection.id, seen_before=True)
            except CodatUnusable:
                continue
            comparison.apply(connection, replace(event, trigger=comparison.trigger))

    def _compare_history(
        self, comparison: Comparison, responses: Iterable[ConnectionResponse], *, status_first: bool
    ) -> None:
        linked_ids = {response.id for response in responses if response.status is LinkStatus.LINKED}
        connections = [
            connection
            for connection in comparison.diff.connections.values()
            if connection.id in linked_ids and situation(connection).state in AWAITING_FIRST_SYNC
        ]
        if not connections:
            return
        company_id = comparison.diff.company_id
        try:
            if (
                status_first
                and not self._codat.get_data_status(company_id)
                and not any(map(self._may_lack_first_sync, connections))
            ):
                return
            history = self._codat.get_history(company_id)
        except CodatUnusable as error:  # the statuses of the connections count all the same
            _log.warning("the reads of a company cannot be read", extra={"error": error.detail})
            comparison.diff.history_error = error
            return
        comparison.compare_history(connections, history, self._clock())

    def _may_lack_first_sync(self, connection: Connection) -> bool:
        """Whether Codat may have queued no first sync, and the state does not say so yet."""
        state = situation(connection)
        return (
            state.state is State.AUTHORIZED
            and not state.first_sync_missing
            and state.authorized_at is not None
            and self._clock() >= state.authorized_at + QUEUED_WITHIN
        )


def _is_renewed(stored: Connection, read_at: datetime, now: datetime) -> bool:
    """Whether access was renewed a short while ago, and the data with the name were read since."""
    known = situation(stored)
    begun_at = known.authorized_at
    return (
        known.authorization > 1
        and begun_at is not None
        and begun_at <= read_at
        and now < begun_at + NAME_MAY_CHANGE
    )
