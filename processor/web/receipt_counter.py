"""Counts refused messages in memory; each process writes its sums, and its metrics, every few seconds."""

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from redis import Redis, RedisError

from processor.alerts.signature import RefusalReason
from processor.store import clock_skew, receipts
from processor.store.client import peak_use
from processor.store.metrics import Metrics

_log = logging.getLogger(__name__)

FLUSH_EVERY_S = 2.0


class ReceiptCounter:
    """Counts of this process since its last write. Thread-safe. ``wall`` is in seconds since 1970."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        clock: Callable[[], datetime],
        wall: Callable[[], float] = time.time,
        metrics: Metrics | None = None,
    ) -> None:
        self._client, self._clock, self._wall = client, clock, wall
        self._metrics = metrics or Metrics()
        self._lock = threading.Lock()
        self._refused: Counter[RefusalReason] = Counter()
        self._authentic = False

    def refused(self, reason: RefusalReason) -> None:
        """Count a refused message."""
        with self._lock:
            self._refused[reason] += 1

    def answered(self, statuses: Sequence[str]) -> None:
        """Count what authentic messages were answered."""
        self._metrics.received(statuses)

    def authentic(self) -> None:
        """Note that an authentic message arrived."""
        self._authentic = True

    def flush(self) -> None:
        """Write the counts in one round trip; while Redis is away they are kept for the next time."""
        with self._lock:
            refused, self._refused = self._refused, Counter()
            authentic, self._authentic = self._authentic, False
        if not refused and not authentic and self._metrics.is_empty:
            return
        self._metrics.pool_used("web", peak_use(self._client))
        now = self._clock()
        try:
            with self._client.pipeline(transaction=False) as pipe, self._metrics.staged(pipe, now):
                receipts.add(pipe, refused, authentic=authentic, now=now)
                pipe.time()
                started_at = self._wall()
                *_, (seconds, micros) = pipe.execute()
        except RedisError as error:
            _log.info("refused messages could not be counted yet", extra={"error": repr(error)})
            with self._lock:
                self._refused += refused
                self._authentic = self._authentic or authentic
            return
        with contextlib.suppress(RedisError):  # the counts are written
            clock_skew.compare(self._client, started_at, self._wall(), seconds + micros / 1e6)

    def keep_flushing(self, *, also: Callable[[], object]) -> None:
        """Flush and call ``also`` every ``FLUSH_EVERY_S`` in a daemon thread."""

        def run() -> None:
            while True:
                time.sleep(FLUSH_EVERY_S)
                self.flush()
                also()

        threading.Thread(target=run, name="tally", daemon=True).start()
