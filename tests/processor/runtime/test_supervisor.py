"""Children are kept running and end together; every test runs real processes.

A child calls home over TCP and keeps the line open: a line received says what it does, and the
end of the line says that it is gone. Nothing here waits by the clock.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from processor.runtime.ports import claim_port, free_port, port_is_taken
from processor.runtime.supervisor import PARENT_FD, Child, Supervisor
from processor.runtime.web_server import STOP_AFTER_S
from tests.support.ports import own_port
from tests.support.service import is_alive, until

CHILD = """
import os, signal, socket, subprocess, sys, time
from processor.runtime.supervisor import watch_parent

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
        said = b""
        while not said.endswith(b"\n"):
            byte = line.recv(1)
            assert byte, f"it ended after {said!r}"
            said += byte
        behaviour, pid, word = said.decode().split()
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


def test_children_run_with_their_own_environment_and_end_by_sigterm(home: Home) -> None:
    with Supervisor([home.child("one"), home.child("two")]) as supervisor:
        calls = [home.call(), home.call()]
        assert {call.word for call in calls} == {"for-one", "for-two"}
        until(lambda: supervisor.pids() == {call.behaviour: call.pid for call in calls})
        assert all(os.getpgid(call.pid) == call.pid for call in calls)
    assert [call.rest() for call in calls] == ["SIGTERM\n", "SIGTERM\n"]
    assert supervisor.pids() == {}


def test_a_killed_child_is_started_again_and_the_others_stay(home: Home) -> None:
    with Supervisor([home.child("one"), home.child("two")]):
        first, second = sorted([home.call(), home.call()], key=lambda call: call.behaviour)
        os.kill(first.pid, signal.SIGKILL)
        again = home.call()
        assert again.behaviour == "one"
        assert again.pid != first.pid
        assert first.rest() == ""
    assert second.rest() == "SIGTERM\n"


def test_a_child_that_keeps_dying_is_started_again_and_again(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    with Supervisor([home.child("dying")]):
        pids = {home.call().pid for _ in range(4)}
    assert len(pids) == 4
    died = [record for record in caplog.records if record.message == "Process died and is started again"]
    assert len(died) >= 3
    assert vars(died[0])["child"] == "dying"
    assert vars(died[0])["exit_code"] == 3


def test_a_child_that_cannot_be_started_does_not_disturb_the_others(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    with Supervisor([Child("absent", ["/no/such/command"]), home.child("one")]):
        call = home.call()
    assert call.rest() == "SIGTERM\n"
    assert "Process could not be started" in caplog.messages


def test_a_child_that_does_not_end_in_time_is_killed(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    with Supervisor([home.child("stubborn", stop_after_s=0.05)]):
        call = home.call()
    assert call.rest() == ""
    assert "Process killed, for it did not end in time" in caplog.messages


def test_what_a_killed_child_left_behind_is_killed_too(home: Home) -> None:
    with Supervisor([home.child("parent")]):
        call = home.call()
        os.kill(call.pid, signal.SIGKILL)
        assert call.rest() == ""
        home.call()


def test_what_a_child_left_behind_when_it_ended_is_killed_too(home: Home) -> None:
    with Supervisor([home.child("parent")]):
        call = home.call()
    assert call.rest() == "SIGTERM\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_supervisor_ends_everything_with_exit_code_0(home: Home, number: int) -> None:
    with supervising(home, "one", "two") as supervisor:
        calls = [home.call(), home.call()]
        supervisor.send_signal(number)
        assert [call.rest() for call in calls] == ["SIGTERM\n", "SIGTERM\n"]
        assert supervisor.wait() == 0


SIGNALLED = """
import signal, sys, threading
from processor.runtime.supervisor import Child, Supervisor
def take_the_signal():
    sys.stdin.readline()
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
threading.Thread(target=take_the_signal, daemon=True).start()
child = "import time; print('ready', flush=True); time.sleep(1000)"
sys.exit(Supervisor([Child("one", (sys.executable, "-c", child), {}, 60.0)]).run())
"""


def test_a_signal_that_another_thread_takes_ends_the_supervisor_too() -> None:
    """Ctrl-C was lost now and then: the main thread waited on, until the next signal came."""
    with subprocess.Popen(
        [sys.executable, "-c", SIGNALLED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            process.stdin.write(b"now\n")
            process.stdin.close()
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_kill_9_of_the_supervisor_ends_its_children(home: Home) -> None:
    with supervising(home, "one", "stubborn", "parent") as supervisor:
        calls = {call.behaviour: call for call in (home.call(), home.call(), home.call())}
        supervisor.kill()
        assert calls["one"].rest() == "SIGTERM\n"
        assert calls["stubborn"].rest() == ""
        # Only its direct child hears of it; what that one starts is its own to end.
        assert read_word(calls["parent"].line) == "SIGTERM"
        os.killpg(calls["parent"].pid, signal.SIGKILL)


def test_a_process_started_by_hand_watches_nobody(home: Home) -> None:
    with running(home.argv("one")) as process:
        call = home.call()
        process.terminate()
        assert call.rest() == "SIGTERM\n"


def test_a_child_that_is_told_of_a_pipe_it_does_not_have_runs_all_the_same(home: Home) -> None:
    with running(home.argv("one"), env={**os.environ, PARENT_FD: "999"}) as process:
        call = home.call()
        process.terminate()
        assert call.rest() == "SIGTERM\n"


def test_a_port_is_taken_while_somebody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert port_is_taken("127.0.0.1", port)
    assert not port_is_taken("127.0.0.1", port)
    assert not port_is_taken("127.0.0.1", free_port("127.0.0.1"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="claims are Linux's abstract sockets")
def test_a_port_that_is_claimed_is_nobody_elses_until_it_is_given_back() -> None:
    port = free_port("127.0.0.1")
    claim = claim_port("127.0.0.1", port, "web")
    assert claim is not None
    assert claim_port("127.0.0.1", port, "web") is None
    other = claim_port("127.0.0.2", port, "web")
    assert other is not None
    other.close()
    claim.close()
    again = claim_port("127.0.0.1", port, "web")
    assert again is not None
    again.close()


def test_a_host_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(OSError, match=r"assign requested address"):
        free_port("192.0.2.1")


APPLICATION = """
import json, os, sys
from processor.web.rsgi import RsgiGateway
def create():
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"pid": os.getpid(), "threads": environ["wsgi.multithread"]}).encode()]
    return RsgiGateway(application, threads=4, max_body_bytes=1000)
"""

SERVER = """
import sys
from processor.runtime import logs
from processor.runtime.supervisor import watch_parent
from processor.runtime.web_server import serve
from processor.settings.loading import load_from_environment
logs.configure(stream=sys.stdout)
watch_parent()
serve(load_from_environment(), "wsgi_for_test:create")
"""


SLOW_APPLICATION = """
import os, socket, time
def create():
    line = socket.create_connection(("127.0.0.1", int(os.environ["HOME_PORT"])))
    line.sendall(f"loading {os.getpid()} -\\n".encode())
    time.sleep(1000)
"""


REFUSED = "refused to gracefully stop"
"""What granian says of a process that it kills after ``STOP_AFTER_S``, and at once of one whose end
another of its threads was slow to take note of."""


def test_the_web_server_answers_replaces_dead_processes_and_ends_by_sigterm(tmp_path: Path) -> None:
    port = own_port()
    with serving(tmp_path, APPLICATION, PORT=str(port), WEB_CONCURRENCY="1") as server:
        assert server.stdout is not None
        listening = json.loads(server.stdout.readline())
        assert listening["message"] == "Listening"
        assert listening["address"] == f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port)) as line:
            first = ask(line)
            assert ask(line) == first
            os.kill(first, signal.SIGKILL)
        assert ask_until_answered(port, other_than=first)
        began = time.monotonic()
        server.terminate()
        assert server.wait() == 0
        assert REFUSED not in said_since(began, server)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_web_server_ends_at_once_while_its_processes_load_the_application(
    home: Home, tmp_path: Path, number: int
) -> None:
    """Until then they had the parent's handlers: a signal was lost, and the server ended by killing them.

    That both load it was no matter of course either: one hung where a thread imported something at its fork.
    """
    environ = {"PORT": str(own_port()), "WEB_CONCURRENCY": "2", "HOME_PORT": str(home.port)}
    with serving(tmp_path, SLOW_APPLICATION, **environ) as server:
        calls = [home.call(), home.call()]
        began = time.monotonic()
        server.send_signal(number)
        assert [call.rest() for call in calls] == ["", ""]
        assert server.wait() == 0
        assert said_since(began, server) == ""


def test_kill_9_of_the_supervisor_ends_a_web_server_whose_processes_load_the_application(
    home: Home, tmp_path: Path
) -> None:
    write = tmp_path / "server.py"
    write.write_text(SERVER)
    (tmp_path / "wsgi_for_test.py").write_text(SLOW_APPLICATION)
    env = environment(tmp_path, PORT=str(own_port()), WEB_CONCURRENCY="2", HOME_PORT=str(home.port))
    supervise = SUPERVISOR.replace("*sys.argv[1:4]", "*sys.argv[1:]").replace("sys.argv[4:]", "['web']")
    with running([sys.executable, "-c", supervise, str(write)], env=env, cwd=tmp_path) as supervisor:
        calls = [home.call(), home.call()]
        began = time.monotonic()
        supervisor.kill()
        assert [call.rest() for call in calls] == ["", ""]
        assert REFUSED not in said_since(began, supervisor)


@pytest.mark.parametrize("application", [APPLICATION, SLOW_APPLICATION], ids=["serving", "loading"])
def test_kill_9_of_a_web_server_without_a_supervisor_ends_its_processes(
    home: Home, tmp_path: Path, application: str
) -> None:
    """They went on serving for ever, and no other server could be started on that port."""
    port = own_port()
    environ = {"PORT": str(port), "WEB_CONCURRENCY": "1", "HOME_PORT": str(home.port)}
    with serving(tmp_path, application, **environ) as server:
        child = ask_until_answered(port, other_than=0) if application == APPLICATION else home.call().pid
        server.kill()
        until(lambda: not is_alive(child))
    assert not port_is_taken("127.0.0.1", port)


def said_since(began: float, process: subprocess.Popen[str]) -> str:
    """What a process that ends wrote to the last, without what granian says too soon."""
    took_s = time.monotonic() - began
    assert process.stdout is not None
    return "".join(line for line in process.stdout if REFUSED not in line or took_s >= STOP_AFTER_S)


def serving(
    folder: Path, application: str, **environ: str
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    """Our web server with an application, in a process of its own."""
    (folder / "wsgi_for_test.py").write_text(application)
    return running([sys.executable, "-c", SERVER], env=environment(folder, **environ), cwd=folder)


def environment(folder: Path, **environ: str) -> dict[str, str]:
    """What the web server needs, and nothing of ours."""
    path = os.pathsep.join([str(folder), *sys.path])
    return {**os.environ, "PYTHONPATH": path, "CODAT_ALERT_AUTHORIZATIONS": "Basic abc", **environ}


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


def supervising(home: Home, *behaviours: str) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    """A supervisor in a process of its own."""
    return running([sys.executable, "-c", SUPERVISOR, "-c", CHILD, str(home.port), *behaviours])


def read_word(line: socket.socket) -> str:
    with line.makefile() as words:
        return words.readline().strip()


def ask_until_answered(port: int, *, other_than: int) -> int:
    """Ask a server whose only process was killed: what that had in its queue is lost with it."""
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
                if (pid := ask(line)) != other_than:
                    return pid
        except ConnectionError:
            time.sleep(0.01)


def ask(line: socket.socket) -> int:
    """The id of the process that answers."""
    line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    said = b""
    while b"}" not in said:
        more = line.recv(4096)
        if not more:
            raise ConnectionError(said)
        said += more
    return int(json.loads(said[said.index(b"{") : said.index(b"}") + 1])["pid"])
