"""Notices processes that hang: each says through a pipe that its work makes progress.

A supervisor holds the reading ends (:class:`Watchdog`), each child a writing end (:class:`Pulse`). What is
slow on purpose, as waiting for Codat, says beforehand how long it may take.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable

PULSE_FD = "CODAT_PROCESSOR_PULSE_FD"
"""Names, in a child's environment, the pipe by which it says that it makes progress."""

WELL_FOR_S = 20.0
"""How long work may take between two signs of progress unless it says otherwise, in seconds."""

HUNG_AFTER_S = 20.0
"""A child that was silent for so long hangs, in seconds; it says every second that it is well."""

START_S = 60.0
"""How much longer a child may take until its first sign of life."""

STOOD_STILL_S = 5.0
"""A supervisor that did not look for so long stood still itself, with the whole machine: nobody is blamed."""

BEAT_S = 1.0


class Watchdog:
    """The supervisor's half. Children are known by their index."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pipes: dict[int, int] = {}
        self._heard_at: dict[int, float] = {}
        self._looked_at = clock()

    def open(self, index: int) -> int:
        """Begin to watch a child that is about to start; the pipe's end to pass to it and to close here."""
        self.close(index)
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        self._pipes[index] = reading
        self._heard_at[index] = self._clock() + START_S
        return writing

    def close(self, index: int) -> None:
        """Watch a child no more."""
        if index in self._pipes:
            os.close(self._pipes.pop(index))
            del self._heard_at[index]

    def hung(self) -> list[int]:
        """The children that hang; to be called every second."""
        now = self._clock()
        stood_still = now - self._looked_at > STOOD_STILL_S
        self._looked_at = now
        for index, pipe in self._pipes.items():
            if _read(pipe):
                self._heard_at[index] = now
            elif stood_still:
                self._heard_at[index] = max(now, self._heard_at[index])
        return [index for index, at in self._heard_at.items() if now - at > HUNG_AFTER_S]


class Pulse:
    """The child's half: ``beat`` at each step of the work."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = clock() + WELL_FOR_S

    def beat(self, within_s: float = WELL_FOR_S) -> None:
        """The work makes progress; it does so again within so many seconds."""
        self._until = self._clock() + within_s

    def silent_s(self) -> float:
        """How long ago the last sign of progress counts as given, in seconds; ``WELL_FOR_S`` is too long."""
        return max(0.0, WELL_FOR_S - (self._until - self._clock()))

    def tell_supervisor(self) -> None:
        """Tell the supervisor, if there is one, every second as long as there is progress, in a thread."""
        number = os.environ.pop(PULSE_FD, None)
        if number is None:
            return
        pipe = int(number)
        os.set_inheritable(pipe, False)
        os.set_blocking(pipe, False)
        threading.Thread(target=self._tell, args=(pipe,), name="pulse", daemon=True).start()

    def _tell(self, pipe: int) -> None:
        while True:
            if self.silent_s() < WELL_FOR_S:
                with contextlib.suppress(OSError):  # full: it stands still; broken: it is gone
                    os.write(pipe, b".")
            time.sleep(BEAT_S)


def _read(pipe: int) -> bool:
    try:
        return bool(os.read(pipe, 65_536))
    except BlockingIOError:
        return False
