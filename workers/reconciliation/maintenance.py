"""The sweep's own errands: walking over Codat's list, looking for our consumer, judging silence, erasing."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from redis import Redis, RedisError
from rq.timeouts import BaseTimeoutException

from processor.clock import to_ms, utc_now
from processor.codat.client import CodatClient
from processor.erasure.erase import Erasure
from processor.errors import CodatError, CodatRateLimited
from processor.reconciliation.baseline import Baseline
from processor.reconciliation.listing_scan import ListingScan
from processor.reconciliation.missed_webhooks import MissedWebhooks
from processor.store import codat_calls, keys

_log = logging.getLogger(__name__)

WALK_EVERY = timedelta(hours=1)
FIRST_WALK = timedelta(minutes=1)
PROBE_EVERY = timedelta(seconds=45)
QUIET = timedelta(minutes=10)
"""After so long without a call to Codat one is made, to see that it answers."""

CONSUMER_EVERY = timedelta(minutes=30)
OFTEN = timedelta(minutes=1)
AGAIN = timedelta(minutes=5)
"""How long an errand rests that Codat did not let us finish."""


class Maintenance:
    """Runs the errands that are due. ``codat`` and ``walk`` are ``None`` without an API key."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        codat: CodatClient | None,
        walk: ListingScan | None,
        silence: MissedWebhooks,
        erasure: Erasure,
        grace: timedelta,
        clock: Callable[[], datetime] = utc_now,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client, self._codat, self._walk = client, codat, walk
        self._silence, self._erasure, self._grace = silence, erasure, grace
        self._clock, self._stop = clock, stop
        self._beginning = Baseline(client, clock=clock)
        self._errands: dict[str, tuple[Callable[[], object], timedelta, timedelta]] = {
            "erase": (self._erase, OFTEN, timedelta()),
            "judge": (lambda: silence.judge(self._clock()), OFTEN, timedelta()),
        }
        if codat is not None and walk is not None:
            self._errands["consumers"] = (self._consumers, CONSUMER_EVERY, timedelta())
            self._errands["walk"] = (walk.run, WALK_EVERY, FIRST_WALK)
            self._errands["probe"] = (self._probe, PROBE_EVERY, timedelta())

    def run(self) -> int:
        """Run what is due, each errand for itself; how many were run."""
        ran = 0
        self._beginning.begins()
        for name, (errand, every, first) in self._errands.items():
            if not self._stop() and self._is_due(name, first):
                ran += 1
                self._run(name, errand, every)
        return ran

    def _is_due(self, name: str, first: timedelta) -> bool:
        now = self._clock()
        field = f"{name}_ms"
        self._client.hsetnx(keys.sweep(), field, to_ms(now + first))
        return int(self._client.hget(keys.sweep(), field) or 0) <= to_ms(now)

    def _run(self, name: str, errand: Callable[[], object], every: timedelta) -> None:
        rest = every
        try:
            errand()
        except CodatError as error:
            wait_s = error.retry_after_s if isinstance(error, CodatRateLimited) else 0
            rest = min(every, max(AGAIN, timedelta(seconds=wait_s)))
            _log.warning(
                "an errand of the sweep was not finished",
                extra={"errand": name, "error": type(error).__name__, "correlation_id": error.correlation_id},
            )
        except (RedisError, BaseTimeoutException):
            raise
        except Exception:  # one errand that fails is no reason to leave out the others
            rest = min(every, AGAIN)
            _log.exception("an errand of the sweep raised", extra={"errand": name})
        finally:
            self._client.hset(keys.sweep(), f"{name}_ms", to_ms(self._clock() + rest))

    def _probe(self) -> None:
        """Ask Codat something small where calls fail, or none was made for long: so both ends are noticed."""
        assert self._codat is not None  # noqa: S101 - the errand exists with a client only
        calls = codat_calls.read(self._client)
        rest = PROBE_EVERY if calls.failing_since or calls.refused_since or calls.limited_since else QUIET
        if calls.called_at is None or self._clock() - calls.called_at >= rest:
            self._codat.ping()

    def _consumers(self) -> None:
        assert self._codat is not None  # noqa: S101 - the errand exists with a client only
        self._silence.compare_consumers(self._codat.list_webhooks(), self._clock())

    def _erase(self) -> None:
        erased = 0
        for company_id in self._erasure.due(self._clock(), self._grace):
            if self._stop():
                break
            kept = self._erasure.erase(company_id, self._clock())
            erased += 1
            _log.info("a deleted company was erased", extra={"kept": kept.counts})
        if erased:
            self._erasure.forget_on_disk()
