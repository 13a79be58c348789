"""Sending by libraries that block, where from some moment on a send cannot be taken back.

Each send has a daemon thread of its own: one that waits for an answer never keeps the process from ending.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from processor.delivery.lane import AttemptVerdict
from workers.delivery.channels.channel import Result


class CalledOff(Exception):
    """The process gave the send up before anything was sent."""


class PointOfNoReturn:
    """Whether one send has begun or was called off: it is never both. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun = self._called_off = False

    @property
    def begun(self) -> bool:
        """Whether the receiver may have it."""
        return self._begun

    def begin(self) -> None:
        """From now on the receiver may have it; raises :class:`CalledOff`."""
        with self._lock:
            if self._called_off:
                raise CalledOff
            self._begun = True

    def call_off(self) -> bool:
        """Keep the send from beginning; false when it has begun."""
        with self._lock:
            self._called_off = not self._begun
            return self._called_off


class BlockingSender:
    """Runs sends. A send may take ``begin_within_s`` until it begins, then ``answer_within_s``."""

    def __init__(self, name: str, *, begin_within_s: float, answer_within_s: float) -> None:
        self._name = name
        self._begin_within_s, self._answer_within_s = begin_within_s, answer_within_s
        self._under_way: set[PointOfNoReturn] = set()

    @property
    def begun(self) -> int:
        """How many sends have begun and wait for an answer."""
        return sum(handover.begun for handover in tuple(self._under_way))

    async def run(self, send: Callable[[PointOfNoReturn], Result]) -> Result:
        """The result of ``send``; ``uncertain`` where it began and we cannot wait for its end.

        Cancelled before it began, nothing is sent. Raises what ``send`` raises.
        """
        began, handover = time.monotonic(), PointOfNoReturn()
        self._under_way.add(handover)
        try:
            return await self._wait(self._in_thread(lambda: send(handover)), handover, began)
        except asyncio.CancelledError:
            if handover.call_off():
                raise
            return _uncertain(began, "the process ended before the answer came")
        finally:
            self._under_way.discard(handover)

    async def _wait(
        self, sending: "asyncio.Future[Result]", handover: PointOfNoReturn, began: float
    ) -> Result:
        done, _ = await asyncio.wait({sending}, timeout=self._begin_within_s)
        if not done and handover.call_off():
            error = f"not handed in within {self._begin_within_s:g} s"
            return Result(AttemptVerdict.AGAIN, _since(began), error=error)
        if not done:
            done, _ = await asyncio.wait({sending}, timeout=self._answer_within_s)
        if not done:
            return _uncertain(began, f"no answer within {self._answer_within_s:g} s")
        return sending.result()

    def _in_thread(self, send: Callable[[], Result]) -> "asyncio.Future[Result]":
        outcome: Future[Result] = Future()

        def run() -> None:
            try:
                outcome.set_result(send())
            except BaseException as error:
                outcome.set_exception(error)

        threading.Thread(target=run, name=self._name, daemon=True).start()
        sending = asyncio.wrap_future(outcome)
        sending.add_done_callback(lambda done: done.cancelled() or done.exception())
        return sending


def _uncertain(began: float, error: str) -> Result:
    return Result(AttemptVerdict.UNCERTAIN, _since(began), error=error)


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
