"""A process that does once what begins slowly, and then serves each request in a fork of itself.

It has one thread, so that a fork of it is whole. Only on Linux: elsewhere libraries of the system forbid it.
"""

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 1 << 16
MOST_FDS = 4
SECONDS_TO_END = 10


class Forked:
    """A process in a fork, with those methods of ``Popen`` that tests use."""

    def __init__(self, report: socket.socket) -> None:
        self._report = report.makefile("rb")
        self.returncode: int | None = None
        self.pid = int(self._report.readline())

    def poll(self) -> int | None:
        """The exit code, negative after a signal; ``None`` while the process runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; the exit code. Raises ``TimeoutExpired`` after ``timeout`` seconds."""
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            with self._report as report:
                self.returncode = int(report.readline())
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """A process that runs a module which calls ``serve``; it ends when nobody can send requests any more."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno()), *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # no terminal: what a fork prints is buffered as in a file
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self._end)

    def fork(self, request: dict[str, Any], *fds: int) -> Forked:
        """Serve a request in a fork, which gets these descriptors; forks of the caller may ask too."""
        sys.audit("os.fork")  # on behalf of the caller: see tests/conftest.py
        ours, theirs = socket.socketpair()
        with ours, theirs:
            socket.send_fds(self._line, [json.dumps(request).encode()], [theirs.fileno(), *fds])
            theirs.close()
            return Forked(ours)

    def _end(self) -> None:
        self._line.close()
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()


def serve(line: socket.socket, run: Callable[..., object]) -> None:
    """Call ``run`` with each request and its descriptors in a fork.

    Ends when every other end of the line is closed, and all forks have ended.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those who use the forks
    forks: set[int] = set()
    while True:
        data, fds, _, _ = socket.recv_fds(line, MOST_BYTES, MOST_FDS)
        forks = {pid for pid in forks if not os.waitpid(pid, os.WNOHANG if data else 0)[0]}
        if not data:
            return
        pid = os.fork()
        if not pid:
            line.close()
            _fork_again(*fds)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _end_with(partial(run, json.loads(data), *fds[1:]))
        forks.add(pid)
        for fd in fds:
            os.close(fd)


def _end_with(run: Callable[[], object]) -> None:
    """Run this, and end as an interpreter does but at once: taking all modules apart costs more than a fork.

    After an exception it is left to the interpreter.
    """
    code: Any = None
    try:
        run()
    except SystemExit as ended:
        code = ended.code
        if not isinstance(code, int | None):
            raise
    vars(threading)["_shutdown"]()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code or 0)


def _fork_again(report: int, *fds: int) -> None:
    """Return in a fork of this fork, which waits for it and reports its pid and its exit code."""
    pid = os.fork()
    if not pid:
        os.close(report)
        return
    for fd in fds:
        os.close(fd)
    os.write(report, b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):
        os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)
