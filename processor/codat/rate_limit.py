"""The rate limit for requests to Codat, shared by all processes through Redis.

Each request, including pages and retries, acquires a permit before it is sent; its response updates the
quota. https://docs.codat.io/using-the-api/rate-limits
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

from processor.clock import from_iso, from_ms, to_iso, to_ms
from processor.codat.http_headers import Quota
from processor.errors import CodatRateLimited, CodatUnavailable
from processor.store import keys
from processor.store.decoding import text
from processor.store.scripts import register

_log = logging.getLogger(__name__)

REQUESTS_PER_MINUTE = 1_000
"""Requests per minute that Codat accepts from one address."""

BURST = 100
PER_S = (REQUESTS_PER_MINUTE - BURST) / 60
"""A minute has at most the burst and the refill of 60 s: 1,000 requests."""

RESERVE = 20
"""Requests of the burst that background work permits to others."""

PER_COMPANY = 10
"""Concurrent requests about one company."""

LEASE_MS = 60_000
"""A permit that is not released expires after this time; a call lasts up to 20 s."""

TRANSIENT_REASONS = (b"pace", b"slots")
"""Reasons of a refused permit that pass within moments."""

BACKGROUND_QUOTA_RESERVE = 0.2
"""Share of the daily quota that background work permits to others."""


class Priority(IntEnum):
    """Priority of a request.

    In a ``JOURNEY`` a person waits, so it may use the whole quota. A ``CHECK`` delays a notification and
    respects a block by Codat. ``BACKGROUND`` work permits reserves to both.
    """

    JOURNEY = 0
    CHECK = 1
    BACKGROUND = 2


PATIENCE_S = {Priority.JOURNEY: 2.0, Priority.CHECK: 2.0, Priority.BACKGROUND: 5.0}
"""How long a request waits for a permit."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to send one request; ``token`` is its slot among the requests about ``company_id``."""

    number: int
    token: str
    company_id: str | None


class RateLimiter:
    """Grants and takes back permits. Thread-safe; ``clock`` returns UTC."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client, self._clock, self._sleep = client, clock, sleep
        self._acquire = register(client, "rate_limit_acquire")
        self._release = register(client, "rate_limit_release")

    def acquire(self, priority: Priority, company_id: str | None = None) -> Permit | None:
        """Acquire a permit for one request about a company (``None``: about none or many).

        Returns ``None`` if Redis does not answer and the request is not background work: it is then sent
        without a permit. Raises ``CodatRateLimited`` if no permit is granted within ``PATIENCE_S``, and
        ``CodatUnavailable`` for background work without Redis.
        """
        waited_s, token = 0.0, secrets.token_hex(8)
        while True:
            try:
                granted, *details = self._request_permit(priority, company_id, token)
            except RedisError as error:
                if priority is Priority.BACKGROUND:
                    raise CodatUnavailable("The budget for requests to Codat cannot be reached.") from error
                _log.warning("a request to Codat is sent without a permit", extra={"error": repr(error)})
                return None
            if granted:
                return Permit(int(details[0]), token, company_id)
            reason, until = details
            wait_s = self._wait_s(reason, until)
            if reason not in TRANSIENT_REASONS or waited_s + wait_s > PATIENCE_S[priority]:
                raise CodatRateLimited(max(1, round(wait_s)))
            self._sleep(wait_s)
            waited_s += wait_s

    def release(self, permit: Permit | None, quota: Quota | None = None, block_s: int | None = None) -> None:
        """Release the permit of a finished request, and record its quota and the pause after a 429.

        Never raises: a permit that is not released expires.
        """
        if permit is None:
            return
        now = self._clock()
        if quota is not None and quota.remaining is None:
            quota = None
        resets_at = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        if quota is not None and quota.resets_at is not None:
            resets_at = min(now + (quota.resets_at - quota.seen_at), now + timedelta(days=1))
        blocked_ms = "" if block_s is None else to_ms(now + timedelta(seconds=block_s))
        try:
            self._release(
                keys=[keys.pace(), keys.quota(), keys.slots(permit.company_id or "")],
                args=[
                    to_ms(now),
                    permit.token,
                    permit.number,
                    "" if quota is None or quota.limit is None else quota.limit,
                    "" if quota is None else quota.remaining,
                    to_ms(resets_at),
                    blocked_ms,
                ],
            )
        except RedisError as error:
            _log.warning("a permit for Codat could not be released", extra={"error": repr(error)})

    def _request_permit(self, priority: Priority, company_id: str | None, token: str) -> Any:
        now = self._clock()
        return self._acquire(
            keys=[
                keys.pace(),
                keys.quota(),
                keys.polling_paused(),
                keys.slots(company_id or ""),
            ],
            args=[
                to_ms(now),
                to_iso(now),
                int(priority),
                BURST,
                PER_S,
                RESERVE,
                PER_COMPANY,
                LEASE_MS,
                token,
                BACKGROUND_QUOTA_RESERVE,
                "1" if company_id else "",
            ],
        )

    def _wait_s(self, reason: bytes, until: bytes) -> float:
        """Seconds to wait from now; the script returns a duration or a time."""
        value = text(until)
        if reason in TRANSIENT_REASONS:
            return int(value) / 1000
        until_at = from_iso(value) if reason == b"paused" else from_ms(int(value))
        return max(0.0, (until_at - self._clock()).total_seconds())
