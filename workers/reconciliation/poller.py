"""Polls the companies that are due: watched first syncs and the daily sweep."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from redis import Redis, RedisError

from processor.errors import CodatError, CodatRateLimited, CodatRefused
from processor.reconciliation.compare import CompanyComparer
from processor.reconciliation.enqueue import Enqueuer
from processor.reconciliation.first_syncs import FirstSyncs
from processor.reconciliation.poll_schedule import SOON, DuePoll, PollPlan, PollQueue, plan_poll
from processor.store import keys
from processor.store.poll_schedule import FIRST_PAUSE_S
from processor.store.queries import Reader

_log = logging.getLogger(__name__)

THREADS = 4
"""Companies that are polled at a time; the rate limiter bounds the requests themselves."""

RUN_S = 20.0
"""The longest run, in seconds; then another job continues."""

RETRY_DELAY = timedelta(minutes=1)
"""When a company is polled again after Codat did not answer."""


class Poller:
    """Compares the companies that are due. ``interval`` is the longest time between two polls of a company.

    ``first_syncs`` starts missing first syncs; ``None``: they are not started.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        reader: Reader,
        comparer: CompanyComparer,
        enqueuer: Enqueuer,
        interval: timedelta,
        first_syncs: FirstSyncs | None = None,
        clock: Callable[[], datetime],
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client, self._reader, self._comparer, self._enqueuer = client, reader, comparer, enqueuer
        self._interval, self._clock, self._stop = interval, clock, stop
        self._first_syncs = first_syncs
        self._queue = PollQueue(client)
        self._is_rate_limited = False

    def run(self, *, run_s: float = RUN_S) -> int:
        """Poll until no company is due or ``run_s`` is over; the number of companies that were due."""
        started, count = time.monotonic(), 0
        self._is_rate_limited = False
        with ThreadPoolExecutor(THREADS, thread_name_prefix="look") as pool:
            while not self._stop() and not self._is_rate_limited and time.monotonic() - started < run_s:
                due_polls = self._queue.lease(self._clock(), THREADS)
                if not due_polls:
                    break
                count += len(list(pool.map(self._try_poll, due_polls)))
        return count

    def _try_poll(self, due: DuePoll) -> None:
        try:
            self._poll(due)
        except RedisError:
            raise
        except CodatRateLimited as error:
            # Other companies would be refused as well: they stay due.
            self._is_rate_limited = True
            _log.info("polling pauses for the rate limit", extra={"seconds": error.retry_after_s})
            self._queue.postpone(due, self._clock() + timedelta(seconds=error.retry_after_s))
        except CodatError as error:
            self._postpone(due, error, SOON if isinstance(error, CodatRefused) else RETRY_DELAY)
        except Exception as error:
            _log.exception("polling a company raised", extra={"company_id": due.company_id})
            self._postpone(due, error, SOON)

    def _postpone(self, due: DuePoll, error: Exception, delay: timedelta) -> None:
        _log.warning(
            "a company could not be polled",
            extra={
                "company_id": due.company_id,
                "error": type(error).__name__,
                "correlation_id": getattr(error, "correlation_id", None),
            },
        )
        self._queue.postpone(due, self._clock() + delay)

    def _poll(self, due: DuePoll) -> None:
        company_id, now = due.company_id, self._clock()
        row = self._reader.company(company_id) or {}
        if self._client.exists(keys.erased(company_id)):
            self._queue.remove(company_id)
            return
        stored = self._reader.connections_of(company_id)
        plan = plan_poll(due, [(row.connection, row.first_heard_ms) for row in stored], now, self._interval)
        if "deleted_at" in row:
            plan = PollPlan(None, now + self._interval, None)
        if plan.trigger is None:
            with self._client.pipeline(transaction=True) as pipe:
                polled_at = now if due.polled_at is None else None
                self._queue.reschedule(pipe, due, plan, polled_at=polled_at)
                pipe.execute()
            return
        diff = self._comparer.compare(
            company_id,
            plan.trigger,
            status_first=plan.backoff_s is not None,
            row=row,
            connections=[row.connection for row in stored],
        )
        if diff.is_outranked:
            plan = replace(plan, next_at=min(plan.next_at, now + SOON))
        if self._first_syncs is not None and self._first_syncs.start(company_id, diff.connections.values()):
            next_at = min(plan.next_at, now + timedelta(seconds=FIRST_PAUSE_S))
            plan = replace(plan, next_at=next_at, backoff_s=FIRST_PAUSE_S)
        self._enqueuer.enqueue(diff, lambda pipe: self._queue.reschedule(pipe, due, plan, polled_at=now))
