"""One budget for everything that asks Codat, whatever process it is in: it stands in Redis.

Limits: https://docs.codat.io/using-the-api/rate-limits. Each request asks for leave before it is sent,
pages and retries too; its answer tells what is left.
"""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from redis import Redis, RedisError

from processor.clock import from_iso, from_ms, to_iso, to_ms, utc_now
from processor.codat.quota import Quota
from processor.errors import CodatRateLimited, CodatUnavailable
from processor.store import keys
from processor.store.scripts import register

_log = logging.getLogger(__name__)

A_MINUTE = 1_000
"""Requests a minute that Codat takes from one address."""

BURST = 100
PER_S = (A_MINUTE - BURST) / 60
"""No minute can hold more than the burst and what comes in meanwhile: 1,000."""

RESERVE = 20
"""Of the burst, so many requests are left to whoever does not work in the background."""

PER_COMPANY = 10
"""Requests at a time about one company."""

LEASE_MS = 60_000
"""After so long a request counts as ended that nobody said had; a call lasts 20 s at the most."""

PASSING = (b"pace", b"slots")
"""Reasons for which leave is refused that pass by themselves within moments."""

LEFT_OF_THE_DAY = 0.2
"""The share of the day's quota that background work never takes."""


class Priority(IntEnum):
    """Whose request it is.

    A ``JOURNEY`` has a person waiting and may use the whole quota; a ``CHECK`` stands before news that
    is to be told and waits where Codat says so; ``BACKGROUND`` work leaves the others their part.
    """

    JOURNEY = 0
    CHECK = 1
    BACKGROUND = 2


PATIENCE_S = {Priority.JOURNEY: 2.0, Priority.CHECK: 2.0, Priority.BACKGROUND: 5.0}
"""How long a request waits for leave before it is refused, in seconds."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send one request; ``token`` holds its place among those about ``company_id``."""

    number: int
    token: str
    company_id: str | None


class RateLimiter:
    """Gives and takes back leave. ``sleep`` waits, ``clock`` is ours in UTC."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client, self._clock, self._sleep = client, clock, sleep
        self._take = register(client, "budget_take")
        self._give = register(client, "budget_give")

    def take(self, rank: Priority, company_id: str | None = None) -> Permit | None:
        """Leave for one request about ``company_id`` (``None``: about none).

        ``None`` where Redis does not answer and somebody waits: then the request goes unguarded.
        Raises ``CodatRateLimited`` where there is none within the rank's patience, and
        ``CodatUnavailable`` where background work cannot ask for leave.
        """
        waited_s, token = 0.0, secrets.token_hex(8)
        while True:
            try:
                granted, *said = self._ask(rank, company_id, token)
            except RedisError as error:
                if rank is Priority.BACKGROUND:
                    raise CodatUnavailable("The budget for requests to Codat cannot be reached.") from error
                _log.warning("a request to Codat goes unguarded", extra={"error": repr(error)})
                return None
            if granted:
                return Permit(int(said[0]), token, company_id)
            reason, when = said
            wait_s = self._wait_s(reason, when)
            if reason not in PASSING or waited_s + wait_s > PATIENCE_S[rank]:
                raise CodatRateLimited(max(1, round(wait_s)))
            self._sleep(wait_s)
            waited_s += wait_s

    def give(self, leave: Permit | None, quota: Quota | None = None, wait_s: int | None = None) -> None:
        """Say that a request has ended, what its answer said of the quota, and how long to wait (429).

        Never raises: a place that is not given back is free again by itself.
        """
        if leave is None:
            return
        now = self._clock()
        told = quota if quota is not None and quota.remaining is not None else None
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        resets = midnight
        if told is not None and told.resets_at is not None:
            resets = min(now + (told.resets_at - told.seen_at), now + timedelta(days=1))
        blocked = "" if wait_s is None else to_ms(now + timedelta(seconds=wait_s))
        try:
            self._give(
                keys=[keys.pace(), keys.quota(), keys.slots(leave.company_id or "")],
                args=[
                    to_ms(now),
                    leave.token,
                    leave.number,
                    "" if told is None or told.limit is None else told.limit,
                    "" if told is None or told.remaining is None else told.remaining,
                    to_ms(resets),
                    blocked,
                ],
            )
        except RedisError as error:
            _log.warning("the budget could not be told of an answer", extra={"error": repr(error)})

    def _ask(self, rank: Priority, company_id: str | None, token: str) -> Any:
        now = self._clock()
        return self._take(
            keys=[
                keys.pace(),
                keys.quota(),
                keys.polling_paused(),
                keys.slots(company_id or ""),
            ],
            args=[
                to_ms(now),
                to_iso(now),
                int(rank),
                BURST,
                PER_S,
                RESERVE,
                PER_COMPANY,
                LEASE_MS,
                token,
                LEFT_OF_THE_DAY,
                "1" if company_id else "",
            ],
        )

    def _wait_s(self, reason: bytes, when: bytes) -> float:
        """How long to wait from now on; asking took its time, so a moment is compared with now."""
        text = when.decode()
        if reason in PASSING:
            return int(text) / 1000
        until = from_iso(text) if reason == b"paused" else from_ms(int(text))
        return max(0.0, (until - self._clock()).total_seconds())
