"""HTTP requests to URLs that others choose, safe against server-side request forgery (SSRF).

The host is resolved before each connection, and every address must be public. The connection goes to one of
these addresses, while TLS and ``Host`` use the name. It is kept alive for a while, for the same subscriber
and host name only. Redirects and proxies of the environment are not used, and only the beginning of the
response is read.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache, lru_cache
from urllib.parse import urlsplit

import httpx

from processor.clock import elapsed_ms
from processor.delivery.http_connection import (
    ConnectError,
    ConnectionPool,
    Destination,
    HttpConnection,
    NoResponse,
    Response,
)
from processor.delivery.rules import PORTS, port_of
from processor.delivery.ssrf import Resolver, refusal, resolve

TOTAL_S = 15.0
"""Limit from the lookup to the response's headers, in seconds."""

BODY_S = 2.0
"""Limit for the body once the headers have arrived, in seconds."""

MOST_ADDRESSES = 3
DEFAULT_HEADERS = {
    "user-agent": "User-Agent: codat-processor",
    "accept": "Accept: */*",
    "accept-encoding": "Accept-Encoding: identity",
}
"""Header lines by name in lower case, unless the caller gives another."""


@dataclass(frozen=True, slots=True)
class ReceiverResponse:
    """The status and the first 1 KB of the body of a response, or the error instead of one."""

    status: int | None
    duration_ms: int
    excerpt: str = ""
    error: str | None = None
    retry_after: str | None = None


class _AddressRefused(Exception):
    """The request is not sent; the text says why."""


@cache
def _trusted_authorities() -> ssl.SSLContext:
    """The authorities of certifi, loaded once per process."""
    tls = httpx.create_ssl_context(trust_env=False)
    tls.set_alpn_protocols(["http/1.1"])
    return tls


class HttpSender:
    """Sends requests; one for each process. ``lookups`` runs the resolver, which may block.

    ``allow_private`` is ALLOW_PRIVATE_SUBSCRIBERS, and ``allow_http`` ALLOW_HTTP_SUBSCRIBERS.
    ``tls`` has the trusted authorities, by default those of certifi. ``total_s`` limits the time until the
    response's headers, ``body_s`` the time for its body, both in seconds.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        allow_http: bool = False,
        lookups: Executor,
        resolver: Resolver = resolve,
        tls: ssl.SSLContext | None = None,
        total_s: float = TOTAL_S,
        body_s: float = BODY_S,
    ) -> None:
        self._allow_private = allow_private
        self._allow_http = allow_private or allow_http
        self._lookups = lookups
        self._resolver = resolver
        self._tls = tls
        self._total_s = total_s
        self._body_s = body_s
        self._pool = ConnectionPool()
        self._lookups_under_way: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    def prepare(self) -> None:
        """Load the trusted authorities, which takes a moment, before the first request."""
        if self._tls is None:
            self._tls = _trusted_authorities()

    def close(self) -> None:
        """Close the idle connections, in the event loop that opened them."""
        self._pool.close()

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, owner: str = ""
    ) -> ReceiverResponse:
        """Post ``body``; failures of the receiver are returned as ``error``.

        Connections are kept for ``owner``, the subscriber, and used for no other.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._total_s):
                to, request = _request(url, body, headers, owner)
                connection, response = await self._exchange(to, request)
        except TimeoutError:
            return ReceiverResponse(None, elapsed_ms(began), error=f"no answer within {self._total_s:g} s")
        except _AddressRefused as refusal_error:
            return ReceiverResponse(None, elapsed_ms(began), error=str(refusal_error))
        except (ConnectError, NoResponse, httpx.InvalidURL, ValueError) as failure:
            return ReceiverResponse(None, elapsed_ms(began), error=_describe(failure))
        try:
            if not response.end.done():
                await asyncio.wait({response.end}, timeout=self._body_s)
        finally:
            if response.end.done():
                self._pool.put(to, connection)
            else:
                connection.abort()
        return ReceiverResponse(
            response.status, elapsed_ms(began), response.text, retry_after=response.retry_after
        )

    async def _exchange(self, to: Destination, request: bytes) -> tuple[HttpConnection, Response]:
        """Send the request, once more on a new connection if a kept one was closed without a byte."""
        kept = self._pool.take(to)
        if kept is not None:
            try:
                return kept, await kept.send(request)
            except NoResponse as failure:
                if not failure.untouched:
                    raise
        connection = await self._connect(to)
        return connection, await connection.send(request)

    async def _connect(self, to: Destination) -> HttpConnection:
        if not self._allow_private and to.port not in PORTS:
            raise _AddressRefused(f"the port {to.port} is not allowed")
        if not to.tls and not self._allow_http:
            raise _AddressRefused("http:// is not allowed (ALLOW_HTTP_SUBSCRIBERS allows it)")
        self.prepare()
        *others, last = await self._addresses(to.host, to.port)
        for address in others:
            with contextlib.suppress(ConnectError):
                return await HttpConnection.connect(address, to, self._tls, self._total_s / MOST_ADDRESSES)
        return await HttpConnection.connect(last, to, self._tls, self._total_s)

    async def _addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host; raises :class:`_AddressRefused` unless all of them are allowed."""
        loop = asyncio.get_running_loop()
        lookup = self._lookups_under_way.get((host, port))
        if lookup is None or lookup.get_loop() is not loop:  # a lookup can outlive its loop
            lookup = asyncio.ensure_future(loop.run_in_executor(self._lookups, self._look_up, host, port))
            self._lookups_under_way[host, port] = lookup
            lookup.add_done_callback(lambda done: self._forget((host, port), done))
        try:
            addresses = await asyncio.shield(lookup)
        except OSError as error:
            raise _AddressRefused(f"the name could not be looked up ({_describe(error)})") from error
        if not addresses:
            raise _AddressRefused("the name has no address")
        for address in addresses:
            reason = None if self._allow_private else refusal(address)
            if reason is not None:
                raise _AddressRefused(f"the address {address} is refused: {reason}")
        return addresses[:MOST_ADDRESSES]

    def _look_up(self, host: str, port: int) -> list[str]:
        try:
            return list(self._resolver(host, port))
        except UnicodeError as error:
            raise OSError("not a name") from error

    def _forget(self, key: tuple[str, int], done: "asyncio.Future[list[str]]") -> None:
        if self._lookups_under_way.get(key) is done:
            del self._lookups_under_way[key]
        if not done.cancelled():
            done.exception()


@lru_cache(maxsize=1_000)
def _target(url: str, owner: str) -> tuple[Destination, str, str]:
    """Where the connections for a URL lead, its target in the request, and its ``Host``."""
    parts, normal = urlsplit(url), httpx.URL(url)
    host = normal.raw_host.decode("ascii")
    to = Destination(owner, parts.scheme == "https", host, port_of(parts))
    return to, normal.raw_path.decode("ascii"), normal.netloc.decode("ascii")


def _request(url: str, body: bytes, headers: Mapping[str, str], owner: str) -> tuple[Destination, bytes]:
    """The destination, and the whole request. Raises ``ValueError`` where a header spans lines."""
    to, target, host = _target(url, owner)
    given = {name.lower() for name in headers}
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [line for name, line in DEFAULT_HEADERS.items() if name not in given]
    head = "\r\n".join(lines)
    if not head.count("\r") == head.count("\n") == len(lines) - 1:
        raise ValueError("a header has more than one line")
    return to, f"{head}\r\n\r\n".encode("ascii") + body


def _describe(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__
