"""A worker process stands in for the clock while no clock runs (decision 54)."""

import logging
import threading

from redis import RedisError

from processor.container import Container
from processor.store import heartbeats
from workers.clock import TICK_S, Clock

_log = logging.getLogger(__name__)


class StandInClock:
    """Does the clock's work in a thread of the process ``name``, from ``begin`` until a clock is seen.

    One process at a time has the lease. It records no heartbeat of a clock: the missing clock stays visible.
    """

    def __init__(self, container: Container, name: str) -> None:
        self._client, self._name = container.redis, name
        self._clock = Clock(
            container.redis,
            inbox=container.inbox,
            waker=container.waker,
            retention_days=container.settings.event_retention_days,
            name=name,
            clock=container.clock,
        )
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Stand in, unless this process does already."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="stand-in", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, without waiting for a tick under way."""
        self._stop.set()

    def tick(self) -> bool:
        """Do what is due; false where another process stands in, or a clock runs again.

        Raises ``redis.RedisError``.
        """
        if not heartbeats.hold_stand_in(self._client, self._name):
            return False
        if heartbeats.live_processes(self._client)["clock"]:
            heartbeats.release_stand_in(self._client)
            return False
        self._clock.do_due_work()
        return True

    def _run(self) -> None:
        ticks = 0
        try:
            while not self._stop.is_set() and self.tick():
                if not ticks:
                    _log.warning("no clock runs: a worker stands in for it", extra={"child": self._name})
                ticks += 1
                self._stop.wait(TICK_S)
        except RedisError as error:
            _log.info("a worker could not stand in for the clock", extra={"error": repr(error)})
        except Exception:
            _log.exception("standing in for the clock failed")
        if ticks:
            _log.warning("a worker no longer stands in for the clock", extra={"child": self._name})
