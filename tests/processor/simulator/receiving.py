"""A product that only listens: what it was sent, and answers as it was told to."""

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from processor.simulator.server import stop_serving

_WAIT_S = 60.0


@dataclass(frozen=True)
class Received:
    """One request; header names are in lower case."""

    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that was sent."""
        result = json.loads(self.raw)
        assert isinstance(result, dict)
        return result

    @property
    def type(self) -> str:
        """The type as either generation names it."""
        return str(self.body.get("eventType") or self.body.get("RuleType"))


class Receiver:
    """Answers 202, or what ``answers`` holds first; the answer ``None`` never comes."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: deque[tuple[int, Mapping[str, str]] | None] = deque()
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/codat"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stopping.set()
        stop_serving(self._server)
        self._server.server_close()
        self._thread.join()

    def wait_for(self, number: int) -> list[Received]:
        """The first so many requests, once they are there."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.received) >= number, _WAIT_S), self.types()
            return self.received[:number]

    def types(self) -> list[str]:
        """The types of everything received, in order."""
        return [request.type for request in self.received]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                received = Received({name.lower(): value for name, value in self.headers.items()}, raw)
                with receiver._changed:
                    receiver.received.append(received)
                    answer = receiver.answers.popleft() if receiver.answers else (202, {})
                    receiver._changed.notify_all()
                if answer is None:
                    receiver._stopping.wait(_WAIT_S)
                    return
                status, headers = answer
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
