"""Counting refused messages without a round trip for each: a process writes its sums every few seconds."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from redis import Redis, RedisError

from processor.alerts.refusals import RefusalReason
from processor.store import clock_skew, receipts

_log = logging.getLogger(__name__)

FLUSH_EVERY_S = 2.0


class ReceiptCounter:
    """What this process refused and took since it last wrote it down. Safe for threads."""

    def __init__(
        self, client: "Redis[Any]", *, clock: Callable[[], datetime], wall: Callable[[], float] = time.time
    ) -> None:
        self._client, self._clock, self._wall = client, clock, wall
        self._lock = threading.Lock()
        self._refused: Counter[RefusalReason] = Counter()
        self._authentic = False

    def refused(self, reason: RefusalReason) -> None:
        """A message was refused."""
        with self._lock:
            self._refused[reason] += 1

    def authentic(self) -> None:
        """A message was authentic."""
        self._authentic = True

    def flush(self) -> None:
        """Write down what was counted, in one round trip; what Redis does not take is kept for the next."""
        with self._lock:
            refused, self._refused = self._refused, Counter()
            authentic, self._authentic = self._authentic, False
        if not refused and not authentic:
            return
        try:
            with self._client.pipeline(transaction=False) as pipe:
                receipts.add(pipe, refused, authentic=authentic, now=self._clock())
                pipe.time()
                began = self._wall()
                *_, (seconds, micros) = pipe.execute()
                clock_skew.compare(self._client, began, self._wall(), seconds + micros / 1e6)
        except RedisError as error:
            _log.info("refused messages could not be counted yet", extra={"error": repr(error)})
            with self._lock:
                self._refused += refused
                self._authentic = self._authentic or authentic

    def keep_flushing(self, *, also: Callable[[], object]) -> None:
        """Write down, and do ``also``, every few seconds in a thread, as long as the process lives."""

        def run() -> None:
            while True:
                time.sleep(FLUSH_EVERY_S)
                self.flush()
                also()

        threading.Thread(target=run, name="tally", daemon=True).start()
