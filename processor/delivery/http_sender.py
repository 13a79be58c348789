"""Sending to an address that somebody else chose, without being led astray.

The name is looked up once; unless every address it has is public, nothing is sent; the connection goes
to one of those very addresses, while TLS and ``Host`` keep the name. No redirects, no proxies of the
environment, no connection is kept for another request, and of the answer only the beginning is read.
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

from processor.delivery.rules import PORTS, port_of
from processor.delivery.ssrf import Resolver, refusal, resolve

TOTAL_S = 15.0
"""From looking the name up to the answer's head, in seconds; the contract's limit."""

REST_S = 2.0
"""How long the body of an answer is listened to once its status is known, in seconds."""

EXCERPT_BYTES = 1024
MOST_ADDRESSES = 3
USER_AGENT = "codat-processor"


@dataclass(frozen=True, slots=True)
class ReceiverResponse:
    """What came of one request: a status with the first 1 KB of the body, or why there was none."""

    status: int | None
    duration_ms: int
    excerpt: str = ""
    error: str | None = None
    retry_after: str | None = None


class _Refused(Exception):
    """We do not send there; the text says why."""


class HttpSender:
    """Sends requests; one for each process. ``lookups`` runs the resolver, which may block.

    ``tls`` holds the authorities that are trusted: those of certifi unless given.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        lookups: Executor,
        resolver: Resolver = resolve,
        tls: ssl.SSLContext | None = None,
        total_s: float = TOTAL_S,
    ) -> None:
        self._allow_private = allow_private
        self._lookups = lookups
        self._resolver = resolver
        self._tls = tls
        self._total_s = total_s
        self._asked: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    def prepare(self) -> None:
        """Load the authorities that are trusted, which takes a moment, before somebody waits for it."""
        if self._tls is None:
            self._tls = httpx.create_ssl_context(trust_env=False)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> ReceiverResponse:
        """Post ``body``; never raises for what the other side does."""
        began = time.monotonic()
        heads: list[httpx.Response] = []
        try:
            async with asyncio.timeout(self._total_s):
                return await self._post(url, body, headers, began, heads)
        except TimeoutError:
            if heads:
                return _answer(heads[0], "", began)
            error = f"no answer within {self._total_s:g} s"
        except _Refused as refused:
            error = str(refused)
        except httpx.HTTPError as failed:
            error = _said(failed)
        except (OSError, ValueError, httpx.InvalidURL) as failed:
            error = _said(failed)
        return ReceiverResponse(None, _since(began), error=error)

    async def _post(
        self, url: str, body: bytes, headers: Mapping[str, str], began: float, heads: list[httpx.Response]
    ) -> ReceiverResponse:
        parts = urlsplit(url)
        port, host = port_of(parts), parts.hostname or ""
        if not self._allow_private and port not in PORTS:
            raise _Refused(f"the port {port} is not allowed")
        addresses = await self._addresses(host, port)
        for address in addresses[:-1]:
            with contextlib.suppress(httpx.ConnectError, httpx.ConnectTimeout):
                excerpt = await self._send(url, address, body, headers, heads, self._total_s / MOST_ADDRESSES)
                return _answer(heads[0], excerpt, began)
        excerpt = await self._send(url, addresses[-1], body, headers, heads, self._total_s)
        return _answer(heads[0], excerpt, began)

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Where to connect to; raises unless all of it is public."""
        loop = asyncio.get_running_loop()
        waiting = self._asked.get((host, port))
        if waiting is None or waiting.get_loop() is not loop:  # a look-up may outlive the loop that wanted it
            waiting = asyncio.ensure_future(loop.run_in_executor(self._lookups, self._look_up, host, port))
            self._asked[host, port] = waiting
            waiting.add_done_callback(lambda done: self._forget((host, port), done))
        try:
            addresses = await asyncio.shield(waiting)
        except OSError as error:
            raise _Refused(f"the name could not be looked up ({_said(error)})") from error
        if not addresses:
            raise _Refused("the name has no address")
        for address in addresses:
            reason = None if self._allow_private else refusal(address)
            if reason is not None:
                raise _Refused(f"the address {address} is refused: {reason}")
        return addresses[:MOST_ADDRESSES]

    def _look_up(self, host: str, port: int) -> list[str]:
        try:
            return list(self._resolver(host, port))
        except UnicodeError as error:
            raise OSError("not a name") from error

    def _forget(self, key: tuple[str, int], done: "asyncio.Future[list[str]]") -> None:
        if self._asked.get(key) is done:
            del self._asked[key]
        if not done.cancelled():
            done.exception()

    async def _send(
        self,
        url: str,
        address: str,
        body: bytes,
        headers: Mapping[str, str],
        heads: list[httpx.Response],
        connect_s: float,
    ) -> str:
        """The beginning of the answer's body; its head is put into ``heads`` as soon as it is there."""
        named = httpx.URL(url)
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
                named.copy_with(host=address),
                content=body,
                headers={
                    "User-Agent": USER_AGENT,
                    "Accept": "*/*",
                    "Accept-Encoding": "identity",
                    "Connection": "close",
                    **headers,
                    "Host": named.netloc.decode("ascii"),
                },
                extensions={"sni_hostname": named.raw_host.decode("ascii")},
            )
            answer = await client.send(request, stream=True)
            heads.append(answer)
            try:
                return await _beginning(answer)
            finally:
                await answer.aclose()


def _answer(head: httpx.Response, excerpt: str, began: float) -> ReceiverResponse:
    return ReceiverResponse(
        head.status_code, _since(began), excerpt, retry_after=head.headers.get("Retry-After")
    )


async def _beginning(answer: httpx.Response) -> str:
    """The first bytes of the body as text; what goes wrong with it does not matter any more."""
    found = bytearray()
    try:
        async with asyncio.timeout(REST_S):
            async for part in answer.aiter_raw():
                found += part[: EXCERPT_BYTES - len(found)]
                if len(found) >= EXCERPT_BYTES:
                    break
    except (TimeoutError, httpx.HTTPError):
        pass
    return bytes(found).decode("utf-8", "replace").replace("\x00", "\ufffd")


def _said(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
