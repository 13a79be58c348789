"""Waiting for a Redis that is away or refuses commands: growing pauses, logged once a minute."""

import logging
import time

from redis import RedisError

from processor.store.connection_errors import connection_error_reason

_log = logging.getLogger(__name__)

PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Pauses between attempts, in seconds; the last one repeats."""

WARN_EVERY_S = 60.0

HANGS_AFTER_S = 90.0
"""An attempt that takes longer hangs, in seconds; timeouts of Redis are shorter."""


class RedisOutage:
    """Tracks outages for the process ``name``: call ``failed`` or ``ended`` after each attempt."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures = 0
        self._began_at = self._warned_at = 0.0
        self._attempted_at = time.monotonic()

    @property
    def attempt_hangs(self) -> bool:
        """Whether the current attempt takes too long."""
        return time.monotonic() - self._attempted_at > HANGS_AFTER_S

    def failed(self, error: RedisError) -> float:
        """Record a failed attempt; the pause before the next one, in seconds."""
        now = self._attempted_at = time.monotonic()
        if not self._failures:
            self._began_at = now
        if not self._failures or now - self._warned_at >= WARN_EVERY_S:
            self._warned_at = now
            reason = connection_error_reason(error) or type(error).__name__
            _log.warning("a worker waits for Redis", extra={"child": self._name, "reason": reason})
        self._failures += 1
        return PAUSES_S[min(self._failures, len(PAUSES_S)) - 1]

    def ended(self) -> None:
        """Record a successful attempt."""
        self._attempted_at = time.monotonic()
        if self._failures:
            away_s = round(time.monotonic() - self._began_at, 1)
            _log.warning("a worker reaches Redis again", extra={"child": self._name, "away_s": away_s})
        self._failures = 0
