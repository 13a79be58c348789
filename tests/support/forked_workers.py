"""Starts the workers of pytest-xdist in forks of a process that has imported their tests already.

Each worker collects all tests, and importing the service, the tests and their tools is most of that. One
process collects the tests of the run; what it has imported is there in its forks, which from there on do what
an interpreter does that pytest-xdist starts.
"""

import gc
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from execnet import XSpec, gateway_io
from execnet.gateway_base import ExecModel, Popen2IO

from tests.support import preloaded
from tests.support.forking import ROOT, ForkServer, serve


class ForkedIO(Popen2IO):
    """The pipes to a worker in a fork, for execnet."""

    def __init__(self, server: ForkServer, execmodel: ExecModel) -> None:
        their_input, our_output = os.pipe()
        our_input, their_output = os.pipe()
        self._process = server.fork({}, their_input, their_output)
        os.close(their_input)
        os.close(their_output)
        super().__init__(os.fdopen(our_output, "wb"), os.fdopen(our_input, "rb"), execmodel)

    def wait(self) -> int | None:
        """Wait for its end."""
        return self._process.wait()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


def fork_workers(config: pytest.Config) -> None:
    """Let all workers of this run start in forks."""
    if sys.platform != "linux":
        return
    server = ForkServer(__name__, str(Path.cwd()), "-m", config.option.markexpr, *config.args)
    create_io = gateway_io.create_io

    def create(spec: XSpec, execmodel: ExecModel) -> Any:
        return ForkedIO(server, execmodel) if spec.popen and not spec.python else create_io(spec, execmodel)

    vars(gateway_io)["create_io"] = create


class Collecting:
    """Whether all modules were imported to their ends: pytest finds the half of one again, and no error."""

    is_whole = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what was not collected."""
        self.is_whole &= report.passed


def _work(_: dict, their_input: int, their_output: int) -> None:
    """Be the interpreter that execnet starts: it runs what the first line of its input says."""
    for fd, place in ((their_input, 0), (their_output, 1)):
        os.dup2(fd, place)
        os.close(fd)
    sys.argv[:] = ["-c"]
    exec(eval(sys.stdin.readline()), {"__name__": "__main__"})  # noqa: S102, S307 it sends only this


if __name__ == "__main__":
    number, folder, *arguments = sys.argv[1:]
    os.chdir(folder)
    if arguments:
        collecting = Collecting()
        pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *arguments], plugins=[collecting])
        if not collecting.is_whole:  # begin anew with nothing imported: each worker is to meet the error
            os.chdir(ROOT)
            again = [sys.executable, "-m", "tests.support.forked_workers", number, folder]
            os.execv(sys.executable, again)  # noqa: S606 - these words are ours
    with socket.socket(fileno=int(number)) as line:
        preloaded.server()
        gc.freeze()
        serve(line, _work)
