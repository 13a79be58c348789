"""A Redis that is away or refuses: waited for with growing pauses, and logged once a minute."""

import logging
import time

from redis import RedisError

from processor.store.connection_errors import connection_error_reason

_log = logging.getLogger(__name__)

PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Between two attempts, in seconds; the last one repeats."""

WARN_EVERY_S = 60.0

HANGS_AFTER_S = 90.0
"""An attempt that takes so long hangs, in seconds: Redis itself is waited for less."""


class RedisOutage:
    """The outage, if any, as ``name`` sees it: call ``failed`` or ``ended`` after each attempt."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures = 0
        self._began_at = self._warned_at = 0.0
        self._attempted_at = time.monotonic()

    @property
    def attempt_hangs(self) -> bool:
        """Whether no attempt came to an end for long."""
        return time.monotonic() - self._attempted_at > HANGS_AFTER_S

    def failed(self, error: RedisError) -> float:
        """Take note of a failed attempt; how long to wait before the next one, in seconds."""
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
        """Take note of an attempt that succeeded."""
        self._attempted_at = time.monotonic()
        if self._failures:
            away_s = round(time.monotonic() - self._began_at, 1)
            _log.warning("a worker reaches Redis again", extra={"child": self._name, "away_s": away_s})
        self._failures = 0
