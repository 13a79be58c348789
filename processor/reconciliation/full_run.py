"""Going through all companies at once: an operator's reconcile, and the rebuild of a store that is new."""

import itertools
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis import Redis

from handlers.trigger import Trigger
from processor.codat.client import CodatClient
from processor.codat.models import CompanySeen
from processor.errors import CodatError, CodatRateLimited, Conflict
from processor.reconciliation.baseline import Baseline
from processor.reconciliation.compare import CompanyComparer
from processor.reconciliation.diff import CompanyDiff
from processor.reconciliation.enqueue import Enqueuer
from processor.reconciliation.listing_scan import PAGE_SIZE, ListingScan
from processor.reconciliation.poll_schedule import PollQueue
from processor.store import keys

AT_ONCE = 8
ROUND = 64
"""Companies that are handed out together, so that an interruption loses little."""

LEFT_TO_US = timedelta(minutes=15)
"""How long the worker leaves the companies of a rebuild to it; then it looks at what is left."""

LONGEST_WAIT_S = 900
"""Where Codat wants a longer pause, whoever asked is told to come back."""

RECONCILE = Trigger("found by an operator's reconcile: the message was missed", repairs=True)
REBUILD = Trigger("found by a rebuild", quiet=True)

Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class ReconcileSummary:
    """What became of one company: its look, and why there is none or only a part."""

    company_id: str
    look: CompanyDiff | None
    problem: CodatError | None = None


class Reconcile:
    """Compares companies and repairs what differs.

    What it finds is told, but for what was there before the store began of a company that we never heard
    of, or whose first look is still to come. A store that was compared as a whole has had its first walk.

    ``sleep`` waits where Codat says so, in threads, up to ``LONGEST_WAIT_S``; it may return as soon as
    ``stop`` says so. ``on_wait`` is told before, with the company and the seconds.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        codat: CodatClient,
        looker: CompanyComparer,
        putter: Enqueuer,
        beginning: Baseline,
        sleep: Callable[[float], object] = time.sleep,
        stop: Stop = lambda: False,
        on_wait: Callable[[str, int], object] = lambda _company_id, _seconds: None,
    ) -> None:
        self._on_wait = on_wait
        self._client, self._codat, self._looker, self._putter = client, codat, looker, putter
        self._beginning, self._looks = beginning, PollQueue(client)
        self._sleep, self._stop = sleep, stop

    @property
    def is_first(self) -> bool:
        """Whether the store has not gone through Codat's companies yet."""
        return not self._beginning.is_over()

    def one(self, company_id: str, *, dry_run: bool = False) -> ReconcileSummary:
        """Compare one company."""
        return self._look(company_id, None, RECONCILE, dry_run)

    def all(self, *, dry_run: bool = False) -> Iterator[ReconcileSummary]:
        """Compare every company that Codat has or we know. Raises ``CodatError`` without Codat's list."""
        listed: set[str] = set()

        def here() -> Iterator[tuple[str, CompanySeen | None, Trigger]]:
            for company in self._codat.find_companies(page_size=PAGE_SIZE):
                listed.add(company.id)
                yield company.id, company, RECONCILE
            for name, _ in self._client.zscan_iter(keys.companies(), count=1_000):
                company_id = name.decode()
                if company_id not in listed:
                    listed.add(company_id)
                    yield company_id, None, RECONCILE

        complete = self.is_first and not dry_run
        for outcome in self.each(here(), dry_run=dry_run):
            complete = complete and outcome.problem is None
            yield outcome
        if complete and not self._stop():
            self._beginning.walked()

    def each(
        self, companies: Iterator[tuple[str, CompanySeen | None, Trigger]], *, dry_run: bool = False
    ) -> Iterator[ReconcileSummary]:
        """Compare these, each with the page of Codat's list that shows it, and why it is asked for."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reconcile") as pool:
            while not self._stop():
                chunk = list(itertools.islice(companies, ROUND))
                if not chunk:
                    return
                yield from pool.map(lambda one: self._look(one[0], one[1], one[2], dry_run), chunk)

    def _look(
        self, company_id: str, page: CompanySeen | None, asked: Trigger, dry_run: bool
    ) -> ReconcileSummary:
        waited_s = 0.0
        while True:
            try:
                look = self._looker.look(company_id, asked, page=page)
                break
            except CodatRateLimited as error:
                if waited_s + error.retry_after_s > LONGEST_WAIT_S or self._stop():
                    return ReconcileSummary(company_id, None, error)
                waited_s += error.retry_after_s
                self._on_wait(company_id, error.retry_after_s)
                self._sleep(error.retry_after_s)
            except CodatError as error:
                return ReconcileSummary(company_id, None, error)
        if not dry_run:
            with self._client.pipeline(transaction=True) as pipe:
                self._putter.add(pipe, look)
                if look.unread is None:
                    self._looks.looked(pipe, company_id)
                pipe.execute()
            self._putter.wake(look)
        return ReconcileSummary(company_id, look, look.unread)


class Rebuild:
    """The first walk of a store and all the looks that it wants, at once and by us.

    Nobody is told anything but what happened since to a connection that a message told us of. Where it is
    interrupted, the looks that are left stay wanted: it goes on with them when it is run again, and the
    worker makes them otherwise.
    """

    def __init__(
        self, client: "Redis[Any]", *, codat: CodatClient, walk: ListingScan, reconcile: Reconcile
    ) -> None:
        self._client, self._codat, self._walk, self._reconcile = client, codat, walk, reconcile
        self._looks = PollQueue(client)
        self.done = 0
        self.problems: list[ReconcileSummary] = []

    def prepare(self) -> list[CompanySeen]:
        """The companies that are still to be done.

        Raises ``Conflict`` where the store has gone through Codat's companies already, none is left
        and no rebuild was interrupted, and ``CodatError``, with nothing changed, without Codat's list.
        """
        companies = list(self._codat.find_companies(page_size=PAGE_SIZE))
        is_first = self._reconcile.is_first
        if is_first:
            self._walk.over(iter(companies), rest=LEFT_TO_US)
        wanted = self._looks.wanted()
        left = [company for company in companies if company.id in wanted]
        is_left = any(wanted[company.id].quiet for company in left)
        if not is_first and not is_left and not self._client.exists(keys.rebuild()):
            raise Conflict(
                "The store is not empty: it has gone through Codat's companies, and there is nothing to"
                " rebuild. `codat-processor reconcile --dry-run` shows what differs now."
            )
        self._client.set(keys.rebuild(), len(companies))
        self.done = len(companies) - len(left)
        return left

    def run(self, companies: Collection[CompanySeen]) -> Iterator[ReconcileSummary]:
        """Do these companies; run it again after problems."""
        rows = ((company.id, company, REBUILD) for company in companies)
        count = 0
        for outcome in self._reconcile.each(rows):
            count += 1
            if outcome.problem is None:
                self.done += 1
            else:
                self.problems.append(outcome)
            yield outcome
        if count == len(companies) and not self.problems:
            self._client.delete(keys.rebuild())
