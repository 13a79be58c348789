"""Delivering: a thread of its own in which many attempts are under way at the same time.

A wake-up call (or the clock) makes it look; what is due is taken under a lease, attempted, and settled.
A receiver that does not answer costs a waiting task and nothing else, so no lane delays another.
"""

import asyncio
import contextlib
import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from redis import RedisError

from processor.clock import utc_now
from processor.delivery import retry_schedule
from processor.delivery.lane import AttemptVerdict, Lane, Lease
from processor.delivery.lane_admin import LaneAdmin
from processor.delivery.lanes import RENEW_S, Lanes
from workers.delivery.channels.channel import Channel, Result
from workers.redis_outage import RedisOutage

_log = logging.getLogger(__name__)

MOST_UNDER_WAY = 1_000
"""Attempts under way in one process."""

CROWDED = 500
"""From so many on, each lane gets one at a time, so that slow ones leave room for the others."""

LOOK_AT_LEAST_S = 5.0
"""It looks so often though nobody wakes it, in seconds."""

REDIS_THREADS = 4
MOST_BEGUN = 40
"""So many attempts in a lane that wait for a late answer leave room for others."""

PATIENCE_S = 4.0
"""How long attempts may go on when the process is told to end, in seconds."""

Done = TypeVar("Done")

WEBHOOK = "webhook"
"""The channel of every lane that has a subscriber; other lanes are named like their channel."""


class Dispatcher:
    """Carries deliveries out.

    Either ``start`` and ``stop`` around a thread of its own, or ``run_once``, which returns when
    nothing is due any more.
    """

    def __init__(
        self,
        lanes: Lanes,
        control: LaneAdmin,
        channels: Mapping[str, Channel],
        *,
        clock: Callable[[], datetime] = utc_now,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._lanes = lanes
        self._control = control
        self._channels = channels
        self._clock = clock
        self._chance = chance
        self._flying: dict[tuple[str, str], Lease] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None
        self._stopping = threading.Event()
        self._pool: ThreadPoolExecutor | None = None
        self._outage = RedisOutage("courier")
        self.settled = 0

    # From outside

    @property
    def running(self) -> bool:
        """Whether a thread of its own carries out."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def looks(self) -> bool:
        """Whether the thread lives and looked at the lanes lately."""
        return self.running and not self._outage.attempt_hangs

    def start(self) -> None:
        """Carry out in a thread of its own until ``stop``. Raises what making a channel ready raises."""
        for channel in self._channels.values():
            channel.prepare()
        ready = threading.Event()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._work, args=(ready,), name="courier", daemon=True)
        self._thread.start()
        ready.wait()

    def wake(self) -> None:
        """Look now; may be called from any thread."""
        loop, woken = self._loop, self._woken
        if loop is not None and woken is not None:
            try:
                loop.call_soon_threadsafe(woken.set)
            except RuntimeError:  # it has just ended
                return

    def stop(self) -> None:
        """End; attempts that take too long are given back, to be made again under the same id."""
        self._stopping.set()
        self.wake()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def run_once(self) -> int:
        """Carry out what is due until nothing is; how many attempts were made."""
        before = self.settled
        asyncio.run(self._empty())
        return self.settled - before

    # Inside

    def _work(self, ready: threading.Event) -> None:
        try:
            asyncio.run(self._serve(ready))
        except Exception:
            _log.exception("the courier's thread ended; wake-up calls carry out from now on")
        finally:
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        self._open()
        ready.set()
        renewing = asyncio.create_task(self._keep_leases())
        assert self._woken is not None  # noqa: S101 - made by _open
        try:
            while not self._stopping.is_set():
                self._woken.clear()
                wait_s = await self._look_safely()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), wait_s)
            await self._land()
        finally:
            renewing.cancel()
            self._close()

    async def _empty(self) -> None:
        self._open()
        renewing = asyncio.create_task(self._keep_leases())
        try:
            while True:
                await self._look()
                if not self._tasks:
                    return
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            renewing.cancel()
            self._close()

    def _open(self) -> None:
        self._flying.clear()
        self._tasks.clear()
        self._pool = ThreadPoolExecutor(REDIS_THREADS, thread_name_prefix="courier-redis")
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()

    def _close(self) -> None:
        self._loop = self._woken = None
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    async def _look_safely(self) -> float:
        try:
            wait_s = await self._look()
            self._outage.ended()
            return wait_s
        except RedisError as error:
            return max(0.5, self._outage.failed(error))
        except Exception:
            _log.exception("looking at the lanes raised")
        return 1.0

    async def _look(self) -> float:
        """Divide, take what is due and attempt it; how long one may wait for the next look, in seconds."""
        under_way = Counter(lane_id for lane_id, _ in self._flying)
        crowd = len(self._flying)
        most = 0 if crowd >= MOST_UNDER_WAY else 1 if crowd >= CROWDED else retry_schedule.AT_ONCE

        def room(lane: Lane) -> int:
            channel = self._channel_of(lane)
            begun = min(channel.begun, MOST_BEGUN) if channel else 0
            return 0 if under_way[lane.id] >= most + begun else most + begun

        claimed, next_at = await self._in_redis(lambda: self._divide_and_take(room))
        for one in claimed:
            self._flying[one.lane.id, one.notification_id] = one
            task = asyncio.create_task(self._carry(one))
            self._tasks.add(task)
            task.add_done_callback(self._landed)
        if next_at is None:
            return LOOK_AT_LEAST_S
        return min(LOOK_AT_LEAST_S, max(0.01, (next_at - self._clock()).total_seconds()))

    def _channel_of(self, lane: Lane) -> Channel | None:
        return self._channels.get(WEBHOOK if lane.subscriber else lane.id)

    def _divide_and_take(self, room: Callable[[Lane], int]) -> tuple[list[Lease], datetime | None]:
        self._lanes.divide()
        return self._lanes.take(room)

    def _landed(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if self._woken is not None:
            self._woken.set()

    async def _carry(self, claimed: Lease) -> None:
        try:
            await self._attempt(claimed)
        except RedisError as error:
            _log.warning(
                "an attempt could not be written down; it will be made again",
                extra={**claimed.fields, "error": repr(error)},
            )
        finally:
            self._flying.pop((claimed.lane.id, claimed.notification_id), None)

    async def _attempt(self, claimed: Lease) -> None:
        lane = claimed.lane
        began = self._clock()
        channel = self._channel_of(lane)
        try:
            if channel is None:
                raise RuntimeError("this lane has no channel")
            result = await channel.deliver(claimed)
        except asyncio.CancelledError:
            self._lanes.release(claimed)
            raise
        except RedisError:
            raise
        except Exception as error:
            _log.exception("delivering raised", extra=claimed.fields)
            result = Result(
                AttemptVerdict.AGAIN, 0, error=f"a fault of ours: {type(error).__name__}", counts=False
            )
        again_at, verdict = None, result.verdict
        if verdict is AttemptVerdict.AGAIN:
            now = self._clock()
            again_at = retry_schedule.next_attempt(claimed.tries, now, wish=result.wish, chance=self._chance)
            if again_at is None or lane.is_test:
                verdict = AttemptVerdict.DEAD
        elif verdict is AttemptVerdict.GONE and lane.is_test:
            verdict = AttemptVerdict.DEAD
        attempt = result.attempt(claimed, began, verdict)
        await self._in_redis(
            lambda: self._lanes.settle(
                claimed,
                verdict,
                attempt,
                again_at=again_at,
                counts=result.counts,
                asked=result.wish is not None,
            )
        )
        self.settled += 1
        await self._in_redis(lambda: self._follow(claimed, verdict, result))

    def _follow(self, claimed: Lease, verdict: AttemptVerdict, result: Result) -> None:
        """What a settled attempt means beyond its delivery."""
        fields = {
            **claimed.fields,
            "verdict": verdict.value,
            "status_code": result.status,
            "duration_ms": result.duration_ms,
        }
        if verdict is AttemptVerdict.DELIVERED:
            _log.info("a notification was delivered", extra=fields)
        elif verdict is AttemptVerdict.UNCERTAIN:
            _log.warning("a delivery is uncertain: not answered", extra={**fields, "error": result.error})
        else:
            _log.warning("a delivery failed", extra={**fields, "error": result.error})
        if verdict is AttemptVerdict.GONE:
            self._control.end(claimed.lane.id, removed=False)

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            flying: dict[str, list[str]] = {}
            for lane_id, id_ in self._flying:
                flying.setdefault(lane_id, []).append(id_)
            if not flying:
                continue
            try:
                await self._in_redis(lambda flying=flying: self._lanes.renew(flying))  # type: ignore[misc]
            except RedisError as error:
                _log.warning("leases could not be renewed", extra={"error": repr(error)})
            except Exception:
                _log.exception("renewing leases raised")

    async def _land(self) -> None:
        """Let what is under way come to its end for a moment, then give it back."""
        tasks = set(self._tasks)
        if not tasks:
            return
        await asyncio.wait(tasks, timeout=PATIENCE_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _in_redis(self, work: Callable[[], Done]) -> Done:
        """Run something that waits for Redis without keeping anybody else waiting."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)
