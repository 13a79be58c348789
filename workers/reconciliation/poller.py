"""Watching first syncs, and the slow sweep: companies whose look is due are compared with Codat."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from redis import Redis, RedisError

from processor.clock import utc_now
from processor.errors import CodatError, CodatRateLimited, CodatRefused
from processor.reconciliation.compare import CompanyComparer
from processor.reconciliation.enqueue import Enqueuer
from processor.reconciliation.first_syncs import FirstSyncs
from processor.reconciliation.poll_schedule import SOON, DuePoll, Plan, PollQueue, plan
from processor.store import keys
from processor.store.poll_schedule import FIRST_PAUSE_S
from processor.store.queries import Reader

_log = logging.getLogger(__name__)

AT_ONCE = 4
"""Companies that are looked at at a time; the budget bounds the requests themselves."""

RUN_S = 20.0
"""A run hands over after so long, in seconds."""

AGAIN = timedelta(minutes=1)
"""How long a company rests about which Codat did not answer."""


class Poller:
    """Looks at the companies that are due. ``every`` is how often each company is looked at, at least.

    ``first_syncs`` starts those that do not begin by themselves; ``None``: nobody does.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        reader: Reader,
        looker: CompanyComparer,
        putter: Enqueuer,
        every: timedelta,
        first_syncs: FirstSyncs | None = None,
        clock: Callable[[], datetime] = utc_now,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client, self._reader, self._looker, self._putter = client, reader, looker, putter
        self._every, self._clock, self._stop = every, clock, stop
        self._first_syncs = first_syncs
        self._looks = PollQueue(client)
        self._refused = False

    def run(self, *, run_s: float = RUN_S) -> int:
        """Look at what is due until nothing is, or it is time to hand over; how many companies were due."""
        began, dealt = time.monotonic(), 0
        self._refused = False
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="look") as pool:
            while not self._stop() and not self._refused and time.monotonic() - began < run_s:
                due = self._looks.take(self._clock(), AT_ONCE)
                if not due:
                    break
                dealt += len(list(pool.map(self._deal, due)))
        return dealt

    def _deal(self, due: DuePoll) -> None:
        try:
            self._look(due)
        except RedisError:
            raise
        except CodatRateLimited as error:
            # Nobody else would be served either: the rest stays due.
            self._refused = True
            _log.info("looking at companies rests", extra={"seconds": error.retry_after_s})
            self._looks.postpone(due, self._clock() + timedelta(seconds=error.retry_after_s))
        except CodatError as error:
            self._put_off(due, error, SOON if isinstance(error, CodatRefused) else AGAIN)
        except Exception as error:
            _log.exception("looking at a company raised", extra={"company_id": due.company_id})
            self._put_off(due, error, SOON)

    def _put_off(self, due: DuePoll, error: Exception, rest: timedelta) -> None:
        _log.warning(
            "a company could not be looked at",
            extra={
                "company_id": due.company_id,
                "error": type(error).__name__,
                "correlation_id": getattr(error, "correlation_id", None),
            },
        )
        self._looks.postpone(due, self._clock() + rest)

    def _look(self, due: DuePoll) -> None:
        company_id, now = due.company_id, self._clock()
        row = self._reader.company(company_id) or {}
        if self._client.exists(keys.erased(company_id)):
            self._forget(company_id)
            return
        known = self._looker.stored(company_id)
        stands = [(one.connection, one.first_heard_ms) for one in known]
        decided = plan(due, stands, now, self._every)
        if "deleted_at" in row:
            decided = Plan(None, now + self._every, None)
        if decided.asked is None:
            looked_at = now if due.looked_at is None else None
            self._settle(due, decided, looked_at)
            return
        look = self._looker.look(
            company_id,
            decided.asked,
            gated=decided.pause_s is not None,
            row=row,
            known=[one.connection for one in known],
        )
        if look.behind:
            decided = Plan(decided.asked, min(decided.again_at, now + SOON), decided.pause_s)
        if self._first_syncs is not None and self._first_syncs.start(company_id, look.connections.values()):
            soon = now + timedelta(seconds=FIRST_PAUSE_S)
            decided = Plan(decided.asked, min(decided.again_at, soon), FIRST_PAUSE_S)
        with self._client.pipeline(transaction=True) as pipe:
            self._putter.add(pipe, look)
            self._looks.settle(pipe, due, decided, looked_at=now)
            pipe.execute()
        self._putter.wake(look)

    def _settle(self, due: DuePoll, decided: Plan, looked_at: datetime | None) -> None:
        with self._client.pipeline(transaction=True) as pipe:
            self._looks.settle(pipe, due, decided, looked_at=looked_at)
            pipe.execute()

    def _forget(self, company_id: str) -> None:
        with self._client.pipeline(transaction=True) as pipe:
            self._looks.forget(pipe, company_id)
            pipe.execute()
