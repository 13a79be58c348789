"""A queue of calls that are due at given times, with its own threads."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


_Entry = tuple[float, int, Callable[[], None]]
"""When it is due, its number, which tells those of one time apart, and what is called."""


class Agenda:
    """Runs what it is given when it is due, in the order of due times and then of entry.

    The threads wait on one condition and are daemons; they begin with the first entry and end with ``stop``.
    With ``threads=1`` nothing overlaps. What an entry raises is logged and ends that entry alone.
    Delays are real seconds by the monotonic clock, whatever clock the world has.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        self._name = name
        self._threads_wanted = threads
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._entries: list[_Entry] = []
        self._numbers = itertools.count()
        self._running = 0
        self._stopping = False

    def add(self, act: Callable[[], None], *, in_s: float = 0.0) -> None:
        """Have ``act`` called ``in_s`` seconds from now; nothing happens after ``stop``."""
        with self._changed:
            if self._stopping:
                return
            heapq.heappush(self._entries, (time.monotonic() + in_s, next(self._numbers), act))
            if not self._threads:
                self._begin()
            self._changed.notify_all()

    def size(self) -> int:
        """How many entries wait or run."""
        with self._changed:
            return len(self._entries) + self._running

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until nothing waits or runs; ``False`` when the time is over before."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._entries and not self._running, timeout_s)

    def clear(self) -> None:
        """Forget what is not yet due; what runs goes on."""
        with self._changed:
            self._entries.clear()
            self._changed.notify_all()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Forget what is not yet due and wait for what runs, for ``timeout_s`` seconds at most."""
        with self._changed:
            self._stopping = True
            self._entries.clear()
            self._changed.notify_all()
        end = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))

    def _begin(self) -> None:
        for number in range(self._threads_wanted):
            thread = threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (act := self._next()) is not None:
            try:
                act()
            except Exception:
                log.exception("An entry of the simulator's agenda failed", extra={"agenda": self._name})
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._stopping:
                wait_s = self._entries[0][0] - time.monotonic() if self._entries else None
                if wait_s is not None and wait_s <= 0:
                    self._running += 1
                    return heapq.heappop(self._entries)[-1]
                self._changed.wait(wait_s)
            return None
