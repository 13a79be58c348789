"""RSGI gateway to Flask that takes a thread only for complete requests.

The web server hands a request over before its body has arrived, and a thread that reads the body would
belong to a slow caller. Therefore bodies are read on the event loop, within limits of size and time, and
Flask runs in a thread afterwards. https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from processor.alerts.signature import RefusalReason
from processor.errors import ProcessorError, StoreUnavailable, TooLarge, Unauthorized
from processor.web.canonical_request import WEBHOOKS, WsgiApp
from processor.web.idle_connections import ConnectionReaper
from processor.web.message_queue import MessageQueue
from processor.web.message_receiver import MessageReceiver, MessageRequest, problem_response
from processor.web.refusal_log import RefusalLog
from processor.web.request_bodies import BUDGET_BYTES, BodyBudget, BodyEvicted, IncompleteBody, RequestBody
from processor.web.request_head import (
    checked_headers,
    declared_length,
    environ_of,
    path_of,
    peer_of,
    place_of,
)

if TYPE_CHECKING:
    from granian.rsgi import HTTPProtocol, Scope  # type: ignore[attr-defined]

WsgiResponse = tuple[int, list[tuple[str, str]], bytes]

_log = logging.getLogger(__name__)

BODY_WITHIN_S = 10.0
"""Time limit of a body in seconds; Codat gives up after 15."""

EXCESS_BYTES = 1
"""Bytes read beyond the limit of a body without a length: enough to see that it is too large."""

SMALL_BODY_BYTES = 65_536
"""Maximum body of an API call or a form."""

DEDICATED_THREADS = (WEBHOOKS, "/readyz", "/healthz")
"""Paths with threads of their own: they never wait for Codat, and must not wait behind requests that do."""

MESSAGES = ("/webhooks/codat", "/webhooks/codat/")
MESSAGE_METHODS = ("POST", "PUT")
"""Requests that are messages: they go past Flask."""

TIMED = (WEBHOOKS, "/readyz")
"""Paths answered within ``ANSWER_WITHIN_S``, if need be with 503."""

ANSWER_WITHIN_S = 0.9
"""Time limit of a response in seconds after the request is complete; the contract says one second.

When Redis hangs, every thread waits for it, and later requests would wait for all earlier ones. A message
that is stored after its 503 is a duplicate when it is sent again.
"""

MAX_DISCARDED_BYTES = 64 * 1024 * 1024
"""Bytes of a too large body that are read and discarded, so that the sender receives the response."""

COUNTED_REFUSALS: Mapping[type[ProcessorError], RefusalReason] = {
    Unauthorized: RefusalReason.HEADERS,
    TooLarge: RefusalReason.TOO_LARGE,
    IncompleteBody: RefusalReason.INCOMPLETE,
    BodyEvicted: RefusalReason.CROWDED,
}
"""Errors that the gateway raises for messages, and the reason under which each is counted."""


class RsgiGateway:
    """An RSGI application that calls the WSGI application ``app`` with complete requests.

    Messages go to ``receiver`` instead, if there is one, in batches.
    ``threads`` is the number of concurrent requests, and as many again per path of ``DEDICATED_THREADS``.
    A body has at most ``max_body_bytes`` (``SMALL_BODY_BYTES`` outside ``WEBHOOKS``), and all bodies together
    at most ``budget_bytes``. A body that is not complete within ``body_within_s`` is answered 503 and
    discarded. Paths of ``TIMED`` are answered 503 after ``answer_within_s``; a request without a thread by
    then is dropped. ``count`` receives the reasons of refused messages, ``refusal_log`` writes log lines;
    both must not block.
    """

    def __init__(
        self,
        app: WsgiApp,
        *,
        threads: int,
        max_body_bytes: int,
        receiver: MessageReceiver | None = None,
        body_within_s: float = BODY_WITHIN_S,
        answer_within_s: float = ANSWER_WITHIN_S,
        count: Callable[[RefusalReason], object] = lambda _: None,
        refusal_log: RefusalLog | None = None,
        budget_bytes: int = BUDGET_BYTES,
    ) -> None:
        self._app = app
        self._count = count
        self._refusal_log = refusal_log or RefusalLog()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._dedicated_pools = {
            path: ThreadPoolExecutor(threads, thread_name_prefix=path.strip("/"))
            for path in DEDICATED_THREADS
        }
        self._max_body_bytes = max_body_bytes
        self._body_within_s, self._answer_within_s = body_within_s, answer_within_s
        self._messages = MessageQueue(receiver, answer_within_s=answer_within_s) if receiver else None
        self._budget = BodyBudget(max(budget_bytes, 2 * max_body_bytes))
        self._reaper = ConnectionReaper()

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start serving; the server calls this once in each process."""
        self._reaper.start()

    async def __rsgi__(self, scope: "Scope", protocol: "HTTPProtocol") -> None:
        """Answer one request."""
        self._reaper.note_request(scope.client)
        try:
            protocol.response_bytes(*await self._respond(scope, protocol))
        except ProcessorError as refusal:
            self._record(refusal, scope)
            protocol.response_bytes(*problem_response(refusal, ("connection", "close")))

    def _record(self, refusal: ProcessorError, scope: "Scope") -> None:
        """Count a refused message, and log."""
        reason = COUNTED_REFUSALS.get(type(refusal))
        if reason is not None and path_of(scope).startswith(WEBHOOKS):
            self._count(reason)
        fields = {"place": place_of(scope.path), "why": refusal.detail}
        self._refusal_log.warn(_log, "a request was refused", reason=reason or refusal.code, **fields)

    async def _respond(self, scope: "Scope", protocol: "HTTPProtocol") -> WsgiResponse:
        path = path_of(scope)
        headers = checked_headers(scope, path)
        with self._budget.body() as body:
            await self._receive(body, headers, protocol, path)
            if self._messages is not None and path in MESSAGES and scope.method in MESSAGE_METHODS:
                return await self._messages.respond(MessageRequest(headers, body.take(), peer_of(scope)))
            # Emptied when no thread starts in time: the pool keeps a cancelled call with its arguments.
            environs = [environ_of(scope, body.take())]
            call = asyncio.get_running_loop().run_in_executor(self._pool_for(path), self._call, environs)
            try:
                within_s = self._answer_within_s if path.startswith(TIMED) else None
                return await asyncio.wait_for(call, within_s)
            except TimeoutError:
                raise StoreUnavailable("The request could not be answered in time.") from None
            except Exception:  # the server would answer 500, after which Codat does not send an alert again
                _log.exception("a request could not be answered", extra={"place": place_of(scope.path)})
                raise StoreUnavailable() from None
            finally:
                environs.clear()

    async def _receive(
        self, body: RequestBody, headers: Mapping[str, str], protocol: "HTTPProtocol", path: str
    ) -> None:
        """Read the whole body; raises ``StoreUnavailable`` for an incomplete one, or ``TooLarge``."""
        if "content-length" not in headers and "transfer-encoding" not in headers:
            return
        max_bytes = self._max_body_bytes if path.startswith(WEBHOOKS) else SMALL_BODY_BYTES
        length = declared_length(headers)
        discarded_bytes, empty_parts = 0, 0
        try:
            async with asyncio.timeout(self._body_within_s) as body.limit:
                if 0 < length <= min(max_bytes, SMALL_BODY_BYTES) and "transfer-encoding" not in headers:
                    await _receive_at_once(body, protocol, length)
                    return
                async for chunk in protocol:
                    empty_parts += not chunk
                    room = max_bytes + EXCESS_BYTES - body.size
                    body.add(chunk[:room])
                    discarded_bytes += max(0, len(chunk) - room)
                    if discarded_bytes > MAX_DISCARDED_BYTES:
                        break
        except TimeoutError:
            if length > max_bytes:
                raise TooLarge() from None
            if body.is_evicted:
                raise BodyEvicted() from None
            raise IncompleteBody("The request did not arrive in time; send it again.") from None
        if body.size > max_bytes:
            raise TooLarge()
        # The server sends one empty part for a body that breaks off, and another for the end.
        if body.size < length or empty_parts > 1:
            raise IncompleteBody()

    def _pool_for(self, path: str) -> ThreadPoolExecutor:
        pools = (pool for prefix, pool in self._dedicated_pools.items() if path.startswith(prefix))
        return next(pools, self._pool)

    def _call(self, environs: list[dict[str, Any]]) -> WsgiResponse:
        """Call the WSGI application with the single environment in ``environs``; its complete response."""
        environ = environs.pop()
        started: list[tuple[int, list[tuple[str, str]]]] = []
        written: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], _info: object = None) -> Any:
            started[:] = [(int(status.split(" ", 1)[0]), headers)]
            return written.append

        parts = self._app(environ, start_response)
        try:
            written.extend(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        status, headers = started[0]
        return status, [(name.lower(), value) for name, value in headers], b"".join(written)


async def _receive_at_once(body: RequestBody, protocol: "HTTPProtocol", length: int) -> None:
    """Read a body of ``length`` bytes in one step; in parts each of them would cost one."""
    body.reserve(length)
    try:
        octets = await protocol()
    except ProtocolClosed:
        raise IncompleteBody() from None
    if len(octets) < length:
        raise IncompleteBody()
    body.fill(octets)
