"""The dispatcher: claims due deliveries and makes many attempts at the same time.

It runs in a thread with an event loop. A wake-up call (or the clock) makes it look at the lanes. A receiver
that does not answer costs a waiting task, so no lane delays another. One look records all attempts that were
completed since the last one, and claims for all lanes with room.
"""

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TypeVar

from redis import RedisError

from processor.delivery.fan_out import FanOut
from processor.delivery.in_flight import MOST_AT_ONCE, InFlightLimit, note
from processor.delivery.lane import AttemptVerdict, CompletedAttempt, Lane, Lease
from processor.delivery.lane_admin import LaneAdmin
from processor.delivery.lanes import RENEW_S, ClaimResult, Lanes
from workers.delivery.attempt import AttemptRunner, warn_unrecorded
from workers.redis_outage import RedisOutage

_log = logging.getLogger(__name__)

MOST_UNDER_WAY = 1_000
"""Attempts under way in one process."""

CROWDED = 500
"""From this number of attempts on each lane gets one at a time, so that slow lanes leave room for others."""

LOOK_EVERY_S = 5.0
"""Longest time between two looks at the lanes without a wake-up call, in seconds."""

GATHER_S = 0.02
"""Shortest time between two looks, in seconds, so that one look does the work of many attempts."""

EVERYWHERE_EVERY_S = 1.0
"""Shortest time between two looks at all lanes while calls bring new notifications, in seconds."""

REDIS_THREADS = 2
"""One for looks, one for the renewal of leases."""

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
        lane_admin: LaneAdmin,
        *,
        renew_s: float = RENEW_S,
        look_every_s: float = LOOK_EVERY_S,
        grace_s: float = GRACE_S,
        clock: Callable[[], datetime],
    ) -> None:
        self._lanes = lanes
        self._fan_out = fan_out
        self._attempts = attempts
        self._lane_admin = lane_admin
        self._renew_s, self._look_every_s, self._grace_s = renew_s, look_every_s, grace_s
        self._clock = clock
        self._leases: dict[tuple[str, str], Lease] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._completed: list[CompletedAttempt] = []
        self._settled = 0
        self._limits: defaultdict[str, InFlightLimit] = defaultdict(InFlightLimit)
        self._called = True
        self._looked_everywhere_at = -math.inf
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
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
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(self._call)

    def stop(self) -> None:
        """End the thread; deliveries whose attempts take too long are given back and attempted again."""
        self._stopping.set()
        self.wake()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def run_once(self) -> int:
        """Deliver until no delivery is due; the number of attempts."""
        self._stopping.clear()
        settled_before = self._settled
        asyncio.run(self._deliver_due())
        return self._settled - settled_before

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
            loop, look_again_at = asyncio.get_running_loop(), 0.0
            while not self._stopping.is_set():
                await asyncio.sleep(look_again_at - loop.time())
                woken.clear()
                look_again_at = loop.time() + GATHER_S
                wait_s = await self._look_safely()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), wait_s)
            await self._finish()

    async def _deliver_due(self) -> None:
        async with self._session():
            while True:
                called = self._called
                wait_s = await self._look()
                if self._tasks and not self._completed:
                    await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                elif not self._completed:
                    if called and wait_s:
                        return
                    self._called = True

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[asyncio.Event]:
        """What the loop works with, and leases that are renewed meanwhile; the event that ``wake`` sets."""
        self._lanes.forget_subscribers()
        for of_last_session in (self._leases, self._tasks, self._completed):
            of_last_session.clear()
        self._called, self._looked_everywhere_at = True, -math.inf
        self._pool = ThreadPoolExecutor(REDIS_THREADS, thread_name_prefix="dispatcher-redis")
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        renewing = asyncio.create_task(self._renew_leases())
        try:
            yield self._woken
        finally:
            renewing.cancel()
            self._attempts.close()
            self._loop = None
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
        """Record attempts, claim due deliveries, start attempts; the longest wait for the next look (s).

        When it was called, or is overdue, it also fans out. If nothing was fanned out, or from time to time,
        it is at all lanes: another process may have changed them.
        """
        now, completed = time.monotonic(), self._completed
        since_s = now - self._looked_everywhere_at
        called = self._called or since_s >= self._look_every_s
        room = self._room(completed)

        def look() -> tuple[ClaimResult, bool]:
            touched = self._fan_out.run() if called else set()
            everywhere = called and (not touched or since_s >= EVERYWHERE_EVERY_S)
            result = self._lanes.look(room, completed, touched=touched, everywhere=everywhere)
            unrecorded = [*result.unreached, *(attempt for attempt, _ in result.refused)]
            for attempt in completed:
                if attempt.verdict is AttemptVerdict.GONE and attempt not in unrecorded:
                    self._lane_admin.abandon(attempt.lease.lane.id, removed=False)
            return result, everywhere

        self._completed, self._called = [], False
        try:
            result, everywhere = await self._in_thread(look)
        except BaseException:
            self._completed, self._called = completed + self._completed, self._called or called
            raise
        self._called = self._called or self._fan_out.has_more
        if everywhere:
            self._looked_everywhere_at = now
        self._completed = [*result.unreached, *self._completed]
        recorded_again = {attempt.number for attempt in result.unreached}
        for attempt in completed:
            if attempt.number not in recorded_again:
                self._drop(attempt.lease)
        for attempt, error in result.refused:
            warn_unrecorded(attempt.lease, error)
        self._settled += len(completed) - len(result.refused) - len(result.unreached)
        for lease in result.leases:
            if (lease.lane.id, lease.notification_id) in self._leases:
                continue  # its lease had ended and is this process's again: the attempt goes on
            self._leases[lease.lane.id, lease.notification_id] = lease
            task = asyncio.create_task(self._attempt(lease))
            self._tasks.add(task)
            task.add_done_callback(self._task_done)
        failure = result.error or self._fan_out.error
        if failure and not result.leases:
            self._called = self._called or self._fan_out.error is not None
            raise failure
        if self._called or result.next_due_at is None:
            return 0.0 if self._called else self._look_every_s
        return min(self._look_every_s, max(0.0, (result.next_due_at - self._clock()).total_seconds()))

    def _room(self, completed: Sequence[CompletedAttempt]) -> Callable[[Lane], int]:
        """How many attempts may be under way in a lane, once these are recorded."""
        under_way = Counter(lane_id for lane_id, _ in self._leases)
        note(self._limits, completed, under_way)
        under_way.subtract(attempt.lease.lane.id for attempt in completed)
        total = under_way.total()
        most = 0 if total >= MOST_UNDER_WAY else 1 if total >= CROWDED else MOST_AT_ONCE

        def room(lane: Lane) -> int:
            limit = min(most, self._limits[lane.id].value)
            limit += min(self._attempts.awaiting_reply(lane), MOST_AWAITING_REPLY)
            return 0 if self._stopping.is_set() or under_way[lane.id] >= limit else limit

        return room

    def _call(self) -> None:
        self._called = True
        self._woken.set()

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._woken.set()

    async def _attempt(self, lease: Lease) -> None:
        completed = None
        try:
            completed = await self._attempts.run(lease)
            self._completed.append(completed)
        except RedisError as error:
            warn_unrecorded(lease, error)
        finally:
            if completed is None:
                self._drop(lease)

    def _drop(self, lease: Lease) -> None:
        """Renew this lease no longer."""
        if self._leases.get((lease.lane.id, lease.notification_id)) is lease:
            del self._leases[lease.lane.id, lease.notification_id]

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(self._renew_s)
            try:
                await self._in_thread(partial(self._lanes.renew, tuple(self._leases.values())))
            except RedisError as error:
                _log.warning("leases could not be renewed", extra={"error": repr(error)})
            except Exception:
                _log.exception("renewing leases failed")

    async def _finish(self) -> None:
        """Wait for the attempts under way, then give back the deliveries of those that take too long."""
        if tasks := set(self._tasks):
            await asyncio.wait(tasks, timeout=self._grace_s)
            await self._look_safely()  # record first: Redis may be slow, and the process be killed
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._completed:
            await self._look_safely()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        """Run a call that blocks on Redis without blocking the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)
