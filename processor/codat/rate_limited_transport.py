"""The HTTP transport to Codat that acquires a permit for every request and records its outcome."""

import logging
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

import httpx
from redis import Redis, RedisError

from processor.clock import utc_now
from processor.codat.client import CodatClient
from processor.codat.http import MAX_CONNECTIONS, CodatHttp
from processor.codat.http_headers import as_http_date, quota_of
from processor.codat.rate_limit import Permit, Priority, RateLimiter
from processor.codat.refusals import rest_s
from processor.settings.definitions import Settings
from processor.store import clock_skew, codat_calls
from processor.store.codat_calls import TIMEOUT, UNREACHABLE, Call
from processor.store.metrics import Metrics

_log = logging.getLogger(__name__)

DATE_IS_EXACT_TO_S = 1.0

_PATH_WORDS = frozenset(
    {"companies", "connections", "data", "dataStatus", "history", "all"}
    | {"integrations", "branding", "webhooks"}
)
"""The parts of paths that are no ids."""

OnEnd = Callable[[httpx.TransportError | None], None]
"""Called once when a response was read, with the error that interrupted it, if any."""


class RateLimitedTransport(httpx.BaseTransport):
    """Sends requests that get a permit; for the others it raises ``CodatRateLimited``."""

    def __init__(
        self,
        rate_limiter: RateLimiter,
        priority: Priority,
        *,
        inner: httpx.BaseTransport | None = None,
        clock: Callable[[], datetime],
    ) -> None:
        self._rate_limiter, self._priority, self._clock = rate_limiter, priority, clock
        limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
        self._inner = inner or httpx.HTTPTransport(verify=_tls_context(), limits=limits)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; its permit is released when the response has been read."""
        permit = self._rate_limiter.acquire(self._priority, company_in(request.url.path))
        began, began_at = time.monotonic(), self._clock()
        try:
            response = self._inner.handle_request(request)
        except BaseException as error:
            self._rate_limiter.release(permit)
            if isinstance(error, httpx.TransportError):
                self._record(request, permit, Call(_failure_word(error), time.monotonic() - began), None)
            raise
        skew_s = _clock_skew_s(response.headers, began_at, self._clock())

        def on_end(error: httpx.TransportError | None) -> None:
            self._release(permit, response)
            status = response.status_code if error is None else _failure_word(error)
            self._record(request, permit, Call(status, time.monotonic() - began), skew_s)

        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_ReportingStream(response, on_end),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _release(self, permit: Permit | None, response: httpx.Response) -> None:
        headers = response.headers
        asked_at = as_http_date(headers.get("Date")) or self._clock()
        is_limited = response.status_code == httpx.codes.TOO_MANY_REQUESTS
        block_s = rest_s(headers, asked_at) if is_limited else None
        self._rate_limiter.release(permit, quota_of(headers, asked_at), block_s)

    def _record(
        self, request: httpx.Request, permit: Permit | None, call: Call, skew_s: float | None
    ) -> None:
        """Record the call, unless there is no permit: then Redis does not answer."""
        if permit is None:
            return
        metrics, now = Metrics(), self._clock()
        metrics.asked_codat(call_name(request), call.name, call.seconds, failed=call.failed)
        try:
            with (
                self._rate_limiter.client.pipeline(transaction=False) as pipe,
                metrics.staged(pipe, now),
            ):
                codat_calls.add(pipe, call, now)
                if skew_s is not None:
                    clock_skew.add(pipe, clock_skew.CODAT, skew_s)
                pipe.execute()
        except RedisError as error:
            _log.warning("a call to Codat could not be recorded", extra={"error": repr(error)})


class _ReportingStream(httpx.SyncByteStream):
    """The body of a response that calls ``on_end`` once when it is closed."""

    def __init__(self, response: httpx.Response, on_end: OnEnd) -> None:
        self._response, self._on_end = response, on_end
        self._is_open = True
        self._error: httpx.TransportError | None = None

    def __iter__(self) -> Iterator[bytes]:
        stream = self._response.stream
        assert isinstance(stream, httpx.SyncByteStream)  # noqa: S101 - the transport is synchronous
        try:
            yield from stream
        except httpx.TransportError as error:
            self._error = error
            raise

    def close(self) -> None:
        """Close the response and call ``on_end``."""
        if self._is_open:
            self._is_open = False
            self._response.close()
            self._on_end(self._error)


def _failure_word(error: httpx.TransportError) -> str:
    return TIMEOUT if isinstance(error, httpx.TimeoutException) else UNREACHABLE


def _clock_skew_s(headers: httpx.Headers, began_at: datetime, ended_at: datetime) -> float | None:
    """Seconds by which this clock is ahead of the ``Date`` of a response; ``None`` without one."""
    date = as_http_date(headers.get("Date"))
    if date is None:
        return None
    began = began_at.timestamp() - DATE_IS_EXACT_TO_S
    return clock_skew.off_s(began, ended_at.timestamp(), date.timestamp())


def call_name(request: httpx.Request) -> str:
    """Method and path without ids, such as ``GET /companies/*/connections``: one of some twenty."""
    parts = request.url.path.strip("/").split("/")
    named = (part if part in _PATH_WORDS else "*" for part in parts)
    return f"{request.method} /{'/'.join(named)}"


def company_in(path: str) -> str | None:
    """The company in a path; ``None`` if it names none."""
    parts = path.split("/")
    for part, following in pairwise(parts):
        if part == "companies":
            return unquote(following) or None
    return None


@cache
def _tls_context() -> ssl.SSLContext:
    """The trusted certificates, loaded once per process."""
    return httpx.create_ssl_context(trust_env=False)


def client_for(
    settings: Settings, client: "Redis[Any]", priority: Priority, clock: Callable[[], datetime] = utc_now
) -> CodatClient | None:
    """A rate-limited client of Codat; ``None`` without an API key."""
    if settings.codat_api_key is None:
        return None
    transport = RateLimitedTransport(RateLimiter(client, clock=clock), priority, clock=clock)
    http = CodatHttp(
        api_key=settings.codat_api_key, base_url=settings.codat_api_url, transport=transport, clock=clock
    )
    return CodatClient(http)
