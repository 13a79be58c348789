"""Child processes that call home over TCP, for tests of supervisors.

A child keeps the line open: a line received says what it does, and the end of the line says that it is gone.
No test waits by the clock.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from processor.runtime.supervisor import Child

CHILD = """
import os, signal, socket, subprocess, sys, time
from processor.runtime.parent_watch import watch_parent

home, behaviour = int(sys.argv[1]), sys.argv[2]
line = socket.create_connection(("127.0.0.1", home))

def say(word):
    line.sendall(f"{word}\\n".encode())

def obey(*_):
    say("SIGTERM")
    sys.exit(0)

signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "stubborn" else obey)
watch_parent(grace_s=0.1 if behaviour == "stubborn" else 60)
if behaviour == "parent":
    grandchild = [sys.executable, "-c", "import time; time.sleep(1000)"]
    line.set_inheritable(True)
    subprocess.Popen(grandchild, close_fds=False)
say(f"{behaviour} {os.getpid()} {os.environ.get('WORD', '-')}")
if behaviour == "dying":
    sys.exit(3)
while True:
    time.sleep(1000)
"""

SUPERVISOR = """
import sys
from processor.runtime.supervisor import Child, Supervisor
children = [Child(name, (sys.executable, *sys.argv[1:4], name)) for name in sys.argv[4:]]
sys.exit(Supervisor(children).run())
"""

FORKING_SUPERVISOR = """
import sys
from functools import partial
from processor.runtime.parent_watch import orphan_check
from processor.runtime.supervisor import Child, Supervisor

code, home = sys.argv[2:4]

def run(name):
    sys.argv[1:] = [home, name]
    exec(code, {})
    return 0

children = [Child(name, ("/no/such/command",), target=partial(run, name)) for name in sys.argv[4:]]
sys.exit(Supervisor(children, is_orphaned=orphan_check()).run())
"""
"""The same with forks, without a command to start instead."""


@dataclass
class Call:
    """One child on the line."""

    behaviour: str
    pid: int
    word: str
    line: socket.socket

    def rest(self) -> str:
        """Everything it still says; returns when it, and whatever it left behind, is gone."""
        with self.line, self.line.makefile() as words:
            return words.read()


class Home:
    """Where children call."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(60)
        self.lines: list[socket.socket] = []

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def argv(self, behaviour: str) -> tuple[str, ...]:
        """The command of a child."""
        return (sys.executable, "-c", CHILD, str(self.port), behaviour)

    def child(self, behaviour: str, *, stop_after_s: float = 30.0) -> Child:
        """A child that calls here."""
        return Child(behaviour, self.argv(behaviour), {"WORD": f"for-{behaviour}"}, stop_after_s)

    def call(self) -> Call:
        """The next child's first words."""
        line, _ = self.socket.accept()
        line.settimeout(60)
        self.lines.append(line)
        greeting = b""
        while not greeting.endswith(b"\n"):
            byte = line.recv(1)
            assert byte, f"it ended after {greeting!r}"
            greeting += byte
        behaviour, pid, word = greeting.decode().split()
        return Call(behaviour, int(pid), word, line)

    def close(self) -> None:
        for line in self.lines:
            line.close()
        self.socket.close()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A number to call, with our modules within the children's reach."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    place = Home()
    yield place
    place.close()


@contextlib.contextmanager
def running(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, of which nothing is left afterwards."""
    with subprocess.Popen(
        argv,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def read_word(line: socket.socket) -> str:
    with line.makefile() as words:
        return words.readline().strip()
