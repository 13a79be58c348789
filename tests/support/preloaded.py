"""Starts commands of the service in forks of a process that has imported it already.

Importing is most of what a start costs. That process has one thread, and a fork of it does what
``python -m`` does from there on: it has the given environment, folder and outputs, a session of its own, and
ends as an interpreter does. Elsewhere than on Linux a command starts as an interpreter.
"""

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("processor.__main__", "processor.cli.run", "processor.web", "workers.__main__")
MOST_BYTES = 1 << 16


class Forked:
    """A command in a fork, with those methods of ``Popen`` that tests use."""

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


Process = Forked | subprocess.Popen[bytes]

_lines: list[socket.socket] = []
"""The line to the process that is forked, once it was started."""

_starting = threading.Lock()


def start_anew(
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: IO[bytes],
    errors: IO[bytes] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start ``python -m WORDS``; it writes to ``output``, and leads a session of its own."""
    argv = [sys.executable, "-m", *words]
    return subprocess.Popen(
        argv, cwd=cwd, env=env, stdout=output, stderr=errors or output, start_new_session=True
    )


def start(
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: IO[bytes],
    errors: IO[bytes] | None = None,
) -> Process:
    """Do the same in a fork, which needs no import; what it writes to stderr goes to ``errors``."""
    if sys.platform != "linux":
        return start_anew(words, env=env, cwd=cwd, output=output, errors=errors)
    with _starting:
        if not _lines:
            _lines.append(_preload())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        request = json.dumps({"words": list(words), "env": dict(env), "cwd": str(cwd)}).encode()
        fds = [theirs.fileno(), output.fileno(), (errors or output).fileno()]
        socket.send_fds(_lines[0], [request], fds)
        theirs.close()
        return Forked(ours)


def run(
    words: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = start(words, env=env, cwd=cwd, output=output, errors=errors)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        texts = [os.pread(file.fileno(), MOST_BYTES, 0).decode() for file in (output, errors)]
    return subprocess.CompletedProcess(words, code, *texts)


def _preload() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(theirs.fileno())],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # no terminal: what a fork prints is buffered as in a file
        pass_fds=[theirs.fileno()],
        start_new_session=True,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(line: socket.socket) -> None:
    """Run commands in forks until the other end of the line is closed; returns in a fork too."""
    while True:
        data, fds, _, _ = socket.recv_fds(line, MOST_BYTES, 3)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not data:
            return
        if not os.fork():
            line.close()
            _run(json.loads(data), *fds)
            return
        for fd in fds:
            os.close(fd)


def _run(request: dict, report: int, *outputs: int) -> None:
    """Run a command in a fork of this fork, which waits for it and reports its pid and its exit code."""
    pid = os.fork()
    if pid:
        for fd in outputs:
            os.close(fd)
        os.write(report, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):
            os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(report)
    os.setsid()
    for number, fd in enumerate(outputs, 1):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    if "FAULT_POINTS" in os.environ:  # see tests/reliability/hook
        sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)
        sys.modules.pop("sitecustomize", None)
        import_module("sitecustomize")
    package, *words = request["words"]
    sys.argv[:] = [f"{package}/__main__.py", *words]
    main = import_module(f"{package}.__main__").main
    sys.exit(main() if package == "processor" else main(words))


if __name__ == "__main__":
    for name in MODULES:
        import_module(name)
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
