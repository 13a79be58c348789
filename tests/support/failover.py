"""A name in front of servers, as a failover leaves it: new connections go to whichever is the primary now."""

import contextlib
import socket
import threading
from collections.abc import Iterator

from tests.support.ports import HOST


class Proxy:
    """Passes connections on to ``target``, a port of this machine; those that exist stay where they are."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._server = socket.create_server((HOST, 0))
        self.port = int(self._server.getsockname()[1])
        self._lines: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The name."""
        return f"redis://{HOST}:{self.port}/0"

    def close(self) -> None:
        """End it with all its connections."""
        for line in (self._server, *self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._server.accept()
                try:
                    server = socket.create_connection((HOST, self.target))
                except OSError:
                    caller.close()
                    continue
                self._lines += [caller, server]
                for source, sink in ((caller, server), (server, caller)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for line in (source, sink):
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A name for the server on the port ``target``."""
    made = Proxy(target)
    try:
        yield made
    finally:
        made.close()
