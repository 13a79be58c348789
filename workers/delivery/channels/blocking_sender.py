"""Runs sends of blocking libraries that cannot be called off after some point.

Each send has a daemon thread, so that a send that awaits a reply never keeps the process from ending.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from processor.clock import elapsed_ms
from processor.delivery.lane import AttemptVerdict
from workers.delivery.channels.sender import AttemptResult


class SendCancelled(Exception):
    """The process called the send off before anything was sent."""


class PointOfNoReturn:
    """Either a send passes this point, or it is called off, never both. Thread-safe.

    ``passed``: the receiver may have the delivery.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.passed = self._called_off = False

    def enter(self) -> None:
        """Pass the point: the receiver may have the delivery from now on. Raises :class:`SendCancelled`."""
        with self._lock:
            if self._called_off:
                raise SendCancelled
            self.passed = True

    def call_off(self) -> bool:
        """Prevent the send from passing the point; false when it has passed."""
        with self._lock:
            self._called_off = not self.passed
            return self._called_off


class BlockingSender:
    """Runs sends that may take ``begin_within_s`` to the point of no return, and then ``reply_within_s``."""

    def __init__(self, name: str, *, begin_within_s: float, reply_within_s: float) -> None:
        self._name = name
        self._begin_within_s, self._reply_within_s = begin_within_s, reply_within_s
        self._under_way: set[PointOfNoReturn] = set()

    @property
    def awaiting_reply(self) -> int:
        """The number of sends past the point of no return."""
        return sum(point.passed for point in tuple(self._under_way))

    async def run(self, send: Callable[[PointOfNoReturn], AttemptResult]) -> AttemptResult:
        """The result of ``send``, or ``uncertain`` where it passed the point and does not end in time.

        Cancelled before that point, nothing is sent. Raises what ``send`` raises.
        """
        began, point = time.monotonic(), PointOfNoReturn()
        self._under_way.add(point)
        try:
            return await self._wait(self._in_thread(lambda: send(point)), point, began)
        except asyncio.CancelledError:
            if point.call_off():
                raise
            return _uncertain(began, "the process ended before the answer came")
        finally:
            self._under_way.discard(point)

    async def _wait(
        self, sending: "asyncio.Future[AttemptResult]", point: PointOfNoReturn, began: float
    ) -> AttemptResult:
        done, _ = await asyncio.wait({sending}, timeout=self._begin_within_s)
        if not done and point.call_off():
            error = f"not handed in within {self._begin_within_s:g} s"
            return AttemptResult(AttemptVerdict.AGAIN, elapsed_ms(began), error=error)
        if not done:
            done, _ = await asyncio.wait({sending}, timeout=self._reply_within_s)
        if not done:
            return _uncertain(began, f"no answer within {self._reply_within_s:g} s")
        return sending.result()

    def _in_thread(self, send: Callable[[], AttemptResult]) -> "asyncio.Future[AttemptResult]":
        outcome: Future[AttemptResult] = Future()

        def run() -> None:
            try:
                outcome.set_result(send())
            except BaseException as error:
                outcome.set_exception(error)

        threading.Thread(target=run, name=self._name, daemon=True).start()
        sending = asyncio.wrap_future(outcome)
        sending.add_done_callback(lambda done: done.cancelled() or done.exception())
        return sending


def _uncertain(began: float, error: str) -> AttemptResult:
    return AttemptResult(AttemptVerdict.UNCERTAIN, elapsed_ms(began), error=error)
