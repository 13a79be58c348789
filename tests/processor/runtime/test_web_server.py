"""The web server as real processes."""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from processor.runtime.ports import port_is_taken
from tests.processor.runtime.conftest import SUPERVISOR, Home, running
from tests.support import preloaded
from tests.support.ports import own_port
from tests.support.service import is_alive, until

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
from processor.runtime.parent_watch import watch_parent
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
"""What granian says of a process that it kills."""


def test_the_web_server_answers_replaces_dead_processes_and_ends_by_sigterm(tmp_path: Path) -> None:
    port = own_port()
    with serving(tmp_path, APPLICATION, PORT=str(port), WEB_CONCURRENCY="1") as (server, printed):
        listening = json.loads(printed.readline())
        assert listening["message"] == "Listening"
        assert listening["address"] == f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port)) as line:
            first = ask(line)
            assert ask(line) == first
            os.kill(first, signal.SIGKILL)
        assert ask_until_answered(port, other_than=first)
        server.terminate()
        assert server.wait() == 0
        assert REFUSED not in printed.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_web_server_ends_at_once_while_its_processes_load_the_application(
    home: Home, tmp_path: Path, number: int
) -> None:
    """Until then they had the parent's handlers: a signal was lost, and the server ended by killing them.

    That both load it was no matter of course either: one hung where a thread imported something at its fork.
    """
    environ = {"PORT": str(own_port()), "WEB_CONCURRENCY": "2", "HOME_PORT": str(home.port)}
    with serving(tmp_path, SLOW_APPLICATION, **environ) as (server, printed):
        calls = [home.call(), home.call()]
        server.send_signal(number)
        assert [call.rest() for call in calls] == ["", ""]
        assert server.wait() == 0
        assert printed.read() == ""


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
        supervisor.kill()
        assert [call.rest() for call in calls] == ["", ""]
        assert supervisor.stdout is not None
        assert REFUSED not in supervisor.stdout.read()


@pytest.mark.parametrize("application", [APPLICATION, SLOW_APPLICATION], ids=["serving", "loading"])
def test_kill_9_of_a_web_server_without_a_supervisor_ends_its_processes(
    home: Home, tmp_path: Path, application: str
) -> None:
    """They went on serving for ever, and no other server could be started on that port."""
    port = own_port()
    environ = {"PORT": str(port), "WEB_CONCURRENCY": "1", "HOME_PORT": str(home.port)}
    with serving(tmp_path, application, **environ) as (server, _):
        child = ask_until_answered(port, other_than=0) if application == APPLICATION else home.call().pid
        server.kill()
        until(lambda: not is_alive(child))
    assert not port_is_taken("127.0.0.1", port)


def serving(
    folder: Path, application: str, **environ: str
) -> contextlib.AbstractContextManager[tuple[preloaded.Process, IO[str]]]:
    """Our web server with an application, in a process of its own, and what it prints."""
    (folder / "wsgi_for_test.py").write_text(application)
    return preloaded.running(["-c", SERVER], env=environment(folder, **environ), cwd=folder)


def environment(folder: Path, **environ: str) -> dict[str, str]:
    """What the web server needs, and nothing of ours."""
    path = os.pathsep.join([str(folder), *sys.path])
    return {**os.environ, "PYTHONPATH": path, "CODAT_ALERT_AUTHORIZATIONS": "Basic abc", **environ}


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
    text = b""
    while b"}" not in text:
        more = line.recv(4096)
        if not more:
            raise ConnectionError(text)
        text += more
    return int(json.loads(text[text.index(b"{") : text.index(b"}") + 1])["pid"])
