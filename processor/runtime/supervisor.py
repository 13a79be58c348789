"""Starts child processes, restarts those that end, and stops them together.

Each child leads a process group: Ctrl-C in a terminal reaches only the supervisor, which stops the
children in order. A child inherits the reading end of a pipe whose other end closes with the supervisor;
:func:`~processor.runtime.parent_watch.watch_parent` turns that into SIGTERM, so that no child survives
``kill -9`` of the supervisor. A child with a ``target`` is forked where that is safe, and shares the modules
that the supervisor has loaded.
"""

import contextlib
import logging
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from processor.runtime.forked_process import ForkedProcess, may_fork
from processor.runtime.parent_watch import PARENT_FD
from processor.runtime.stop_signals import StopSignals
from processor.runtime.watchdog import PULSE_FD, Watchdog

log = logging.getLogger(__name__)

CHECK_INTERVAL_S = 0.1
"""How often the supervisor looks after its children, in seconds. It needs no thread for that, and a process
with one thread may fork."""

BACKOFF_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Delays before a child that keeps ending is started again, in seconds; the last one repeats."""

HEALTHY_AFTER_S = 10.0
"""A child that ran for this long starts again with the first delay."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep running.

    ``env`` is added to our environment; ``stop_after_s`` is the time between SIGTERM and SIGKILL. A
    ``watched`` child reports its progress (``processor.runtime.watchdog``); without progress it is killed and
    started again. ``target`` does the same as ``argv`` in a fork, and returns the exit code.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_after_s: float = 10.0
    watched: bool = False
    target: Callable[[], int] | None = None


class Supervisor:
    """Keeps children running until it is stopped, or until ``is_orphaned`` returns true.

    ``on_launched`` is called when all were started: from then on this process may have other threads.

    Use ``run()``, which blocks until a stop signal, or ``start()`` and ``stop()``; also a context manager.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        is_orphaned: Callable[[], bool] = lambda: False,
        on_launched: Callable[[], None] = lambda: None,
    ) -> None:
        self._children = tuple(children)
        self._is_orphaned, self._on_launched = is_orphaned, on_launched
        self._stop_requests: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._running: dict[int, subprocess.Popen[bytes] | ForkedProcess] = {}
        self._started_at: dict[int, float] = {}
        self._deaths = [0] * len(self._children)
        self._restart_at: dict[int, float] = {}
        self._pipe: tuple[int, int] | None = None
        self._watchdog = Watchdog()
        self._thread: threading.Thread | None = None

    def run(self, signals: StopSignals | None = None) -> int:
        """Run until a stop signal, in the main thread only; the exit code 0.

        ``signals`` is an enclosing context of the caller, if there is one.
        """
        if signals is None:
            with StopSignals() as signals:
                return self.run(signals)
        signals.call(self.request_stop)
        self._supervise()
        return 0

    def start(self) -> None:
        """Run in a thread."""
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop all children and wait until they have ended."""
        self.request_stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def request_stop(self) -> None:
        """Request the stop without waiting; safe in a signal handler."""
        self._stop_requests.put(None)

    def pids(self) -> dict[str, int]:
        """The process ids of the running children, by name."""
        return {self._children[index].name: process.pid for index, process in self._running.copy().items()}

    def __enter__(self) -> "Supervisor":
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _supervise(self) -> None:
        self._pipe = os.pipe()
        try:
            for index in range(len(self._children)):
                self._launch(index)
            self._on_launched()
            self._keep_running()
        finally:
            self._stop_all()
            for end in self._pipe:
                os.close(end)

    def _keep_running(self) -> None:
        while not self._is_orphaned():
            with contextlib.suppress(queue.Empty):
                self._stop_requests.get(timeout=CHECK_INTERVAL_S)
                return
            for index, process in list(self._running.items()):
                code = process.poll()
                if code is not None:
                    self._handle_end(index, process.pid, code)
            self._kill_hung()
            for index in [index for index, at in self._restart_at.items() if at <= time.monotonic()]:
                del self._restart_at[index]
                self._launch(index)
        log.error("Supervisor is gone: ending")

    def _kill_hung(self) -> None:
        """Kill children that make no progress; they are started again like any other."""
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
        pass_fds = [self._pipe[0]]
        env = {**child.env, PARENT_FD: str(self._pipe[0])}
        if child.watched:
            pass_fds.append(self._watchdog.open(index))
            env[PULSE_FD] = str(pass_fds[-1])
        self._started_at[index] = time.monotonic()
        try:
            if child.target is not None and may_fork():
                ours = [self._pipe[1], *self._watchdog.pipes()]
                process: subprocess.Popen[bytes] | ForkedProcess = ForkedProcess(
                    child.name, child.target, env=env, close_fds=ours
                )
            else:
                process = subprocess.Popen(
                    list(child.argv),
                    env={**os.environ, **env},
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    pass_fds=pass_fds,
                )
        except OSError:
            log.exception("Process could not be started", extra={"child": child.name})
            self._watchdog.close(index)
            self._schedule_restart(index)
            return
        finally:
            for fd in pass_fds[1:]:
                os.close(fd)
        self._running[index] = process
        log.info("Process started", extra={"child": child.name, "pid": process.pid})

    def _handle_end(self, index: int, pid: int, code: int) -> None:
        """Schedule the next start of a child that ended."""
        del self._running[index]
        self._watchdog.close(index)
        _kill_group(pid)
        log.error(
            "Process died and is started again",
            extra={"child": self._children[index].name, "pid": pid, "exit_code": code},
        )
        self._schedule_restart(index)

    def _schedule_restart(self, index: int) -> None:
        """Set when the child is started again."""
        uptime_s = time.monotonic() - self._started_at[index]
        self._deaths[index] = 0 if uptime_s >= HEALTHY_AFTER_S else self._deaths[index]
        delay_s = BACKOFF_S[min(self._deaths[index], len(BACKOFF_S) - 1)]
        self._deaths[index] += 1
        self._restart_at[index] = time.monotonic() + delay_s

    def _stop_all(self) -> None:
        """Send SIGTERM to all, the last started first, and SIGKILL to those that do not end in time."""
        self._restart_at.clear()
        stopped_at = time.monotonic()
        for index in sorted(self._running, reverse=True):
            self._running[index].terminate()
        for index in sorted(self._running, reverse=True):
            child, process = self._children[index], self._running.pop(index)
            try:
                process.wait(max(0.0, stopped_at + child.stop_after_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("Process killed, for it did not end in time", extra={"child": child.name})
                _kill_group(process.pid)
                process.wait()
            _kill_group(process.pid)
        log.info("All processes ended", extra={"children": [child.name for child in self._children]})


def _kill_group(pid: int) -> None:
    """Kill the processes that a child left in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
