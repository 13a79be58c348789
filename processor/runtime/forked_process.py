"""Runs a function in a fork of this process, which shares the modules that are loaded already.

Only a process with one thread may fork: a lock that another thread holds at that moment stays locked in the
child. The system is asked for the number, because libraries have threads of which Python knows nothing.
"""

import atexit
import contextlib
import gc
import multiprocessing
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from processor.runtime import stop_signals

_THREADS = Path("/proc/self/task")
_NAME = Path("/proc/self/comm")
"""The name of this process in ``ps -o comm`` and ``top``; the arguments are those of the parent."""


def may_fork() -> bool:
    """Whether this process may fork: it has one thread, on Linux. Elsewhere a fork without exec is unsafe."""
    return _THREADS.is_dir() and len(list(_THREADS.iterdir())) == 1


class ForkedProcess:
    """A forked child that leads a process group, with those methods of ``Popen`` that a supervisor uses.

    The child has ``env`` in addition to our environment, closes ``close_fds``, and ends with the exit code
    that ``target`` returns.
    """

    def __init__(
        self, name: str, target: Callable[[], int], *, env: Mapping[str, str], close_fds: Sequence[int]
    ) -> None:
        gc.freeze()  # a collection in a child would write to, and so copy, everything that is shared
        self._process = multiprocessing.get_context("fork").Process(
            name=name, target=_run, args=(name, target, env, close_fds)
        )
        stop_signals.block()
        try:
            self._process.start()
        finally:
            stop_signals.unblock()
        assert self._process.pid is not None  # noqa: S101 - it was started
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """The exit code, negative after a signal; ``None`` while the process runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; the exit code. Raises ``TimeoutExpired`` after ``timeout`` seconds."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return code

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()


def _run(name: str, target: Callable[[], int], env: Mapping[str, str], close_fds: Sequence[int]) -> None:
    os.setsid()
    stop_signals.reset()
    for fd in close_fds:
        os.close(fd)
    os.environ.update(env)
    with contextlib.suppress(OSError):
        _NAME.write_text(name)
    # As Python itself does from 3.13 on: what the parent registered is not for us to do, and what we register
    # (the last report of an error, the last spans) is done at our end.
    atexit._clear()
    try:
        raise SystemExit(target())
    finally:
        atexit._run_exitfuncs()
