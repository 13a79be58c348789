"""Closes connections on which no request comes.

The server has one limit for the first request and for the pause between two, and proxies want a long pause
(Heroku's router 90 s). A stranger who opens connections and says nothing would hold each as long. So a
thread looks every few seconds through the open sockets of this process and closes those whose caller has
not finished a first request head in time. On systems without ``/proc`` the server's limit alone counts.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

FIRST_REQUEST_WITHIN_S = 15.0
LOOK_EVERY_S = 5.0
OPEN_FILES = Path("/proc/self/fd")


class ConnectionReaper:
    """Knows which callers have sent a request, by ``address:port``, and closes the connections of others."""

    def __init__(self, within_s: float = FIRST_REQUEST_WITHIN_S) -> None:
        self._within_s = within_s
        self._spoke: set[str] = set()
        self._silent_since: dict[str, float] = {}
        self._missed: set[str] = set()

    def start(self) -> None:
        """Look from now on, in a thread that ends with the process."""
        if OPEN_FILES.is_dir():
            threading.Thread(target=self._run, name="connection-reaper", daemon=True).start()

    def spoke(self, caller: str) -> None:
        """Note that the head of a request came from ``caller``."""
        self._spoke.add(_without_zone(caller))

    def reap(self, now_s: float) -> None:
        """Close the connections that have been silent for too long at ``now_s``, a monotonic time."""
        known = set(self._spoke)
        callers = dict(_connections())
        missed = known - callers.keys()
        self._spoke -= missed & self._missed  # one look may miss a connection that is there
        self._missed = missed
        silent = callers.keys() - self._spoke
        self._silent_since = {caller: self._silent_since.get(caller, now_s) for caller in silent}
        for caller, since_s in self._silent_since.items():
            if now_s - since_s >= self._within_s and caller not in self._spoke:
                _close(callers[caller], caller)

    def _run(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            self.reap(time.monotonic())


def _connections() -> Iterator[tuple[str, int]]:
    """The callers that are connected to this process, each with the number of its socket."""
    found: list[tuple[int, str, int]] = []
    listening = set()
    for number in [int(path.name) for path in OPEN_FILES.iterdir()]:
        with _borrowed(number) as line:
            if line is None or line.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            port = line.getsockname()[1]
            if line.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                listening.add(port)
            else:
                with contextlib.suppress(OSError):  # not connected any more
                    found.append((port, _caller(line), number))
    return ((caller, number) for port, caller, number in found if port in listening)


@contextlib.contextmanager
def _borrowed(number: int) -> Iterator[socket.socket | None]:
    """The open file ``number`` as a socket, which stays open; ``None`` where it is none."""
    try:
        line = socket.socket(fileno=number)
    except OSError:
        yield None
        return
    try:
        yield line
    finally:
        line.detach()


def _close(number: int, caller: str) -> None:
    with _borrowed(number) as line, contextlib.suppress(OSError):
        if line is not None and _caller(line) == caller:  # the number may be another's by now
            line.shutdown(socket.SHUT_RDWR)


def _caller(line: socket.socket) -> str:
    """The other end, as the server writes it."""
    host, port, *_ = line.getpeername()
    return _without_zone(f"[{host}]:{port}" if line.family == socket.AF_INET6 else f"{host}:{port}")


def _without_zone(caller: str) -> str:
    host, zone, rest = caller.partition("%")
    return f"{host}]{rest.partition(']')[2]}" if zone else caller
