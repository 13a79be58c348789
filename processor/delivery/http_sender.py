"""HTTP requests to URLs that others choose, safe against server-side request forgery (SSRF).

The host is resolved once, and every address must be public. The connection goes to one of these addresses,
while TLS and ``Host`` use the name. Redirects, proxies of the environment and kept connections are not used,
and only the beginning of the response is read.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from processor.clock import elapsed_ms
from processor.delivery.rules import PORTS, port_of
from processor.delivery.ssrf import Resolver, refusal, resolve

TOTAL_S = 15.0
"""Limit from the lookup to the response's headers, in seconds."""

BODY_S = 2.0
"""Limit for the body once the headers have arrived, in seconds."""

EXCERPT_BYTES = 1024
MOST_ADDRESSES = 3
USER_AGENT = "codat-processor"


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


class HttpSender:
    """Sends requests; one for each process. ``lookups`` runs the resolver, which may block.

    ``tls`` has the trusted authorities, by default those of certifi. ``total_s`` limits the time until the
    response's headers, ``body_s`` the time for its body, both in seconds.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        lookups: Executor,
        resolver: Resolver = resolve,
        tls: ssl.SSLContext | None = None,
        total_s: float = TOTAL_S,
        body_s: float = BODY_S,
    ) -> None:
        self._allow_private = allow_private
        self._lookups = lookups
        self._resolver = resolver
        self._tls = tls
        self._total_s = total_s
        self._body_s = body_s
        self._lookups_under_way: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    def prepare(self) -> None:
        """Load the trusted authorities, which takes a moment, before the first request."""
        if self._tls is None:
            self._tls = httpx.create_ssl_context(trust_env=False)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> ReceiverResponse:
        """Post ``body``; failures of the receiver are returned as ``error``."""
        began = time.monotonic()
        responses: list[httpx.Response] = []
        try:
            async with asyncio.timeout(self._total_s):
                return await self._post(url, body, headers, began, responses)
        except TimeoutError:
            if responses:
                return _received(responses[0], "", began)
            error = f"no answer within {self._total_s:g} s"
        except _AddressRefused as refusal_error:
            error = str(refusal_error)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as failure:
            error = _describe(failure)
        return ReceiverResponse(None, elapsed_ms(began), error=error)

    async def _post(
        self, url: str, body: bytes, headers: Mapping[str, str], began: float, responses: list[httpx.Response]
    ) -> ReceiverResponse:
        parts = urlsplit(url)
        port, host = port_of(parts), parts.hostname or ""
        if not self._allow_private and port not in PORTS:
            raise _AddressRefused(f"the port {port} is not allowed")
        addresses = await self._addresses(host, port)
        for address in addresses[:-1]:
            with contextlib.suppress(httpx.ConnectError, httpx.ConnectTimeout):
                excerpt = await self._send(
                    url, address, body, headers, responses, self._total_s / MOST_ADDRESSES
                )
                return _received(responses[0], excerpt, began)
        excerpt = await self._send(url, addresses[-1], body, headers, responses, self._total_s)
        return _received(responses[0], excerpt, began)

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

    async def _send(
        self,
        url: str,
        address: str,
        body: bytes,
        headers: Mapping[str, str],
        responses: list[httpx.Response],
        connect_s: float,
    ) -> str:
        """The beginning of the body; ``responses`` gets the response as soon as its headers are there."""
        target = httpx.URL(url)
        self.prepare()
        transport = httpx.AsyncHTTPTransport(
            verify=self._tls or True,
            trust_env=False,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=0),
        )
        async with httpx.AsyncClient(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self._total_s, connect=connect_s),
        ) as client:
            request = client.build_request(
                "POST",
                target.copy_with(host=address),
                content=body,
                headers={
                    "User-Agent": USER_AGENT,
                    "Accept": "*/*",
                    "Accept-Encoding": "identity",
                    "Connection": "close",
                    **headers,
                    "Host": target.netloc.decode("ascii"),
                },
                extensions={"sni_hostname": target.raw_host.decode("ascii")},
            )
            response = await client.send(request, stream=True)
            responses.append(response)
            try:
                return await _excerpt(response, self._body_s)
            finally:
                await response.aclose()


def _received(response: httpx.Response, excerpt: str, began: float) -> ReceiverResponse:
    return ReceiverResponse(
        response.status_code, elapsed_ms(began), excerpt, retry_after=response.headers.get("Retry-After")
    )


async def _excerpt(response: httpx.Response, limit_s: float) -> str:
    """The first bytes of the body as text, as far as they arrive; errors are ignored."""
    excerpt = bytearray()
    try:
        async with asyncio.timeout(limit_s):
            async for part in response.aiter_raw():
                excerpt += part[: EXCERPT_BYTES - len(excerpt)]
                if len(excerpt) >= EXCERPT_BYTES:
                    break
    except (TimeoutError, httpx.HTTPError):
        pass
    return bytes(excerpt).decode("utf-8", "replace").replace("\x00", "\ufffd")


def _describe(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__
