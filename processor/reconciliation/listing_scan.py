"""Scans Codat's list of all companies and requests a comparison of those that differ from the store."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from handlers.connection import link_status
from handlers.events import Trigger
from handlers.state import State, situation
from processor.codat.client import CodatClient
from processor.codat.models import CompanyResponse
from processor.reconciliation.baseline import BEFORE_START, Baseline, to_codat_time
from processor.reconciliation.poll_schedule import SWEEP, PollQueue
from processor.store import each_cell, keys, unreadable, visibility
from processor.store.decoding import text_fields
from processor.store.queries import Reader
from processor.store.records import COMPANY, StoredConnection, members
from processor.store.round_trip import chunks

PAGE_SIZE = 200


class ListingScan:
    """Compares Codat's list with the store and requests polls; it changes no company or connection itself.

    The first scan of a store records companies that were created before it without notifications, even
    those that a message has reported since. ``interval`` is the time between two polls of a company.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        codat: CodatClient,
        reader: Reader,
        interval: timedelta,
        clock: Callable[[], datetime],
        stop: Callable[[], bool],
    ) -> None:
        self._client, self._codat, self._reader = client, codat, reader
        self._interval, self._clock, self._stop = interval, clock, stop
        self._poll_queue = PollQueue(client)
        self._baseline = Baseline(client, clock=clock)

    def run(self) -> int:
        """Scan once; the number of companies at Codat. Raises ``CodatError`` if the list cannot be read."""
        return self.run_over(self._codat.find_companies(page_size=PAGE_SIZE))

    def run_over(self, companies: Iterator[CompanyResponse], *, delay: timedelta = timedelta()) -> int:
        """Scan this list; the polls that it requests are due after ``delay``."""
        start = None if self._baseline.is_scanned() else self._baseline.started_at()
        due = self._clock() + delay
        company_ids: set[str] = set()
        for chunk in chunks(companies, PAGE_SIZE):
            if self._stop():
                return len(company_ids)
            company_ids.update(company.id for company in chunk)
            self._compare(chunk, start, due)
        self._request_vanished(company_ids)
        self._baseline.mark_scanned()
        return len(company_ids)

    def _compare(self, companies: Sequence[CompanyResponse], start: datetime | None, due: datetime) -> None:
        """Compare some companies; ``start`` is the start of the store during its first scan."""
        rows = self._read_companies(companies)
        connection_ids = sorted({connection_id for row in rows.values() for connection_id in members(row)})
        stored = {row.connection.id: row for row in self._reader.connections(connection_ids)}
        requests: dict[str, Trigger] = {}
        now = self._clock()
        listed = [company for company in companies if company.id in rows]
        for company in listed:
            row = rows[company.id]
            is_older = start is not None and _is_older(company, start, now)
            connections = {connection_id: stored.get(connection_id) for connection_id in members(row)}
            if not row or (
                "deleted_at" not in row and (is_older or self._differs(company, row, connections))
            ):
                requests[company.id] = BEFORE_START if is_older else SWEEP
        self._poll_queue.request(requests, due)
        listed_ids = [company.id for company in listed]
        self._poll_queue.schedule(listed_ids, now, self._interval)
        visibility.mark_shown(self._client, listed_ids)

    def _read_companies(self, companies: Sequence[CompanyResponse]) -> dict[str, dict[str, str]]:
        """The fields of each company, without those that were erased, or are damaged, which is noted."""
        with self._client.pipeline(transaction=False) as pipe:
            for company in companies:
                pipe.hgetall(keys.company(company.id))
                pipe.exists(keys.erased(company.id))
            replies = pipe.execute(raise_on_error=False)
        return {
            company.id: text_fields(row)
            for company, row, is_erased in zip(companies, replies[::2], replies[1::2], strict=True)
            if not self._is_damaged(company.id, row) and not is_erased
        }

    def _is_damaged(self, company_id: str, reply: Any) -> bool:
        return unreadable.is_damaged(self._client, COMPANY, company_id, reply)

    def _differs(
        self, company: CompanyResponse, row: dict[str, str], connections: dict[str, StoredConnection | None]
    ) -> bool:
        """Whether Codat's entry differs from the store; an entry without connections compares the name."""
        if company.name is not None and row.get("name") != company.name:
            return True
        if company.connections is None:
            return False
        statuses = {response.id: response.status for response in company.connections}
        for connection_id, stored in connections.items():
            if stored is None or situation(stored.connection).state is State.DELETED:
                statuses.pop(connection_id, None)
            elif statuses.pop(connection_id, None) is not link_status(stored.connection.history):
                return True
        return bool(statuses)

    def _request_vanished(self, listed_ids: set[str]) -> None:
        """Request a poll of the companies that Codat showed before and does not list now."""
        for company_ids in chunks(each_cell.members(self._client, keys.companies), 1_000):
            missing = [company_id for company_id in company_ids if company_id not in listed_ids]
            if not missing:
                continue
            with self._client.pipeline(transaction=False) as pipe:
                for company_id in missing:
                    pipe.hexists(keys.company(company_id), "deleted_at")
                    pipe.sismember(keys.shown(keys.cell_of(company_id)), keys.shown_as(company_id))
                replies = pipe.execute(raise_on_error=False)
            requests = {
                company_id: SWEEP
                for company_id, is_deleted, was_shown in zip(
                    missing, replies[::2], replies[1::2], strict=True
                )
                if not self._is_damaged(company_id, is_deleted) and was_shown and not is_deleted
            }
            self._poll_queue.request(requests, self._clock())


def _is_older(company: CompanyResponse, start: datetime, now: datetime) -> bool:
    """Whether the company was created before ``start``; one without a creation time counts as new."""
    return company.created is not None and company.created < to_codat_time(
        start, asked_at=company.asked_at, now=now
    )
