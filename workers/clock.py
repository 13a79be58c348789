"""The clock: once a second, whatever was forgotten is woken. Every tick is harmless when run twice."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from redis import Redis, RedisError

from processor import times
from processor.queues import DELIVER, Bell
from processor.store import health, upkeep
from processor.store.inbox import Inbox

_log = logging.getLogger(__name__)

TICK_S = 1.0
TRIM_EVERY = timedelta(minutes=5)


class Clock:
    """Wakes sleeping shards, puts due retries back, has due questions asked, trims what is too old."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        inbox: Inbox,
        bell: Bell,
        retention_days: int,
        name: str,
        clock: Callable[[], datetime] = times.now,
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._bell = bell
        self._retention = timedelta(days=retention_days)
        self._name = name
        self._clock = clock
        self._trimmed_at: datetime | None = None

    def run(self, stop: threading.Event) -> None:
        """Tick until ``stop`` is set. Redis being away is logged, once, and waited for."""
        is_away = False
        while not stop.is_set():
            try:
                self.tick()
            except RedisError as error:
                if not is_away:
                    _log.warning("the clock cannot reach Redis; it goes on", extra={"error": repr(error)})
                is_away = True
            else:
                if is_away:
                    _log.info("the clock reaches Redis again")
                is_away = False
            stop.wait(TICK_S)
        if is_away:
            return  # it would be waited for once more, and the end is due; a name is forgotten by itself
        try:
            health.gone(self._client, "clock", self._name)
        except RedisError as error:
            _log.info("the clock could not say goodbye", extra={"error": repr(error)})

    def tick(self) -> None:
        """One look at everything. Raises ``redis.RedisError``."""
        now = self._clock()
        health.alive(self._client, "clock", self._name, times.to_ms(now))
        for event_id, shard in upkeep.due_retries(self._client, now):
            _, wake = self._inbox.requeue(event_id, status="failed", shard=shard, only_if=True)
            if wake:
                self._bell.wake_shard(shard)
        for shard in upkeep.sleeping_shards(self._client, self._inbox.shards):
            self._bell.wake_shard(shard)
        if upkeep.questions_are_due(self._client, now):
            self._bell.ask()
        if upkeep.deliveries_are_due(self._client) and not self._bell.waiting(DELIVER):
            self._bell.deliver()
        if upkeep.looks_are_due(self._client, now):
            self._bell.look()
        if upkeep.sweep_is_due(self._client):
            self._bell.sweep()
        if self._trimmed_at is None or now - self._trimmed_at >= TRIM_EVERY:
            self._trimmed_at = now
            upkeep.trim(self._client, now - self._retention)
