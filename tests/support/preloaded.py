"""Starts commands of the service in forks of a process that has imported it already.

Importing is most of what a start costs. A fork does what ``python -m`` does from there on: it has the given
environment, folder, input and outputs, a session of its own, and ends as an interpreter does. A program of a
test, ``-c TEXT``, is started in the same way. Elsewhere than on Linux both start as an interpreter.
"""

import gc
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import IO

from tests.support.forking import Forked, ForkServer, serve

MODULES = ("processor.__main__", "processor.cli.demo", "processor.web", "workers.__main__")
MOST_BYTES = 1 << 16

Process = Forked | subprocess.Popen[bytes]

_servers: list[ForkServer] = []
"""The process that is forked, once it was started."""

_starting = threading.Lock()


def start_anew(
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: IO[bytes],
    errors: IO[bytes] | None = None,
    stdin: IO[bytes] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start ``python -m WORDS``; it writes to ``output``, and leads a session of its own."""
    argv = [sys.executable, *([] if words[0] == "-c" else ["-m"]), *words]
    return subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=stdin,
        stdout=output,
        stderr=errors or output,
        start_new_session=True,
    )


def start(
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: IO[bytes],
    errors: IO[bytes] | None = None,
    stdin: IO[bytes] | None = None,
) -> Process:
    """Do the same in a fork, which needs no import; what it writes to stderr goes to ``errors``."""
    if sys.platform != "linux":
        return start_anew(words, env=env, cwd=cwd, output=output, errors=errors, stdin=stdin)
    request = {"words": list(words), "env": dict(env), "cwd": str(cwd)}
    files = (output, errors or output, *([stdin] if stdin else []))
    return server().fork(request, *(file.fileno() for file in files))


def server() -> ForkServer:
    """The process that is forked. It imports nothing before its first request."""
    with _starting:
        if not _servers:
            _servers.append(ForkServer(__name__))
        return _servers[0]


@contextmanager
def running(
    words: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdin: IO[bytes] | None = None
) -> Iterator[tuple[Process, IO[str]]]:
    """A command and what it prints, until the context ends: it and its process group are killed then."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as printed:
        with os.fdopen(write_end, "wb") as output:
            process = start(words, env=env, cwd=cwd, output=output, stdin=stdin)
        try:
            yield process, printed
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()  # it may lead no group yet
            process.wait()


def run(
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    timeout: float = 60,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end; what it printed is read unless it goes to ``stdout``."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = start(words, env=env, cwd=cwd, output=stdout or output, errors=errors, stdin=stdin)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        texts = [os.pread(file.fileno(), MOST_BYTES, 0).decode() for file in (output, errors)]
    return subprocess.CompletedProcess(words, code, *texts)


def _run(request: dict, *fds: int) -> None:
    os.setsid()
    for fd, number in zip(fds, (1, 2, 0), strict=False):
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
    if package == "-c":
        sys.path.insert(0, "")
        sys.argv[:] = [package, *words[1:]]
        exec(words[0], {"__name__": "__main__"})  # noqa: S102 a text of the test
        return
    sys.argv[:] = [f"{package}/__main__.py", *words]
    main = import_module(f"{package}.__main__").main
    sys.exit(main() if package == "processor" else main(words))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as line:
        if line.recv(1, socket.MSG_PEEK):
            for name in MODULES:
                import_module(name)
            gc.freeze()
            serve(line, _run)
