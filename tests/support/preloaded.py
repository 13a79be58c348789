"""Starts commands of the service in forks of a process that has imported it already.

Importing is most of what a start costs. A fork does what ``python -m`` does from there on: it has the given
environment, folder and outputs, a session of its own, and ends as an interpreter does. Elsewhere than on
Linux a command starts as an interpreter.
"""

import gc
import os
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

from tests.support.forking import Forked, ForkServer, serve

MODULES = ("processor.__main__", "processor.cli.run", "processor.web", "workers.__main__")
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
    request = {"words": list(words), "env": dict(env), "cwd": str(cwd)}
    return server().fork(request, output.fileno(), (errors or output).fileno())


def server() -> ForkServer:
    """The process that is forked. It imports nothing before its first request."""
    with _starting:
        if not _servers:
            _servers.append(ForkServer(__name__))
        return _servers[0]


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


def _run(request: dict, *outputs: int) -> None:
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as line:
        if line.recv(1, socket.MSG_PEEK):
            for name in MODULES:
                import_module(name)
            gc.freeze()
            serve(line, _run)
