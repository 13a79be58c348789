"""Starts child processes, keeps them running, and ends them together.

Each child leads a process group of its own: Ctrl-C in a terminal reaches the supervisor alone, which
then decides in what order the children hear of it. A child inherits the reading end of a pipe
whose other end dies with the supervisor; :func:`watch_parent` in the child turns that into
SIGTERM, so that ``kill -9`` of the supervisor leaves nothing behind.
"""

import contextlib
import logging
import math
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from processor.runtime.watchdog import PULSE_FD, Watchdog

log = logging.getLogger(__name__)

PARENT_FD = "CODAT_PROCESSOR_PARENT_FD"
"""Names, in a child's environment, the pipe that tells it that its supervisor is gone."""

BACKOFF_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""How long a child that died again and again waits for its next start; the last one repeats."""

ATTENTIVE_S = 1.0
"""How long the main thread waits at a time. The system may give a signal to another thread: its handler then
runs when this one wakes, and not before."""

HEALTHY_AFTER_S = 10.0
"""A child that lived so long begins again with the first of these waits."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep running.

    ``env`` is added to our own environment; ``stop_after_s`` is how long it may take to end
    after SIGTERM before it is killed. One that is ``watched`` says that it makes progress
    (``processor.runtime.watchdog``) and is killed and started again when it does not.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_after_s: float = 10.0
    watched: bool = False


@dataclass(frozen=True, slots=True)
class _Ended:
    index: int
    pid: int
    code: int


class _Stop:
    pass


class Supervisor:
    """Keeps children running until it is told to stop.

    Either ``run()``, which blocks until a signal asks for the end, or ``start()`` and ``stop()`` around
    something else (also as a context manager).
    """

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = tuple(children)
        self._happenings: queue.SimpleQueue[_Ended | _Stop] = queue.SimpleQueue()
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._started_at: dict[int, float] = {}
        self._deaths = [0] * len(self._children)
        self._due: dict[int, float] = {}
        self._pipe: tuple[int, int] | None = None
        self._watchdog = Watchdog()
        self._thread: threading.Thread | None = None

    def run(self, signals: "StopSignals | None" = None) -> int:
        """Run until a signal asks for the end; from the main thread only. Returns the exit code 0.

        ``signals`` are those of a context that is wider than this call, if there is one.
        """
        if signals is None:
            with StopSignals() as own:
                return self.run(own)
        signals.call(self.request_stop)
        self._supervise()
        return 0

    def start(self) -> None:
        """Run in a thread of its own."""
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End all children and wait until they are gone."""
        self.request_stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def request_stop(self) -> None:
        """Ask for the end without waiting for it; safe in a signal handler."""
        self._happenings.put(_Stop())

    def pids(self) -> dict[str, int]:
        """The running children's process ids by name."""
        return {self._children[index].name: process.pid for index, process in self._running.copy().items()}

    def __enter__(self) -> "Supervisor":
        """Start."""
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop."""
        self.stop()

    def _supervise(self) -> None:
        self._pipe = os.pipe()
        try:
            for index in range(len(self._children)):
                self._launch(index)
            self._keep_running()
        finally:
            self._end_all()
            for end in self._pipe:
                os.close(end)

    def _keep_running(self) -> None:
        while True:
            due_s = min(self._due.values(), default=math.inf) - time.monotonic()
            wait_s = max(0.0, min(due_s, ATTENTIVE_S))
            try:
                happening = self._happenings.get(timeout=wait_s)
            except queue.Empty:
                self._kill_hung()
                for index in [index for index, at in self._due.items() if at <= time.monotonic()]:
                    del self._due[index]
                    self._launch(index)
                continue
            if isinstance(happening, _Stop):
                return
            self._bury(happening)

    def _kill_hung(self) -> None:
        """Kill children that make no progress; their end is noted like any other."""
        for index in self._watchdog.hung():
            process = self._running[index]
            log.error(
                "Process hangs and is killed",
                extra={"child": self._children[index].name, "pid": process.pid},
            )
            self._watchdog.close(index)
            _kill_group(process.pid)

    def _launch(self, index: int) -> None:
        child = self._children[index]
        assert self._pipe is not None  # noqa: S101 - opened before the first launch
        env = {**os.environ, **child.env, PARENT_FD: str(self._pipe[0])}
        passed = [self._pipe[0]]
        if child.watched:
            passed.append(self._watchdog.open(index))
            env[PULSE_FD] = str(passed[-1])
        self._started_at[index] = time.monotonic()
        try:
            process = subprocess.Popen(
                list(child.argv),
                env=env,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=passed,
            )
        except OSError:
            log.exception("Process could not be started", extra={"child": child.name})
            self._watchdog.close(index)
            self._postpone(index)
            return
        finally:
            for fd in passed[1:]:
                os.close(fd)
        self._running[index] = process
        log.info("Process started", extra={"child": child.name, "pid": process.pid})
        threading.Thread(target=self._await, args=(index, process), daemon=True).start()

    def _await(self, index: int, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        self._happenings.put(_Ended(index, process.pid, code))

    def _bury(self, ended: _Ended) -> None:
        """Take note of a child's end, and plan its next start."""
        self._running.pop(ended.index)
        self._watchdog.close(ended.index)
        _kill_group(ended.pid)
        log.error(
            "Process died and is started again",
            extra={"child": self._children[ended.index].name, "pid": ended.pid, "exit_code": ended.code},
        )
        self._postpone(ended.index)

    def _postpone(self, index: int) -> None:
        """Plan the next start of a child that died."""
        lived_s = time.monotonic() - self._started_at[index]
        self._deaths[index] = 0 if lived_s >= HEALTHY_AFTER_S else self._deaths[index]
        wait_s = BACKOFF_S[min(self._deaths[index], len(BACKOFF_S) - 1)]
        self._deaths[index] += 1
        self._due[index] = time.monotonic() + wait_s

    def _end_all(self) -> None:
        """SIGTERM to all, the last started first; SIGKILL to those that take too long."""
        self._due.clear()
        began = time.monotonic()
        for index in sorted(self._running, reverse=True):
            self._running[index].terminate()
        for index in sorted(self._running, reverse=True):
            child, process = self._children[index], self._running.pop(index)
            try:
                process.wait(max(0.0, began + child.stop_after_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("Process killed, for it did not end in time", extra={"child": child.name})
                _kill_group(process.pid)
                process.wait()
            _kill_group(process.pid)
        log.info("All processes ended", extra={"children": [child.name for child in self._children]})


class StopSignals:
    """Catches SIGTERM, SIGINT and SIGHUP as long as the context lasts, however often they come.

    From the main thread only. SIGHUP stays ignored where it is (``nohup``).
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._callback: Callable[[], None] | None = None
        self._asked = False

    def call(self, callback: Callable[[], None]) -> None:
        """Call this when a signal comes; at once if one has come already."""
        self._callback = callback
        if self._asked:
            callback()

    def wait(self) -> None:
        """Wait until one comes."""
        asked = queue.SimpleQueue[None]()
        self.call(lambda: asked.put(None))
        while not self._asked:
            with contextlib.suppress(queue.Empty):
                asked.get(timeout=ATTENTIVE_S)

    def __enter__(self) -> "StopSignals":
        """Catch them."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exc: object) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, *_: object) -> None:
        self._asked = True
        if self._callback is not None:
            self._callback()


def watch_parent(grace_s: float = 8.5) -> None:
    """In a supervised child: end when the supervisor is gone, with SIGTERM, and SIGKILL after ``grace_s``.

    Does nothing in a process that was started by hand. Call it once, before starting processes.
    """
    number = os.environ.pop(PARENT_FD, None)
    if number is None:
        return
    fd = int(number)
    try:
        os.set_inheritable(fd, False)
    except OSError:
        return

    end_with_writer(fd, "Supervisor is gone: ending", grace_s)


def end_with_writer(fd: int, saying: str, grace_s: float) -> None:
    """End this process when nobody can write to the pipe ``fd`` any more: the parent held its other end.

    With SIGTERM, and after ``grace_s`` with SIGKILL, to the whole group where this process leads one.
    """

    def watch() -> None:
        with contextlib.suppress(OSError):
            os.read(fd, 1)
        log.error(saying)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_s)
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _kill_group(pid: int) -> None:
    """What a child left behind in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
