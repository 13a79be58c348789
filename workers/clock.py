"""The clock: wakes forgotten work twice a second. Ticks are idempotent, so a stand-in does no harm."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from redis import Redis, RedisError, ResponseError

from processor.clock import to_iso, utc_now
from processor.store import heartbeats, outages, retention, wakeups
from processor.store.damaged_records import unreadable_records
from processor.store.inbox import Inbox
from processor.store.metrics import Metrics
from processor.store.outages import Outage
from processor.store.queries import Reader
from processor.store.waker import DELIVER, Waker

_log = logging.getLogger(__name__)

TICK_S = 0.5
"""How often the clock looks, in seconds: with the lifetime of a lease the longest that the cells of a killed
worker wait, which is less than two seconds."""
TRIM_EVERY = timedelta(minutes=5)


class Clock:
    """Wakes sleeping cells and due work of other queues, requeues due retries, and trims old messages."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        inbox: Inbox,
        waker: Waker,
        retention_days: int,
        name: str,
        clock: Callable[[], datetime] = utc_now,
        metrics: Metrics | None = None,
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._waker = waker
        self._retention = timedelta(days=retention_days)
        self._name = name
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._trimmed_at: datetime | None = None

    def run(self, stop: threading.Event) -> None:
        """Tick until ``stop`` is set. An outage of Redis is logged at its start, and recorded at its end."""
        away_since: datetime | None = None
        refused = True
        while not stop.is_set():
            began_at = self._clock()
            try:
                self.tick()
                if away_since is not None:
                    self._record(Outage(away_since, self._clock(), refused))
            except RedisError as error:
                if away_since is None:
                    _log.warning("the clock cannot reach Redis; it goes on", extra={"error": repr(error)})
                    away_since = began_at
                refused = refused and isinstance(error, ResponseError)
            else:
                away_since, refused = None, True
            stop.wait(TICK_S)
        if away_since is not None:
            return  # another command could delay the end; the heartbeat expires
        try:
            heartbeats.remove(self._client, "clock", self._name)
        except RedisError as error:
            _log.info("the clock could not remove its heartbeat", extra={"error": repr(error)})

    def tick(self) -> None:
        """Record that the clock lives, and do what is due. Raises ``redis.RedisError``."""
        self._trim()
        heartbeats.record(self._client, "clock", self._name, metrics=self._metrics)
        self.do_due_work()

    def do_due_work(self) -> None:
        """Trim, wake for what is due, and requeue retries. Raises ``redis.RedisError``."""
        self._trim()
        now, asleep = self._clock(), False
        for event_id, cell in wakeups.due_retries(self._client, now):
            _, wake = self._inbox.requeue(event_id, status="failed", cell=cell, only_if=True)
            asleep = asleep or wake
        if wakeups.claim_sleeping_cells(self._client) or asleep:
            self._waker.wake_drain()
        if wakeups.claim_question_run(self._client, now):
            self._waker.wake_question_runner()
        if wakeups.claim_due_delivery_run(self._client) and not self._waker.queue_length(DELIVER):
            self._waker.wake_dispatcher()
        if wakeups.claim_poll_run(self._client, now):
            self._waker.wake_poller()
        if wakeups.claim_maintenance_run(self._client):
            self._waker.wake_maintenance()

    def _trim(self) -> None:
        """Remove what has expired, before anything is written: a full Redis deletes, and refuses the rest."""
        now = self._clock()
        if self._trimmed_at is None or now - self._trimmed_at >= TRIM_EVERY:
            self._trimmed_at = now
            retention.trim(self._client, now - self._retention)
            unreadable_records(self._client, Reader(self._client))

    def _record(self, outage: Outage) -> None:
        """Log and store an outage of Redis. Raises ``redis.RedisError``."""
        outages.record(self._client, outage)
        _log.info(
            "the clock reaches Redis again",
            extra={
                "away_from": to_iso(outage.began_at),
                "away_until": to_iso(outage.ended_at),
                "refused": outage.refused,
            },
        )
