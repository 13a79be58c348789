"""Runs over all companies at once: an operator's reconcile, and the rebuild of a new store."""

import itertools
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis import Redis
from redis.client import Pipeline

from handlers.events import Trigger
from processor.codat.client import CodatClient
from processor.codat.models import CompanyResponse
from processor.errors import CodatError, CodatRateLimited, Conflict
from processor.reconciliation.baseline import Baseline
from processor.reconciliation.compare import CompanyComparer
from processor.reconciliation.diff import CompanyDiff
from processor.reconciliation.enqueue import Enqueuer
from processor.reconciliation.listing_scan import PAGE_SIZE, ListingScan
from processor.reconciliation.poll_schedule import PollQueue
from processor.store import each_cell, keys

THREADS = 8
ROUND_SIZE = 64
"""Companies that are submitted together, so that an interruption loses little."""

REBUILD_PERIOD = timedelta(minutes=15)
"""How long the worker leaves the companies of a rebuild to the command; then it polls the remaining ones."""

MAX_WAIT_S = 900
"""The longest total pause for Codat's rate limit per company, in seconds; beyond it the company fails."""

RECONCILE = Trigger("found by an operator's reconcile: the message was missed", repairs=True)
REBUILD = Trigger("found by a rebuild", quiet=True)


@dataclass(frozen=True, slots=True)
class CompanyResult:
    """The result for one company: ``diff`` is ``None`` after an error; with both, the diff is incomplete."""

    company_id: str
    diff: CompanyDiff | None
    error: CodatError | None = None


class Reconciler:
    """Compares companies and enqueues what repairs them.

    Differences are notified, except what predates the store of companies that are unknown or whose first
    comparison is still planned. A complete run over all companies counts as the first scan of the store.

    ``sleep`` waits for Codat's rate limit, in threads; it may return early once ``stop`` is true.
    ``on_wait`` is called before each pause with the company id and the seconds.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        codat: CodatClient,
        comparer: CompanyComparer,
        enqueuer: Enqueuer,
        baseline: Baseline,
        sleep: Callable[[float], object],
        stop: Callable[[], bool],
        on_wait: Callable[[str, int], object],
    ) -> None:
        self._client, self._codat, self._comparer, self._enqueuer = client, codat, comparer, enqueuer
        self._baseline, self._poll_queue = baseline, PollQueue(client)
        self._sleep, self._stop, self._on_wait = sleep, stop, on_wait

    @property
    def is_first(self) -> bool:
        """Whether the store has not scanned Codat's companies yet."""
        return not self._baseline.is_scanned()

    def reconcile_company(self, company_id: str, *, dry_run: bool = False) -> CompanyResult:
        """Compare one company."""
        return self._run_company(company_id, None, RECONCILE, dry_run=dry_run)

    def run_all(self, *, dry_run: bool = False) -> Iterator[CompanyResult]:
        """Compare every company that Codat or the store has. Raises ``CodatError`` without Codat's list."""
        complete = self.is_first and not dry_run
        for result in self.run_each(self._all_companies(), dry_run=dry_run):
            complete = complete and result.error is None
            yield result
        if complete and not self._stop():
            self._baseline.mark_scanned()

    def _all_companies(self) -> Iterator[tuple[str, CompanyResponse | None, Trigger]]:
        company_ids: set[str] = set()
        for listing in self._codat.find_companies(page_size=PAGE_SIZE):
            company_ids.add(listing.id)
            yield listing.id, listing, RECONCILE
        for company_id in each_cell.members(self._client, keys.companies):
            if company_id not in company_ids:
                company_ids.add(company_id)
                yield company_id, None, RECONCILE

    def run_each(
        self, companies: Iterator[tuple[str, CompanyResponse | None, Trigger]], *, dry_run: bool = False
    ) -> Iterator[CompanyResult]:
        """Compare these companies, each with its entry of Codat's list if there is one, and the trigger."""
        with ThreadPoolExecutor(THREADS, thread_name_prefix="reconcile") as pool:
            while not self._stop():
                chunk = list(itertools.islice(companies, ROUND_SIZE))
                if not chunk:
                    return
                yield from pool.map(lambda company: self._run_company(*company, dry_run=dry_run), chunk)

    def _run_company(
        self, company_id: str, listing: CompanyResponse | None, trigger: Trigger, *, dry_run: bool
    ) -> CompanyResult:
        try:
            diff = self._compare(company_id, listing, trigger)
        except CodatError as error:
            return CompanyResult(company_id, None, error)

        def settle(pipe: "Pipeline[Any]") -> None:
            if diff.history_error is None:
                self._poll_queue.clear_request(pipe, company_id)

        if not dry_run:
            self._enqueuer.enqueue(diff, settle)
        return CompanyResult(company_id, diff, diff.history_error)

    def _compare(self, company_id: str, listing: CompanyResponse | None, trigger: Trigger) -> CompanyDiff:
        """Compare a company; at the rate limit wait as Codat says, up to ``MAX_WAIT_S`` in total."""
        waited_s = 0.0
        while True:
            try:
                return self._comparer.compare(company_id, trigger, listing=listing)
            except CodatRateLimited as error:
                if waited_s + error.retry_after_s > MAX_WAIT_S or self._stop():
                    raise
                waited_s += error.retry_after_s
                self._on_wait(company_id, error.retry_after_s)
                self._sleep(error.retry_after_s)


class Rebuild:
    """Fills a new store: its first scan, and at once all comparisons that the scan requests.

    It sends notifications only for changes after the start of the store in connections that a message
    reported. After an interruption the remaining comparisons stay requested: the next run continues with
    them, and otherwise the worker makes them.
    """

    def __init__(
        self, client: "Redis[Any]", *, codat: CodatClient, scan: ListingScan, reconciler: Reconciler
    ) -> None:
        self._client, self._codat, self._scan, self._reconciler = client, codat, scan, reconciler
        self._poll_queue = PollQueue(client)
        self.completed = 0
        self.failures: list[CompanyResult] = []

    def prepare(self) -> list[CompanyResponse]:
        """The companies that remain to be compared.

        Raises ``Conflict`` if the store has scanned Codat's companies, none remains and no rebuild was
        interrupted; raises ``CodatError``, with nothing changed, without Codat's list.
        """
        companies = list(self._codat.find_companies(page_size=PAGE_SIZE))
        is_first = self._reconciler.is_first
        if is_first:
            self._scan.run_over(iter(companies), delay=REBUILD_PERIOD)
        requests = self._poll_queue.requests()
        remaining = [company for company in companies if company.id in requests]
        has_quiet_requests = any(requests[company.id].quiet for company in remaining)
        if not is_first and not has_quiet_requests and not self._client.exists(keys.rebuild()):
            raise Conflict(
                "The store is not empty: it has gone through Codat's companies, and there is nothing to"
                " rebuild. `codat-processor reconcile --dry-run` shows what differs now."
            )
        self._client.set(keys.rebuild(), len(companies))
        self.completed = len(companies) - len(remaining)
        return remaining

    def run(self, companies: Collection[CompanyResponse]) -> Iterator[CompanyResult]:
        """Compare these companies; after failures run the rebuild again."""
        count = 0
        for result in self._reconciler.run_each((company.id, company, REBUILD) for company in companies):
            count += 1
            if result.error is None:
                self.completed += 1
            else:
                self.failures.append(result)
            yield result
        if count == len(companies) and not self.failures:
            self._client.delete(keys.rebuild())
