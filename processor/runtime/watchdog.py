"""Detects processes that hang: each reports through a pipe that its work makes progress.

The supervisor holds the reading ends (:class:`Watchdog`), each child a writing end (:class:`Pulse`). Slow
work, such as a request to Codat, announces beforehand how long it may take.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable

PULSE_FD = "CODAT_PROCESSOR_PULSE_FD"
"""The environment variable with the number of the pipe on which a child reports progress."""

PROGRESS_TIMEOUT_S = 20.0
"""The longest time between two steps of work, in seconds, unless the work announces more."""

HUNG_AFTER_S = 20.0
"""A child without a report for this long counts as hung, in seconds; a healthy one reports each second."""

STARTUP_S = 60.0
"""The additional time for the first report of a child, in seconds."""

SUSPENDED_AFTER_S = 5.0
"""If the supervisor itself did not run for this long, the whole machine was suspended: no child is blamed."""

REPORT_INTERVAL_S = 1.0


class Watchdog:
    """The supervisor's half. Children are identified by their index."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pipes: dict[int, int] = {}
        self._heard_at: dict[int, float] = {}
        self._checked_at = clock()

    def open(self, index: int) -> int:
        """Watch a child that is about to start; the writing end for the child, which the caller closes."""
        self.close(index)
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        self._pipes[index] = reading
        self._heard_at[index] = self._clock() + STARTUP_S
        return writing

    def close(self, index: int) -> None:
        """Stop watching a child."""
        if index in self._pipes:
            os.close(self._pipes.pop(index))
            del self._heard_at[index]

    def pipes(self) -> list[int]:
        """The reading ends, which a forked child closes."""
        return list(self._pipes.values())

    def hung(self) -> list[int]:
        """The children that hang. Call it every second, or more often."""
        now = self._clock()
        was_suspended = now - self._checked_at > SUSPENDED_AFTER_S
        self._checked_at = now
        for index, pipe in self._pipes.items():
            if _read(pipe):
                self._heard_at[index] = now
            elif was_suspended:
                self._heard_at[index] = max(now, self._heard_at[index])
        return [index for index, at in self._heard_at.items() if now - at > HUNG_AFTER_S]


class Pulse:
    """The child's half: ``beat`` at each step of the work."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deadline = clock() + PROGRESS_TIMEOUT_S

    def beat(self, within_s: float = PROGRESS_TIMEOUT_S) -> None:
        """Report progress; the next step follows within ``within_s`` seconds."""
        self._deadline = self._clock() + within_s

    def silent_s(self) -> float:
        """The time without progress in seconds; from ``PROGRESS_TIMEOUT_S`` on the process counts as hung."""
        return max(0.0, PROGRESS_TIMEOUT_S - (self._deadline - self._clock()))

    def report_to_supervisor(self) -> None:
        """Report to the supervisor, if there is one, every second while there is progress, in a thread."""
        number = os.environ.pop(PULSE_FD, None)
        if number is None:
            return
        pipe = int(number)
        os.set_inheritable(pipe, False)
        os.set_blocking(pipe, False)
        threading.Thread(target=self._report, args=(pipe,), name="pulse", daemon=True).start()

    def _report(self, pipe: int) -> None:
        while True:
            if self.silent_s() < PROGRESS_TIMEOUT_S:
                with contextlib.suppress(OSError):  # full: the supervisor is suspended; broken: it is gone
                    os.write(pipe, b".")
            time.sleep(REPORT_INTERVAL_S)


def _read(pipe: int) -> bool:
    try:
        return bool(os.read(pipe, 65_536))
    except BlockingIOError:
        return False
