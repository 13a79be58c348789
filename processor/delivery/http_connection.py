"""HTTP/1.1 connections to receivers, which are kept alive, each for one subscriber and one host name.

Of a response, the status, ``Retry-After`` and the beginning of the body are kept. Nothing is decompressed.
"""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any, cast

import httptools

IDLE_S = 30.0
"""A connection is closed after this idle time, in seconds."""

LONGEST_AGE_S = 60.0
"""A connection takes no more requests after this time, in seconds: a changed address takes effect by then."""

MOST_IDLE = 500
"""Idle connections of one process: as many as requests that may be under way before all lanes get fewer."""

EXCERPT_BYTES = 1024
MOST_BYTES = 65_536
"""What is read of a response, with its head; a longer one ends the connection."""


class ConnectError(Exception):
    """The connection cannot be opened."""


class NoResponse(Exception):
    """The connection ended before the head of a response, or what came is no HTTP.

    ``untouched``: no byte of a response had arrived.
    """

    def __init__(self, why: str, *, untouched: bool = False) -> None:
        super().__init__(why)
        self.untouched = untouched


@dataclass(frozen=True, slots=True)
class Destination:
    """What all connections of one pool have in common; ``owner`` is the subscriber."""

    owner: str
    tls: bool
    host: str
    port: int


@dataclass(slots=True, eq=False)
class Response:
    """A response. ``head`` is done when the head is complete, ``end`` when nothing more is read."""

    head: "asyncio.Future[None]"
    end: "asyncio.Future[None]"
    status: int = 0
    retry_after: str | None = None
    excerpt: bytearray = field(default_factory=bytearray)
    received: int = 0

    @property
    def text(self) -> str:
        """The beginning of the body, as far as it has arrived."""
        return self.excerpt[:EXCERPT_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd")


class HttpConnection(asyncio.Protocol):
    """One connection, with one request at a time."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.time()
        self._parser = httptools.HttpResponseParser(self)
        self._response: Response | None = None
        self.is_open = True

    @classmethod
    async def connect(
        cls, address: str, to: Destination, tls: ssl.SSLContext | None, limit_s: float
    ) -> "HttpConnection":
        """Connect to ``address``; TLS verifies the destination's name. Raises :class:`ConnectError`."""
        options: dict[str, Any] = {"ssl": tls, "server_hostname": to.host} if to.tls else {}
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limit_s):
                return (await loop.create_connection(cls, address, to.port, **options))[1]
        except OSError as error:  # a time-out, too
            raise ConnectError(str(error) or f"not connected within {limit_s:g} s") from error

    @property
    def age_s(self) -> float:
        """Seconds since the connection was opened."""
        return self._loop.time() - self._opened

    async def send(self, request: bytes) -> Response:
        """Send a request; the response as soon as its head is there. Raises :class:`NoResponse`."""
        if not self.is_open:
            raise NoResponse("the connection was closed", untouched=True)
        response = Response(self._loop.create_future(), self._loop.create_future())
        self._response = response
        self._transport.write(request)
        try:
            await response.head
        except BaseException:
            self.abort()
            raise
        return response

    def abort(self) -> None:
        """Close the connection at once."""
        self.is_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """A part of the response; bytes without a request end the connection."""
        response = self._response
        if response is None:
            self.abort()
            return
        response.received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._end(f"the answer is no HTTP ({type(error).__name__})")
        else:
            if response.received > MOST_BYTES:
                self._end("the head of the answer is too long")

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is closed, which is the end of some responses."""
        self._end(f"the connection was closed{f' ({error})' if error else ' without an answer'}")

    def on_message_begin(self) -> None:
        """A message begins; one without a request ends the connection."""
        if self._response is None:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header of the response."""
        if self._response is not None and name.lower() == b"retry-after":
            self._response.retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head is there; a status below 200 only announces the response."""
        status = self._parser.get_status_code()
        if self._response is not None and status >= 200 and not self._response.head.done():
            self._response.status = status
            self._response.head.set_result(None)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._response is not None and len(self._response.excerpt) < EXCERPT_BYTES:
            self._response.excerpt += body[:EXCERPT_BYTES]

    def on_message_complete(self) -> None:
        """The response is complete, and the connection may take another request."""
        response = self._response
        if response is None or not response.head.done():
            return
        self._response = None
        if not self._parser.should_keep_alive():
            self.abort()
        if not response.end.done():
            response.end.set_result(None)

    def _end(self, why: str) -> None:
        """Close the connection; a response that has no head yet failed."""
        response, self._response = self._response, None
        self.abort()
        if response is None:
            return
        if not response.head.done():
            response.head.set_exception(NoResponse(why, untouched=not response.received))
        if not response.end.done():
            response.end.set_result(None)


class ConnectionPool:
    """Idle connections by destination; those of another event loop must be closed before."""

    def __init__(self) -> None:
        self._idle: dict[Destination, list[tuple[HttpConnection, float]]] = {}
        self._count = 0
        self._expiry: asyncio.TimerHandle | None = None

    def take(self, to: Destination) -> HttpConnection | None:
        """The open connection to this very destination that was used last, if there is one."""
        while entries := self._idle.get(to):
            connection, _ = entries.pop()
            if not entries:
                del self._idle[to]
            self._count -= 1
            if connection.is_open and connection.age_s < LONGEST_AGE_S:
                return connection
            connection.abort()
        return None

    def put(self, to: Destination, connection: HttpConnection) -> None:
        """Keep a connection, if it is open, until it is used again or was idle for too long."""
        if not connection.is_open or self._count >= MOST_IDLE:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        self._idle.setdefault(to, []).append((connection, loop.time() + IDLE_S))
        self._count += 1
        if self._expiry is None:
            self._expiry = loop.call_later(IDLE_S, self._expire)

    def _expire(self) -> None:
        """Close what has been idle for too long; the next time is the end of what is idle longest then."""
        loop = asyncio.get_running_loop()
        for to, entries in list(self._idle.items()):
            while entries and entries[0][1] <= loop.time():
                entries.pop(0)[0].abort()
                self._count -= 1
            if not entries:
                del self._idle[to]
        ends = [entries[0][1] for entries in self._idle.values()]
        self._expiry = loop.call_at(min(ends), self._expire) if ends else None

    def close(self) -> None:
        """Close all idle connections."""
        for entries in self._idle.values():
            for connection, _ in entries:
                connection.abort()
        self._idle.clear()
        self._count = 0
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
