"""Receivers on free ports of this machine: what they were sent, and answers as they were told."""

import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from processor.simulator.server import stop_serving

WAIT_S = 60.0
"""Far longer than anything takes."""


@dataclass(frozen=True)
class Received:
    """One request; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def id(self) -> str:
        """The notification's id."""
        return self.headers["webhook-id"]


Answering = Callable[[BaseHTTPRequestHandler], None]
MakeReceiver = Callable[..., "Receiver"]


def status(code: int, body: bytes = b"", **headers: str) -> Answering:
    """An ordinary answer."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        if code != 204:
            handler.wfile.write(body)

    return answer


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection instead of an answer."""
    handler.close_connection = True


class Receiver:
    """Answers ``always``, or what ``answers`` holds first; ``gate`` keeps answers back while it is closed.

    ``keeps_alive``: connections stay open after an answer; ``callers`` has the other end of each.
    """

    def __init__(
        self,
        always: Answering | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        keeps_alive: bool = False,
    ) -> None:
        self.received: list[Received] = []
        self.callers: set[Any] = set()
        self._version = "HTTP/1.1" if keeps_alive else "HTTP/1.0"
        self.always = always or status(204)
        self.answers: deque[Answering] = deque()
        self.gate = threading.Event()
        self.gate.set()
        self.most_at_once = 0
        self._now = 0
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_port
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self.gate.set()
        stop_serving(self._server)
        self._server.server_close()
        self._thread.join()

    def wait_for(self, number: int) -> list[Received]:
        """The first so many requests, once they are there."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.received) >= number, WAIT_S), len(self.received)
            return self.received[:number]

    @property
    def ids(self) -> list[str]:
        """The ids of everything received, in order."""
        return [request.id for request in self.received]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = receiver._version

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with receiver._changed:
                    receiver.callers.add(self.client_address)
                    receiver.received.append(Received(self.path, headers, raw))
                    receiver._now += 1
                    receiver.most_at_once = max(receiver.most_at_once, receiver._now)
                    answer = receiver.answers.popleft() if receiver.answers else receiver.always
                    receiver._changed.notify_all()
                receiver.gate.wait(WAIT_S)
                with receiver._changed:  # before the answer: who has it may send the next at once
                    receiver._now -= 1
                try:
                    answer(self)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Receivers are left in the middle of an answer on purpose."""


@contextmanager
def nobody() -> Iterator[str]:
    """An address on which nobody listens, and nobody else can meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/hook"


@contextmanager
def receivers() -> Iterator[MakeReceiver]:
    """Makes receivers; all of them end with the block."""
    started: list[Receiver] = []

    def make(always: Answering | None = None, **how: Any) -> Receiver:
        started.append(Receiver(always, **how))
        return started[-1]

    yield make
    for receiver in started:
        receiver.stop()
