"""The dispatcher: claims due deliveries and makes many attempts at the same time.

It runs in a thread with an event loop. A wake-up call (or the clock) makes it look at the lanes. A receiver
that does not answer costs a waiting task, so no lane delays another.
"""

import asyncio
import contextlib
import logging
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TypeVar

from redis import RedisError

from processor.clock import utc_now
from processor.delivery import retry_schedule
from processor.delivery.fan_out import FanOut
from processor.delivery.lane import Lane, Lease
from processor.delivery.lanes import RENEW_S, Lanes
from workers.delivery.attempt import AttemptRunner
from workers.redis_outage import RedisOutage

_log = logging.getLogger(__name__)

MOST_UNDER_WAY = 1_000
"""Attempts under way in one process."""

CROWDED = 500
"""From this number of attempts on each lane gets one at a time, so that slow lanes leave room for others."""

LOOK_EVERY_S = 5.0
"""Longest time between two looks at the lanes without a wake-up call, in seconds."""

REDIS_THREADS = 4
MOST_AWAITING_REPLY = 40
"""Attempts in a lane that await a late reply and are not counted against its limit."""

GRACE_S = 4.0
"""How long attempts may go on after ``stop``, in seconds."""

T = TypeVar("T")


class Dispatcher:
    """Delivers notifications.

    Either ``start`` and ``stop`` around a thread, or ``run_once``, which returns when no delivery is due.
    """

    def __init__(
        self,
        lanes: Lanes,
        fan_out: FanOut,
        attempts: AttemptRunner,
        *,
        renew_s: float = RENEW_S,
        look_every_s: float = LOOK_EVERY_S,
        grace_s: float = GRACE_S,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._lanes = lanes
        self._fan_out = fan_out
        self._attempts = attempts
        self._renew_s, self._look_every_s, self._grace_s = renew_s, look_every_s, grace_s
        self._clock = clock
        self._leases: dict[tuple[str, str], Lease] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None
        self._stopping = threading.Event()
        self._pool: ThreadPoolExecutor | None = None
        self._outage = RedisOutage("dispatcher")

    @property
    def is_running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_well(self) -> bool:
        """Whether the thread is alive and has looked at the lanes lately."""
        return self.is_running and not self._outage.attempt_hangs

    def start(self) -> None:
        """Deliver in a thread until ``stop``. Raises what the preparation of a sender raises."""
        self._attempts.prepare()
        ready = threading.Event()
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._run_thread, args=(ready,), name="dispatcher", daemon=True
        )
        self._thread.start()
        ready.wait()

    def wake(self) -> None:
        """Look at the lanes now. Thread-safe."""
        loop, woken = self._loop, self._woken
        if loop is not None and woken is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(woken.set)

    def stop(self) -> None:
        """End the thread; deliveries whose attempts take too long are given back and attempted again."""
        self._stopping.set()
        self.wake()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def run_once(self) -> int:
        """Deliver until no delivery is due; the number of attempts."""
        settled_before = self._attempts.settled
        asyncio.run(self._deliver_due())
        return self._attempts.settled - settled_before

    def _run_thread(self, ready: threading.Event) -> None:
        try:
            asyncio.run(self._serve(ready))
        except Exception:
            _log.exception("the dispatcher's thread ended; wake-up calls deliver from now on")
        finally:
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        async with self._session() as woken:
            ready.set()
            while not self._stopping.is_set():
                woken.clear()
                wait_s = await self._look_safely()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), wait_s)
            await self._finish()

    async def _deliver_due(self) -> None:
        async with self._session():
            while True:
                await self._look()
                if not self._tasks:
                    return
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[asyncio.Event]:
        """What the loop works with, and leases that are renewed meanwhile; the event that ``wake`` sets."""
        self._leases.clear()
        self._tasks.clear()
        self._pool = ThreadPoolExecutor(REDIS_THREADS, thread_name_prefix="dispatcher-redis")
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        renewing = asyncio.create_task(self._renew_leases())
        try:
            yield self._woken
        finally:
            renewing.cancel()
            self._attempts.close()
            self._loop = self._woken = None
            self._pool.shutdown(wait=True)

    async def _look_safely(self) -> float:
        try:
            wait_s = await self._look()
            self._outage.ended()
            return wait_s
        except RedisError as error:
            return max(0.5, self._outage.failed(error))
        except Exception:
            _log.exception("looking at the lanes failed")
        return 1.0

    async def _look(self) -> float:
        """Fan out, claim due deliveries, start attempts; the longest wait until the next look, in seconds."""
        under_way = Counter(lane_id for lane_id, _ in self._leases)
        total = len(self._leases)
        most = 0 if total >= MOST_UNDER_WAY else 1 if total >= CROWDED else retry_schedule.AT_ONCE

        def room(lane: Lane) -> int:
            limit = most + min(self._attempts.awaiting_reply(lane), MOST_AWAITING_REPLY)
            return 0 if under_way[lane.id] >= limit else limit

        def fan_out_and_claim() -> tuple[list[Lease], datetime | None]:
            self._fan_out.run()
            return self._lanes.claim(room)

        leases, next_due_at = await self._in_thread(fan_out_and_claim)
        for lease in leases:
            self._leases[lease.lane.id, lease.notification_id] = lease
            task = asyncio.create_task(self._attempt(lease))
            self._tasks.add(task)
            task.add_done_callback(self._task_done)
        if next_due_at is None:
            return self._look_every_s
        return min(self._look_every_s, max(0.01, (next_due_at - self._clock()).total_seconds()))

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if self._woken is not None:
            self._woken.set()

    async def _attempt(self, lease: Lease) -> None:
        try:
            await self._attempts.run(lease, self._in_thread)
        except RedisError as error:
            _log.warning(
                "an attempt could not be recorded and will be repeated",
                extra={**lease.log_fields, "error": repr(error)},
            )
        finally:
            self._leases.pop((lease.lane.id, lease.notification_id), None)

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(self._renew_s)
            notification_ids: dict[str, list[str]] = {}
            for lane_id, id_ in self._leases:
                notification_ids.setdefault(lane_id, []).append(id_)
            if not notification_ids:
                continue
            try:
                await self._in_thread(partial(self._lanes.renew, notification_ids))
            except RedisError as error:
                _log.warning("leases could not be renewed", extra={"error": repr(error)})
            except Exception:
                _log.exception("renewing leases failed")

    async def _finish(self) -> None:
        """Wait for the attempts under way, then give back the deliveries of those that take too long."""
        tasks = set(self._tasks)
        if not tasks:
            return
        await asyncio.wait(tasks, timeout=self._grace_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        """Run a call that blocks on Redis without blocking the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)
