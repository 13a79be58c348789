"""One request to Codat and its answer: sending, waiting, trying again, and what each status means.

Reading is tried again briefly; a change is sent once, unless it certainly never left us.
https://docs.codat.io/using-the-api/errors
"""

import base64
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime

import httpx

from processor.codat.errors import CodatFailing, CodatUncertain, CodatUnusable
from processor.codat.http_headers import as_http_date, retry_after_s
from processor.codat.names import path_of, query_of
from processor.codat.quota import Quota, quota_of
from processor.codat.refusals import refusal
from processor.errors import CodatError, CodatUnavailable

log = logging.getLogger(__name__)

MAX_RETRIES = 2
FIRST_PAUSE_S = 0.2
"""Doubled for the second retry; each is shortened at random by up to half."""

LONGEST_PAUSE_S = 2.0
"""Where Codat asks for a longer pause (``Retry-After``), whoever called decides."""

TRANSIENT = frozenset({500, 502, 503, 504})
MAX_ANSWER_BYTES = 16 * 1024 * 1024
MAX_CONNECTIONS = 20

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout)


_patience_s: ContextVar[float | None] = ContextVar("patience_s", default=None)


@contextmanager
def call_time_limit(seconds: float) -> Iterator[None]:
    """Give each call that this thread begins here at most ``seconds``, where its budget allows more."""
    before = _patience_s.set(seconds)
    try:
        yield
    finally:
        _patience_s.reset(before)


@dataclass(frozen=True, slots=True)
class CodatResponse:
    """A good answer: its JSON (``None``: no body), and when it was given by Codat's clock.

    Without a usable ``Date`` header ``asked_at`` is our clock, and ``timed`` is false.
    """

    body: object
    asked_at: datetime
    timed: bool


@dataclass(frozen=True, slots=True)
class _Received:
    status: int
    headers: httpx.Headers
    content: bytes
    asked_at: datetime
    timed: bool


class CodatHttp:
    """Requests to one Codat with one API key; safe for threads, to be made after a fork.

    ``timeout_s`` bounds connecting, each wait for bytes, and the wait for a free connection;
    ``budget_s`` bounds a whole call with its retries. ``now`` is our clock, ``monotonic`` measures
    seconds, ``jitter`` gives 0 to 1.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str,
        timeout_s: float,
        budget_s: float,
        transport: httpx.BaseTransport | None,
        on_quota: Callable[[Quota], None] | None,
        sleep: Callable[[float], None],
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        jitter: Callable[[], float],
        max_answer_bytes: int,
    ) -> None:
        encoded = base64.b64encode(api_key.encode()).decode()
        self._secrets = tuple(secret for secret in (api_key, encoded) if secret)
        self._base_url = base_url.rstrip("/")
        self._timeout_s, self._budget_s = timeout_s, budget_s
        self._on_quota, self._sleep, self._now = on_quota, sleep, now
        self._monotonic, self._jitter, self._max_answer_bytes = monotonic, jitter, max_answer_bytes
        self.quota: Quota | None = None
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

    def __repr__(self) -> str:
        """The class alone: addresses and keys are nobody's business."""
        return f"<{type(self).__name__}>"

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def read(self, *segments: str, query: Sequence[tuple[str, str | int]] = ()) -> CodatResponse:
        """GET, tried again where the trouble may pass; raises ``CodatError``s."""
        url = self._url(segments, query)
        deadline = self._deadline()
        for attempt in range(MAX_RETRIES + 1):
            pause_s = FIRST_PAUSE_S * 2**attempt * (1 - self._jitter() / 2)
            try:
                received = self._attempt("GET", url, None, deadline)
                if received.status < 300:
                    return self._answer(received)
                failure = self._refusal(received)
                if received.status not in TRANSIENT:
                    raise failure
                wanted_s = retry_after_s(received.headers, received.asked_at)
                pause_s = max(pause_s, wanted_s or 0)
            except httpx.TransportError as error:
                failure = _unavailable(error)
                failure.__cause__ = error
                if isinstance(error, httpx.UnsupportedProtocol):
                    raise failure from error
            hopeless = attempt == MAX_RETRIES or pause_s > LONGEST_PAUSE_S
            if hopeless or self._monotonic() + pause_s >= deadline:
                raise failure
            self._sleep(pause_s)
        raise AssertionError("the last attempt returns or raises")

    def write(self, method: str, *segments: str, body: object = None) -> CodatResponse:
        """A change, sent at most once; raises ``CodatUncertain`` where it may have been made all the same."""
        url = self._url(segments, ())
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        deadline = self._deadline()
        for attempt in range(MAX_RETRIES + 1):
            pause_s = FIRST_PAUSE_S * 2**attempt * (1 - self._jitter() / 2)
            try:
                received = self._attempt(method, url, content, deadline)
                break
            except _NEVER_SENT as error:
                hopeless = attempt == MAX_RETRIES or not isinstance(error, _NOT_CONNECTED)
                if hopeless or self._monotonic() + pause_s >= deadline:
                    raise _unavailable(error) from error
            except httpx.TransportError as error:
                raise CodatUncertain from error
            except CodatUnusable as error:
                raise CodatUncertain from error
            self._sleep(pause_s)
        if received.status < 300:
            try:
                return self._answer(received)
            except CodatUnusable as error:
                raise CodatUncertain from error
        failure = self._refusal(received)
        if isinstance(failure, CodatFailing) and failure.may_have_worked:
            raise CodatUncertain(correlation_id=failure.correlation_id) from failure
        raise failure

    def _deadline(self) -> float:
        patience_s = _patience_s.get()
        budget_s = self._budget_s if patience_s is None else min(self._budget_s, patience_s)
        return self._monotonic() + budget_s

    def _url(self, segments: Sequence[str], query: Sequence[tuple[str, str | int]]) -> str:
        address = self._base_url + path_of(segments)
        return f"{address}?{query_of(query)}" if query else address

    def _attempt(self, method: str, url: str, content: bytes | None, deadline: float) -> _Received:
        """Send once and read the whole answer; raises httpx's transport errors and ``CodatUnusable``."""
        bound_s = max(0.001, min(self._timeout_s, deadline - self._monotonic()))
        timeout = httpx.Timeout(connect=bound_s, read=bound_s, write=bound_s, pool=bound_s)
        headers = {} if content is None else {"Content-Type": "application/json"}
        try:
            request = self._http.build_request(method, url, content=content, headers=headers, timeout=timeout)
            response = self._http.send(request, stream=True)
        except httpx.InvalidURL as error:
            raise CodatUnavailable("CODAT_API_URL is not an address that can be asked.") from error
        try:
            date = as_http_date(response.headers.get("Date"))
            received = _Received(
                response.status_code, response.headers, b"", date or self._now(), date is not None
            )
            self._report(received)
            return replace(received, content=self._body(response, deadline))
        except httpx.DecodingError as error:
            raise CodatUnusable("Codat's answer cannot be unpacked.") from error
        finally:
            response.close()

    def _body(self, response: httpx.Response, deadline: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > self._max_answer_bytes:
                raise CodatUnusable("Codat's answer is larger than we take.")
            if self._monotonic() > deadline:
                raise httpx.ReadTimeout("the answer takes longer than the budget of the call")
            chunks.append(chunk)
        return b"".join(chunks)

    def _report(self, received: _Received) -> None:
        quota = quota_of(received.headers, received.asked_at)
        if quota is None:
            return
        self.quota = quota
        if self._on_quota is None:
            return
        try:
            self._on_quota(quota)
        except Exception:
            log.exception("The quota could not be reported")

    def _answer(self, received: _Received) -> CodatResponse:
        body = None
        if received.content.strip():
            try:
                body = json.loads(received.content)
            except (ValueError, RecursionError):
                # Without the cause: it holds the whole body.
                raise CodatUnusable("Codat's answer is not JSON.") from None
        return CodatResponse(body, received.asked_at, received.timed)

    def _refusal(self, received: _Received) -> CodatError:
        return refusal(
            received.status,
            received.headers,
            received.content,
            asked_at=received.asked_at,
            timed=received.timed,
            quota=self.quota,
            secrets=self._secrets,
        )


def _unavailable(error: httpx.TransportError) -> CodatUnavailable:
    kind = type(error).__name__
    if isinstance(error, httpx.UnsupportedProtocol):
        return CodatUnavailable("CODAT_API_URL is not an address that can be asked.")
    if isinstance(error, httpx.PoolTimeout):
        return CodatUnavailable("Too many questions to Codat are open at once.")
    if isinstance(error, httpx.TimeoutException):
        return CodatUnavailable(f"Codat did not answer in time ({kind}).")
    return CodatUnavailable(f"Codat cannot be reached ({kind}).")
