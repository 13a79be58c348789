"""Bytes on a connection to the real server: in pieces, joined, and requests whose end two readers see apart.

The first line of an input says into pieces of how many bytes the rest is cut.
"""

import contextlib
import re
import socket
from collections.abc import Mapping

import h11

from tests.attack.fuzz.targets import Target
from tests.support.messages import AUTHORIZATION
from tests.support.ports import HOST
from tests.support.serving import ADDRESS

LIMIT_S = 60.0
"""How long the server may keep a connection whose sender has finished, in seconds."""

REFUSALS = frozenset({400, 401, 404, 405, 408, 413, 414, 415, 422, 429, 431, 501, 503, 505})
GOOD = frozenset({200, 202, 301, 302, 303, 304, 308})

NEXT = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


def _post(*rows: bytes, body: bytes = b"", first: bytes = b"POST %s HTTP/1.1" % ADDRESS.encode()) -> bytes:
    return b"\r\n".join((first, b"Host: a", *rows, b"", b"")) + body


def _chunked(body: bytes, *rows: bytes) -> bytes:
    return _post(b"Transfer-Encoding: chunked", *rows, body=body)


_EMPTY = b"0\r\n\r\n"

REFUSED: Mapping[str, bytes] = {
    "two lengths": _post(b"Content-Length: 0", b"Content-Length: %d" % len(NEXT)),
    "a list of lengths": _post(b"Content-Length: 2, 2", body=b"{}"),
    "a length with a sign": _post(b"Content-Length: +2", body=b"{}"),
    "a negative length": _post(b"Content-Length: -1", body=b"{}"),
    "a hexadecimal length": _post(b"Content-Length: 0x2", body=b"{}"),
    "a length beyond 64 bits": _post(b"Content-Length: 18446744073709551618", body=b"{}"),
    "a space before the colon": _post(b"Content-Length : 2", body=b"{}"),
    "a length and chunks": _chunked(_EMPTY, b"Content-Length: %d" % len(_EMPTY + NEXT)),
    "chunks and a length": _chunked(b"%x\r\n%s\r\n%s" % (len(NEXT), NEXT, _EMPTY), b"Content-Length: 4"),
    "an unknown coding": _post(b"Transfer-Encoding: xchunked", b"Content-Length: 2", body=b"{}"),
    "a coding that ends nothing": _post(b"Transfer-Encoding: chunked, identity", body=_EMPTY),
    "two codings": _post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=_EMPTY),
    "a coding in quotes": _post(b'Transfer-Encoding: "chunked"', body=_EMPTY),
    "a coding behind a control character": _post(b"Transfer-Encoding:\x0bchunked", body=_EMPTY),
    "a folded coding": _post(b"Transfer-Encoding:\r\n chunked", body=_EMPTY),
    "chunks in HTTP/1.0": _post(
        b"Transfer-Encoding: chunked", body=_EMPTY, first=b"POST %s HTTP/1.0" % ADDRESS.encode()
    ),
    "a bare CR": _post(b"A: b\rContent-Length: 5"),
    "a NUL": _post(b"A: b\x00c"),
    "a chunk beyond 64 bits": _chunked(b"10000000000000002\r\n{}\r\n" + _EMPTY),
    "a negative chunk": _chunked(b"-2\r\n{}\r\n" + _EMPTY),
    "a chunk with a prefix": _chunked(b"0x2\r\n{}\r\n" + _EMPTY),
    "chunks ended by LF": _chunked(b"2\n{}\n0\n\n"),
    "an extension ended by LF": _chunked(b"2;a\n{}\r\n" + _EMPTY),
    "more than the chunk": _chunked(b"2\r\n{}xx\r\n" + _EMPTY),
    "a length in the trailer": _chunked(b"0\r\nContent-Length: 9\r\n\r\n"),
    "500 headers": _post(*(b"X-%d: a" % number for number in range(500))),
    "a header of 200 kB": _post(b"A: " + b"x" * 200_000),
    "an address of 100 kB": b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 100_000),
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "no host but that of the address": b"GET http://a/healthz HTTP/1.1\r\n\r\n",
    "a message without a host": b"POST %s HTTP/1.1\r\nAuthorization: %s\r\nContent-Length: 2\r\n\r\n{}"
    % (ADDRESS.encode(), AUTHORIZATION.encode()),
    "a host as the address": b"GET a HTTP/1.1\r\n\r\n",
}
"""Requests that are answered once, with a refusal; what follows on the connection is never read."""

READ: Mapping[str, bytes] = {
    "the same length twice": _post(b"Content-Length: 2", b"Content-Length: 2", body=b"{}"),
    "a name with an underscore": _post(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=_EMPTY),
    "a coding behind a tab": _post(b"Transfer-Encoding:\tchunked", body=_EMPTY),
    "lines ended by LF": _post(b"Content-Length: 2").replace(b"\r\n", b"\n") + b"{}",
    "an extension of a chunk": _chunked(b"2;a=b\r\n{}\r\n" + _EMPTY),
    "a body of a GET": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(NEXT), NEXT),
    "an upgrade to HTTP/2": _post(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 0"),
    "a tunnel": b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "an expectation": _post(b"Expect: 100-continue", b"Content-Length: 2", body=b"{}"),
    "five at once": NEXT.replace(b"Connection: close\r\n", b"") * 5,
}
"""Requests with one reading: the next one on the connection is answered as well, and nothing else."""


def answers(port: int, data: bytes, *, piece: int = 0, patience_s: float = LIMIT_S) -> list[int]:
    """The statuses of all answers until the server closes the connection.

    ``data`` is sent in pieces of so many bytes, at once by default. After ``patience_s`` without an answer
    we close our side, which ends what the server waits for.
    """
    received, step = b"", piece or len(data) or 1
    with (
        socket.create_connection((HOST, port), timeout=LIMIT_S) as line,
        contextlib.suppress(ConnectionError),
    ):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):  # the server may close it at any point
            for at in range(0, len(data), step):
                line.sendall(data[at : at + step])
        line.settimeout(patience_s)
        part = b"x"
        while part:
            try:
                part = line.recv(65536)
                received += part
            except TimeoutError:
                if line.gettimeout() == LIMIT_S:
                    raise
                line.settimeout(LIMIT_S)
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_WR)
    assert not received or received.startswith(b"HTTP/1."), received[:100]
    return [status for status in map(int, _STATUS.findall(received)) if status >= 200]


def whole_requests(data: bytes) -> int:
    """How many requests a strict reader sees in ``data``; empty lines before one are no part of it."""
    count = 0
    while data := data.lstrip(b"\r\n"):
        reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1_000_000)
        reader.receive_data(data)
        try:
            while not isinstance(event := reader.next_event(), h11.EndOfMessage):
                if not isinstance(event, (h11.Request, h11.Data)):
                    return count
                count += isinstance(event, h11.Request)
        except h11.ProtocolError:
            return count
        if reader.their_state is h11.MUST_CLOSE:
            return count
        data = reader.trailing_data[0]
    return count


def of_server(port: int) -> dict[str, Target]:
    """The target for the server on this port."""

    def attempt(data: bytes) -> None:
        pieces, _, sent = data.partition(b"\n")
        statuses = answers(port, sent, piece=int(pieces) if pieces.isdigit() else 0, patience_s=0.1)
        assert set(statuses) <= REFUSALS | GOOD, statuses
        assert sum(status in GOOD for status in statuses) <= whole_requests(sent), statuses

    legacy = _post(b"Authorization: " + AUTHORIZATION.encode(), b"Content-Length: 2", body=b"{}")
    cases = (*REFUSED.values(), *READ.values(), legacy)
    seeds = [pieces + case[:5_000] + NEXT for case in cases for pieces in (b"0\n", b"7\n")]
    return {"connection": Target(attempt, (*seeds, b"1\n" + legacy, b"0\n" + legacy[:-1]))}
