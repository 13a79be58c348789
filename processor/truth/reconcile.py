"""Going through all companies at once: an operator's reconcile, and the rebuild of an empty store."""

import itertools
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis import Redis
from redis.client import Pipeline

from handlers.asked import Asked
from processor import times
from processor.codat.answers import CompanySeen
from processor.codat.client import CodatClient
from processor.errors import CodatError, CodatRateLimited, Conflict
from processor.store import keys, truth_keys
from processor.times import to_iso
from processor.truth.comparison import Look
from processor.truth.looking import Looker
from processor.truth.putting import Putter
from processor.truth.schedule import Looks
from processor.truth.walk import PAGE_SIZE

AT_ONCE = 8
ROUND = 64
"""Companies that are handed out together, so that an interruption loses little."""

LONGEST_WAIT_S = 900
"""Where Codat wants a longer pause, whoever asked is told to come back."""

RECONCILE = Asked("found by an operator's reconcile: the message was missed", repairs=True)
REBUILD = Asked("found by a rebuild", quiet=True)

Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one company: its look, or why there is none."""

    company_id: str
    look: Look | None
    problem: CodatError | None = None


class Reconcile:
    """Compares companies and repairs what differs. ``sleep`` waits where Codat says so."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        codat: CodatClient,
        looker: Looker,
        putter: Putter,
        sleep: Callable[[float], None] = time.sleep,
        stop: Stop = lambda: False,
    ) -> None:
        self._client, self._codat, self._looker, self._putter = client, codat, looker, putter
        self._sleep, self._stop = sleep, stop

    def one(self, company_id: str, *, dry_run: bool = False) -> Outcome:
        """Compare one company."""
        return self._look(company_id, None, RECONCILE, dry_run, None)

    def all(self, *, dry_run: bool = False) -> Iterator[Outcome]:
        """Compare every company that Codat has or we know. Raises ``CodatError`` without Codat's list."""
        listed: set[str] = set()

        def here() -> Iterator[tuple[str, CompanySeen | None]]:
            for company in self._codat.find_companies(page_size=PAGE_SIZE):
                listed.add(company.id)
                yield company.id, company
            for name, _ in self._client.zscan_iter(keys.companies(), count=1_000):
                company_id = name.decode()
                if company_id not in listed:
                    listed.add(company_id)
                    yield company_id, None

        yield from self.each(here(), RECONCILE, dry_run=dry_run)

    def each(
        self,
        companies: Iterator[tuple[str, CompanySeen | None]],
        asked: Asked,
        *,
        dry_run: bool = False,
        also: Callable[["Pipeline[Any]", str], None] | None = None,
    ) -> Iterator[Outcome]:
        """Compare these; ``also`` adds to the transaction in which a company's findings are put."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reconcile") as pool:
            while not self._stop():
                chunk = list(itertools.islice(companies, ROUND))
                if not chunk:
                    return
                yield from pool.map(lambda one: self._look(one[0], one[1], asked, dry_run, also), chunk)

    def _look(
        self,
        company_id: str,
        page: CompanySeen | None,
        asked: Asked,
        dry_run: bool,
        also: Callable[["Pipeline[Any]", str], None] | None,
    ) -> Outcome:
        waited_s = 0.0
        while True:
            try:
                look = self._looker.look(company_id, asked, page=page)
                break
            except CodatRateLimited as error:
                if waited_s + error.retry_after_s > LONGEST_WAIT_S or self._stop():
                    return Outcome(company_id, None, error)
                waited_s += error.retry_after_s
                self._sleep(error.retry_after_s)
            except CodatError as error:
                return Outcome(company_id, None, error)
        if not dry_run:
            with self._client.pipeline(transaction=True) as pipe:
                self._putter.add(pipe, look)
                if also is not None:
                    also(pipe, company_id)
                pipe.execute()
            self._putter.wake(look)
        return Outcome(company_id, look)


class Rebuild:
    """Refills an empty store from Codat without telling anybody; goes on where it was interrupted."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        codat: CodatClient,
        reconcile: Reconcile,
        every: timedelta,
        clock: Callable[[], datetime] = times.now,
    ) -> None:
        self._client, self._codat, self._reconcile = client, codat, reconcile
        self._every, self._clock = every, clock
        self.done = 0
        self.problems: list[Outcome] = []

    def prepare(self) -> list[CompanySeen]:
        """The companies that are still to be done.

        Raises ``Conflict`` where the store is not empty and no rebuild was interrupted, and
        ``CodatError`` without Codat's list.
        """
        resumed = bool(self._client.exists(truth_keys.rebuild()))
        if not resumed:
            if self._client.zcard(keys.companies()) or self._client.zcard(keys.connections()):
                raise Conflict("The store is not empty: `codat-processor reconcile` compares it with Codat.")
            self._client.hset(truth_keys.rebuild(), "began", to_iso(self._clock()))
        companies = list(self._codat.find_companies(page_size=PAGE_SIZE))
        finished = {one.decode() for one in self._client.smembers(truth_keys.rebuilt())}
        self.done = sum(company.id in finished for company in companies)
        self._client.hset(truth_keys.rebuild(), "total", len(companies))
        return [company for company in companies if company.id not in finished]

    def run(self, companies: Collection[CompanySeen]) -> Iterator[Outcome]:
        """Do these companies, and end the rebuild when all are done; run it again after problems."""

        def also(pipe: "Pipeline[Any]", company_id: str) -> None:
            pipe.sadd(truth_keys.rebuilt(), company_id)

        rows = ((company.id, company) for company in companies)
        count = 0
        for outcome in self._reconcile.each(rows, REBUILD, also=also):
            count += 1
            if outcome.problem is None:
                self.done += 1
            else:
                self.problems.append(outcome)
            yield outcome
        if count == len(companies) and not self.problems:
            self._finish()

    def _finish(self) -> None:
        finished = [one.decode() for one in self._client.smembers(truth_keys.rebuilt())]
        Looks(self._client).spread(finished, self._clock(), self._every)
        with self._client.pipeline(transaction=True) as pipe:
            pipe.hsetnx(truth_keys.sweep(), "began", to_iso(self._clock()))
            pipe.hset(truth_keys.sweep(), "walked", to_iso(self._clock()))
            pipe.delete(truth_keys.rebuild(), truth_keys.rebuilt())
            pipe.execute()
