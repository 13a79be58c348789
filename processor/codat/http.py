"""Requests to Codat over HTTP: sending, timeouts, retries and errors.

A read is retried briefly; a change is retried only if it was never sent.
https://docs.codat.io/using-the-api/errors
"""

import base64
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

import httpx

from processor.clock import utc_now
from processor.codat.errors import CodatFailing, CodatUncertain, CodatUnusable
from processor.codat.http_headers import as_http_date, pause_s
from processor.codat.names import path_of
from processor.codat.refusals import RawResponse, refusal
from processor.errors import CodatError, CodatUnavailable

MAX_RETRIES = 2
FIRST_PAUSE_S = 0.2
"""Doubled for the second retry; each pause is shortened at random by up to half."""

LONGEST_PAUSE_S = 2.0
"""A longer ``Retry-After`` is left to the caller."""

TRANSIENT = frozenset({500, 502, 503, 504})
MAX_RESPONSE_BYTES = 16 * 1024 * 1024
MAX_CONNECTIONS = 20

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout)


_time_limit_s: ContextVar[float | None] = ContextVar("time_limit_s", default=None)


@contextmanager
def call_time_limit(seconds: float) -> Iterator[None]:
    """Limit each call that this thread makes here to ``seconds``, if its budget is longer."""
    token = _time_limit_s.set(seconds)
    try:
        yield
    finally:
        _time_limit_s.reset(token)


@dataclass(frozen=True, slots=True)
class CodatResponse:
    """A successful response: its JSON (``None``: no body) and its time by Codat's clock.

    Without a usable ``Date`` header ``asked_at`` is by this machine's clock, and ``timed`` is false.
    """

    body: object
    asked_at: datetime
    timed: bool


class _RetryableError(Exception):
    """An attempt failed with ``failure`` and may be repeated, no earlier than ``retry_after_s`` from now."""

    def __init__(self, failure: CodatError, retry_after_s: float = 0.0) -> None:
        super().__init__()
        self.failure, self.retry_after_s = failure, retry_after_s


class CodatHttp:
    """Sends requests with one API key. Thread-safe; create it after forking.

    ``timeout_s`` bounds connecting, each wait for bytes, and the wait for a free connection;
    ``budget_s`` bounds a call with its retries (each page of a list is a call). ``clock`` returns UTC,
    ``monotonic`` seconds, ``jitter`` a number from 0 to 1.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = "https://api.codat.io",
        timeout_s: float = 10.0,
        budget_s: float = 20.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
    ) -> None:
        encoded = base64.b64encode(api_key.encode()).decode()
        self._secrets = tuple(secret for secret in (api_key, encoded) if secret)
        self._base_url = base_url.rstrip("/")
        self._timeout_s, self._budget_s = timeout_s, budget_s
        self._sleep, self._clock = sleep, clock
        self._monotonic, self._jitter, self._max_response_bytes = monotonic, jitter, max_response_bytes
        self._http = httpx.Client(
            headers={
                "Authorization": f"Basic {encoded}",
                "Accept": "application/json",
                "User-Agent": "codat-processor",
            },
            transport=transport,
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def read(self, *segments: str, query: Sequence[tuple[str, str | int]] = ()) -> CodatResponse:
        """Send GET, with retries after transient failures. Raises ``CodatError``."""
        url = self._url(segments, query)
        deadline = self._deadline()

        def attempt() -> CodatResponse:
            try:
                raw = self._send("GET", url, None, deadline)
            except httpx.UnsupportedProtocol as error:
                raise _unavailable(error) from error
            except httpx.TransportError as error:
                raise _RetryableError(_unavailable(error)) from error
            if raw.status < 300:
                return _parse(raw)
            failure = refusal(raw, self._secrets)
            if raw.status in TRANSIENT:
                raise _RetryableError(failure, pause_s(raw.headers.get("Retry-After"), raw.asked_at) or 0)
            raise failure

        return self._retry(attempt, deadline)

    def write(self, method: str, *segments: str, body: object = None) -> CodatResponse:
        """Send a change, at most once. Raises ``CodatError``: ``CodatUncertain`` if it may have been made."""
        url = self._url(segments, ())
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        deadline = self._deadline()

        def attempt() -> CodatResponse:
            try:
                raw = self._send(method, url, content, deadline)
                if raw.status < 300:
                    return _parse(raw)
            except _NOT_CONNECTED as error:
                raise _RetryableError(_unavailable(error)) from error
            except _NEVER_SENT as error:
                raise _unavailable(error) from error
            except (httpx.TransportError, CodatUnusable) as error:
                raise CodatUncertain from error
            failure = refusal(raw, self._secrets)
            if isinstance(failure, CodatFailing) and failure.may_have_worked:
                raise CodatUncertain(correlation_id=failure.correlation_id) from failure
            raise failure

        return self._retry(attempt, deadline)

    def _retry(self, attempt: Callable[[], CodatResponse], deadline: float) -> CodatResponse:
        for number in range(MAX_RETRIES + 1):
            wait_s = FIRST_PAUSE_S * 2**number * (1 - self._jitter() / 2)
            try:
                return attempt()
            except _RetryableError as error:
                wait_s = max(wait_s, error.retry_after_s)
                is_last = number == MAX_RETRIES or wait_s > LONGEST_PAUSE_S
                if is_last or self._monotonic() + wait_s >= deadline:
                    raise error.failure from error.__cause__
            self._sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    def _deadline(self) -> float:
        time_limit_s = _time_limit_s.get()
        budget_s = self._budget_s if time_limit_s is None else min(self._budget_s, time_limit_s)
        return self._monotonic() + budget_s

    def _url(self, segments: Sequence[str], query: Sequence[tuple[str, str | int]]) -> str:
        address = self._base_url + path_of(segments)
        return f"{address}?{urlencode(query, quote_via=quote, errors='replace')}" if query else address

    def _send(self, method: str, url: str, body: bytes | None, deadline: float) -> RawResponse:
        """Send once and read the whole response. Raises transport errors of httpx and ``CodatUnusable``."""
        bound_s = max(0.001, min(self._timeout_s, deadline - self._monotonic()))
        timeout = httpx.Timeout(connect=bound_s, read=bound_s, write=bound_s, pool=bound_s)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            request = self._http.build_request(method, url, content=body, headers=headers, timeout=timeout)
            response = self._http.send(request, stream=True)
        except httpx.InvalidURL as error:
            raise CodatUnavailable("CODAT_API_URL is not an address that can be asked.") from error
        try:
            date = as_http_date(response.headers.get("Date"))
            asked_at = date or self._clock()
            content = self._read_body(response, deadline)
            return RawResponse(response.status_code, response.headers, content, asked_at, date is not None)
        except httpx.DecodingError as error:
            raise CodatUnusable("Codat's answer cannot be unpacked.") from error
        finally:
            response.close()

    def _read_body(self, response: httpx.Response, deadline: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > self._max_response_bytes:
                raise CodatUnusable("Codat's answer is larger than we take.")
            if self._monotonic() > deadline:
                raise httpx.ReadTimeout("the answer takes longer than the budget of the call")
            chunks.append(chunk)
        return b"".join(chunks)


def _parse(raw: RawResponse) -> CodatResponse:
    body = None
    if raw.content.strip():
        try:
            body = json.loads(raw.content)
        except (ValueError, RecursionError):
            # Without the cause, which holds the body.
            raise CodatUnusable("Codat's answer is not JSON.") from None
    return CodatResponse(body, raw.asked_at, raw.timed)


def _unavailable(error: httpx.TransportError) -> CodatUnavailable:
    kind = type(error).__name__
    if isinstance(error, httpx.UnsupportedProtocol):
        return CodatUnavailable("CODAT_API_URL is not an address that can be asked.")
    if isinstance(error, httpx.PoolTimeout):
        return CodatUnavailable("Too many questions to Codat are open at once.")
    if isinstance(error, httpx.TimeoutException):
        return CodatUnavailable(f"Codat did not answer in time ({kind}).")
    return CodatUnavailable(f"Codat cannot be reached ({kind}).")
