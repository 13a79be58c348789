"""A load generator: many kept-alive connections from one thread, as fast as answered or at a fixed rate."""

import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support import messages
from tests.support.percentile import percentile
from tests.support.serving import ADDRESS

LIMIT_S = 120.0
_ENOUGH = 65_536


@dataclass(slots=True)
class LoadResult:
    """What became of the requests."""

    elapsed_s: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    """From the moment a request was due (at a fixed rate) or sent, to its whole answer."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies_s) / self.elapsed_s

    def latency_ms(self, share: float) -> float:
        """The latency that ``share`` of the requests do not exceed."""
        return percentile(self.latencies_s, share) * 1000


@dataclass(slots=True)
class _Line:
    sock: socket.socket
    since: float = 0.0
    received: bytes = b""


def message(event_id: str, body: bytes) -> bytes:
    """An authentic message of Codat's as a whole request; valid for five minutes."""
    fields = {"Host": "bench", "Content-Length": str(len(body)), **messages.signed(body, event_id)}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {ADDRESS} HTTP/1.1\r\n{head}\r\n".encode() + body


def send(
    port: int, requests: Sequence[bytes], *, connections: int = 16, rate: float | None = None
) -> LoadResult:
    """Send each of ``requests`` (whole, with head) once; ``rate`` a second, or as fast as they are answered.

    Raises ``TimeoutError`` if it takes longer than ``LIMIT_S``, ``ConnectionError`` if a connection ends.
    """
    selector = selectors.DefaultSelector()
    lines = [_Line(socket.create_connection(("127.0.0.1", port))) for _ in range(connections)]
    for line in lines:
        line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(line.sock, selectors.EVENT_READ, line)
    idle, result, sent = deque(lines), LoadResult(), 0
    began = time.perf_counter()
    try:
        while len(result.latencies_s) < len(requests):
            now = time.perf_counter()
            if now - began > LIMIT_S:
                raise TimeoutError(f"{len(result.latencies_s)} of {len(requests)} answered")
            while idle and sent < len(requests):
                due = now if rate is None else began + sent / rate
                if due > now:
                    break
                line = idle.popleft()
                line.since, line.received = due, b""
                line.sock.sendall(requests[sent])
                sent += 1
            pause = 1.0 if rate is None else max(0.0, min(1.0, began + sent / rate - now))
            for key, _ in selector.select(pause):
                line = key.data
                chunk = line.sock.recv(_ENOUGH)
                if not chunk:
                    raise ConnectionError("the server closed a connection")
                line.received += chunk
                status = _whole(line.received)
                if status is not None:
                    result.statuses[status] += 1
                    result.latencies_s.append(time.perf_counter() - line.since)
                    idle.append(line)
    finally:
        selector.close()
        for line in lines:
            line.sock.close()
    result.elapsed_s = time.perf_counter() - began
    return result


def _whole(received: bytes) -> int | None:
    """The status of a whole answer, else ``None``."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return None
    for field_ in head.split(b"\r\n")[1:]:
        name, _, value = field_.partition(b":")
        if name.lower() == b"content-length" and len(body) < int(value):
            return None
    return int(head.split(b" ", 2)[1])
