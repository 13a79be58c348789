"""Walking over the list of all companies at Codat: what is new, changed or vanished is looked at at once."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from handlers.connection import link_status
from handlers.state import State, situation
from handlers.trigger import Trigger
from processor.clock import utc_now
from processor.codat.client import CodatClient
from processor.codat.models import CompanySeen
from processor.reconciliation.baseline import BEFORE_US, Baseline, by_codats_clock
from processor.reconciliation.poll_schedule import SWEEP, PollQueue
from processor.store import keys, visibility
from processor.store.decoding import text_fields, texts
from processor.store.queries import Reader
from processor.store.records import StoredConnection

PAGE_SIZE = 200


class ListingScan:
    """Reads the list, compares it with what we know, and wants looks; it changes nothing itself.

    The very first walk of a store finds everything that was there before the service: companies made
    before it began become known without anybody being told, whatever a message said of them since.
    ``every`` is the pace of the sweep.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        codat: CodatClient,
        reader: Reader,
        every: timedelta,
        clock: Callable[[], datetime] = utc_now,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client, self._codat, self._reader = client, codat, reader
        self._every, self._clock, self._stop = every, clock, stop
        self._looks = PollQueue(client)
        self._beginning = Baseline(client, clock=clock)

    def run(self) -> int:
        """Walk once; how many companies Codat has. Raises ``CodatError`` where the list cannot be read."""
        return self.over(self._codat.find_companies(page_size=PAGE_SIZE))

    def over(self, companies: Iterator[CompanySeen], *, rest: timedelta = timedelta()) -> int:
        """Walk over Codat's list as it was read; the looks that it wants are due after ``rest``."""
        began = None if self._beginning.is_over() else self._beginning.since()
        due = self._clock() + rest
        walked: set[str] = set()
        for chunk in _chunks(companies, PAGE_SIZE):
            if self._stop():
                return len(walked)
            walked.update(company.id for company in chunk)
            self._compare(chunk, began, due)
        self._vanished(walked)
        self._beginning.walked()
        return len(walked)

    def _compare(self, chunk: Sequence[CompanySeen], began: datetime | None, due: datetime) -> None:
        """``began``: this is the store's first walk, and since when it is in use."""
        rows, members, erased = self._known(chunk)
        stored = {
            one.connection.id: one
            for one in self._reader.connections(sorted({one for ids in members.values() for one in ids}))
        }
        wanted: dict[str, Trigger] = {}
        now = self._clock()
        for company in chunk:
            if company.id in erased:
                continue
            row = rows[company.id]
            old = began is not None and _is_older(company, began, now)
            known = {one: stored.get(one) for one in members[company.id]}
            if not row or ("deleted_at" not in row and (old or self._differs(company, row, known))):
                wanted[company.id] = BEFORE_US if old else SWEEP
        self._looks.want(wanted, due)
        there = [company.id for company in chunk if company.id not in erased]
        self._looks.spread(there, now, self._every)
        visibility.mark_shown(self._client, there)

    def _known(
        self, chunk: Sequence[CompanySeen]
    ) -> tuple[dict[str, dict[str, str]], dict[str, list[str]], set[str]]:
        with self._client.pipeline(transaction=False) as pipe:
            for company in chunk:
                pipe.hgetall(keys.company(company.id))
                pipe.zrange(keys.company_connections(company.id), 0, -1)
                pipe.exists(keys.erased(company.id))
            answers = pipe.execute()
        rows, members, erased = {}, {}, set()
        for company, row, ids, is_erased in zip(
            chunk, answers[::3], answers[1::3], answers[2::3], strict=True
        ):
            rows[company.id] = text_fields(row)
            members[company.id] = texts(ids)
            if is_erased:
                erased.add(company.id)
        return rows, members, erased

    def _differs(
        self, company: CompanySeen, row: dict[str, str], known: dict[str, StoredConnection | None]
    ) -> bool:
        """Whether Codat shows anything else than we know; of a company that shows no connections, no."""
        if company.name is not None and row.get("name") != company.name:
            return True
        if company.connections is None:
            return False
        listed = {answer.id: answer.status for answer in company.connections}
        for connection_id, one in known.items():
            if one is None or situation(one.connection).state is State.DELETED:
                listed.pop(connection_id, None)
            elif listed.pop(connection_id, None) is not link_status(one.connection.history):
                return True
        return bool(listed)

    def _vanished(self, walked: set[str]) -> None:
        """Look at companies that Codat showed us once and does not list any more."""
        for chunk in _chunks(self._client.zscan_iter(keys.companies(), count=1_000), 1_000):
            missing = [one for one in (name.decode() for name, _ in chunk) if one not in walked]
            if not missing:
                continue
            with self._client.pipeline(transaction=False) as pipe:
                for company_id in missing:
                    pipe.hexists(keys.company(company_id), "deleted_at")
                    pipe.sismember(keys.shown(), keys.shown_as(company_id))
                answers = pipe.execute()
            gone = {
                company_id: SWEEP
                for company_id, deleted, shown in zip(missing, answers[::2], answers[1::2], strict=True)
                if shown and not deleted
            }
            self._looks.want(gone, self._clock())


def _is_older(company: CompanySeen, began: datetime, now: datetime) -> bool:
    """Whether the company was made before the store began; one that does not say when it was made is new."""
    return company.created is not None and company.created < by_codats_clock(
        began, asked_at=company.asked_at, now=now
    )


def _chunks(rows: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while chunk := list(itertools.islice(rows, size)):
        yield chunk
