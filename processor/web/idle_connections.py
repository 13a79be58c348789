"""Closes connections that never send a request.

The server has one time limit for the first request and for the pause between two requests, and proxies need
a long pause (Heroku's router 90 s). A thread therefore checks the open sockets of this process every few
seconds and closes those without a complete first request head. Without ``/proc`` only the server's limit
applies.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

FIRST_REQUEST_WITHIN_S = 15.0
CHECK_EVERY_S = 5.0
OPEN_FILES = Path("/proc/self/fd")


class ConnectionReaper:
    """Tracks which callers, by ``address:port``, have sent a request, and closes the other connections."""

    def __init__(self, within_s: float = FIRST_REQUEST_WITHIN_S) -> None:
        self._within_s = within_s
        self._active: set[str] = set()
        self._silent_since: dict[str, float] = {}
        self._missing: set[str] = set()

    def start(self) -> None:
        """Start the checks in a daemon thread."""
        if OPEN_FILES.is_dir():
            threading.Thread(target=self._run, name="connection-reaper", daemon=True).start()

    def note_request(self, caller: str) -> None:
        """Note that ``caller`` sent a request head; what is known of an earlier one at its port is void."""
        caller = _without_zone(caller)
        self._active.add(caller)
        self._missing.discard(caller)
        self._silent_since.pop(caller, None)

    def reap(self, now_s: float) -> None:
        """Close the connections that are silent for too long at ``now_s``, a monotonic time."""
        active = set(self._active)
        try:
            callers = dict(_connections())
        except OSError:  # no file descriptor is left to list them with; the next check may have one
            return
        missing = active - callers.keys()
        self._active -= missing & self._missing  # a single check may miss an open connection
        self._missing = missing
        silent = callers.keys() - self._active
        self._silent_since = {caller: self._silent_since.get(caller, now_s) for caller in silent}
        for caller, since_s in list(self._silent_since.items()):
            if now_s - since_s >= self._within_s and caller not in self._active:
                _close(callers[caller], caller)

    def _run(self) -> None:
        while True:
            time.sleep(CHECK_EVERY_S)
            self.reap(time.monotonic())


def _connections() -> Iterator[tuple[str, int]]:
    """The callers connected to this process, each with its file descriptor."""
    connections: list[tuple[int, str, int]] = []
    listening = set()
    for descriptor in [int(path.name) for path in OPEN_FILES.iterdir()]:
        with _borrowed_socket(descriptor) as sock, contextlib.suppress(OSError):  # closed meanwhile
            if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            port = sock.getsockname()[1]
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                listening.add(port)
            else:
                connections.append((port, _caller(sock), descriptor))
    return ((caller, descriptor) for port, caller, descriptor in connections if port in listening)


@contextlib.contextmanager
def _borrowed_socket(descriptor: int) -> Iterator[socket.socket | None]:
    """The descriptor as a socket, which stays open; ``None`` when it is not a socket."""
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError:
        yield None
        return
    try:
        yield sock
    finally:
        sock.detach()


def _close(descriptor: int, caller: str) -> None:
    with _borrowed_socket(descriptor) as sock, contextlib.suppress(OSError):
        if sock is not None and _caller(sock) == caller:  # the descriptor may be in use again
            sock.shutdown(socket.SHUT_RDWR)


def _caller(sock: socket.socket) -> str:
    """The peer's address in the server's notation."""
    host, port, *_ = sock.getpeername()
    return _without_zone(f"[{host}]:{port}" if sock.family == socket.AF_INET6 else f"{host}:{port}")


def _without_zone(caller: str) -> str:
    host, zone, rest = caller.partition("%")
    return f"{host}]{rest.partition(']')[2]}" if zone else caller
