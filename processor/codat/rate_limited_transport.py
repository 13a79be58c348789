"""The way to Codat under the budget: every single request asks for leave first."""

import logging
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import unquote

import httpx
from redis import Redis, RedisError

from processor.clock import utc_now
from processor.codat.client import CodatClient
from processor.codat.http import MAX_CONNECTIONS
from processor.codat.http_headers import as_http_date
from processor.codat.quota import quota_of
from processor.codat.rate_limit import Permit, Priority, RateLimiter
from processor.codat.refusals import rest_s
from processor.settings.definitions import Settings
from processor.store import clock_skew, codat_calls
from processor.store.codat_calls import TIMEOUT, UNREACHABLE, Call

_log = logging.getLogger(__name__)

DATE_IS_EXACT_TO_S = 1.0

Ended = Callable[[httpx.TransportError | None], None]
"""Is told once that an answer was read, or why it broke off."""


class RateLimitedTransport(httpx.BaseTransport):
    """Sends what the budget gives leave for; without it, raises ``CodatRateLimited`` and sends nothing."""

    def __init__(
        self,
        budget: RateLimiter,
        rank: Priority,
        *,
        inner: httpx.BaseTransport | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._budget, self._rank, self._clock = budget, rank, clock
        limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
        self._inner = inner or httpx.HTTPTransport(verify=_tls_context(), limits=limits)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request and its answer; the place is given back when the answer has been read."""
        leave = self._budget.take(self._rank, company_in(request.url.path))
        began, began_at = time.monotonic(), self._clock()
        try:
            response = self._inner.handle_request(request)
        except BaseException as error:
            self._budget.give(leave)
            if isinstance(error, httpx.TransportError):
                self._record(leave, Call(_why(error), time.monotonic() - began), None)
            raise
        off_s = _off_s(response.headers, began_at, self._clock())

        def ended(error: httpx.TransportError | None) -> None:
            self._ended(leave, response)
            status = response.status_code if error is None else _why(error)
            self._record(leave, Call(status, time.monotonic() - began), off_s)

        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Read(response, ended),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Give the connections back."""
        self._inner.close()

    def _ended(self, leave: Permit | None, response: httpx.Response) -> None:
        headers = response.headers
        asked_at = as_http_date(headers.get("Date")) or self._clock()
        quota = quota_of(headers, asked_at)
        is_limited = response.status_code == httpx.codes.TOO_MANY_REQUESTS
        self._budget.give(leave, quota, rest_s(headers, quota, asked_at) if is_limited else None)

    def _record(self, leave: Permit | None, call: Call, off_s: float | None) -> None:
        """Count the call; without leave Redis does not answer, and the caller has waited enough."""
        if leave is None:
            return
        try:
            with self._budget.client.pipeline(transaction=False) as pipe:
                codat_calls.add(pipe, call, self._clock())
                if off_s is not None:
                    clock_skew.add(pipe, clock_skew.CODAT, off_s)
                pipe.execute()
        except RedisError as error:
            _log.warning("a call to Codat could not be counted", extra={"error": repr(error)})


class _Read(httpx.SyncByteStream):
    """The body of an answer, with something to be done once when it is closed."""

    def __init__(self, response: httpx.Response, ended: "Ended") -> None:
        self._response, self._ended = response, ended
        self._is_open = True
        self._error: httpx.TransportError | None = None

    def __iter__(self) -> Iterator[bytes]:
        stream = self._response.stream
        assert isinstance(stream, httpx.SyncByteStream)  # noqa: S101 - of a transport that is not asynchronous
        try:
            yield from stream
        except httpx.TransportError as error:
            self._error = error
            raise

    def close(self) -> None:
        """Close the answer and say so."""
        if self._is_open:
            self._is_open = False
            self._response.close()
            self._ended(self._error)


def _why(error: httpx.TransportError) -> str:
    return TIMEOUT if isinstance(error, httpx.TimeoutException) else UNREACHABLE


def _off_s(headers: httpx.Headers, began_at: datetime, ended_at: datetime) -> float | None:
    """How far our clock is ahead of the answer's ``Date``, which was written in between; ``None`` without."""
    date = as_http_date(headers.get("Date"))
    if date is None:
        return None
    began = began_at.timestamp() - DATE_IS_EXACT_TO_S
    return clock_skew.off_s(began, ended_at.timestamp(), date.timestamp())


def company_in(path: str) -> str | None:
    """The company that a request is about; ``None`` for one about none or many."""
    parts = path.split("/")
    for place, part in enumerate(parts[:-1]):
        if part == "companies":
            return unquote(parts[place + 1]) or None
    return None


@cache
def _tls_context() -> ssl.SSLContext:
    """The trusted certificates, loaded once for each process."""
    return httpx.create_ssl_context(trust_env=False)


def client_for(
    settings: Settings, client: "Redis[Any]", rank: Priority, clock: Callable[[], datetime] = utc_now
) -> CodatClient | None:
    """A client of Codat under the budget; ``None`` without an API key."""
    if settings.codat_api_key is None:
        return None
    transport = RateLimitedTransport(RateLimiter(client, clock=clock), rank, clock=clock)
    return CodatClient(
        api_key=settings.codat_api_key, base_url=settings.codat_api_url, transport=transport, clock=clock
    )
