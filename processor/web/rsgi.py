"""Between the web server and Flask: whole requests only, so that slow callers hold no thread.

The server hands a request over before its body has come. A thread that waits for the body
belongs to whoever sends it slowly, and a handful of such callers would keep every thread.
Here bodies are read on the event loop, up to a limit and within a time, and only then is a
thread taken. The interface is RSGI (https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md).
"""

import asyncio
import io
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from processor.alerts.refusals import RefusalReason
from processor.errors import BadRequest, ProcessorError, StoreUnavailable, TooLarge, Unauthorized
from processor.web.canonical_request import WEBHOOKS, canonical_path
from processor.web.idle_connections import ConnectionReaper
from processor.web.problem_json import PROBLEM
from processor.web.refusal_log import RefusalLog
from processor.web.request_bodies import BUDGET_BYTES, BodyBudget, CrowdedOut, IncompleteBody, RequestBody

if TYPE_CHECKING:
    from granian.rsgi import HTTPProtocol, Scope  # type: ignore[attr-defined]

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Answer = tuple[int, list[tuple[str, str]], bytes]

_log = logging.getLogger(__name__)

BODY_WITHIN_S = 10.0
"""How long a body may take to come, in seconds; Codat gives up on us after 15."""

MORE_THAN_ENOUGH = 1
"""So many bytes beyond the limit are read of a body without a length: enough to see that it is too large."""

SMALL_BODY_BYTES = 65_536
"""Largest body of a call of the API or of a form."""

SINGLE = frozenset(
    {"authorization", "host", "x-codat-clientid"}
    | {f"{family}-{part}" for family in ("webhook", "svix") for part in ("id", "timestamp", "signature")}
)
"""Headers that decide who may do what: sent twice, two readers of one request could see two senders."""

URGENT = (WEBHOOKS, "/readyz", "/healthz")
"""What has threads of its own, each: it never waits for Codat, and must not wait behind what does."""

PROMPT = (WEBHOOKS, "/readyz")
"""What is answered within ``ANSWER_WITHIN_S``, if need be by 503."""

ANSWER_WITHIN_S = 0.9
"""How long after a request has come its answer may take, in seconds; the contract says one.

When Redis hangs every thread waits for it a while, and whoever waits for a thread would wait as long as
there are senders before. A message that is kept after all is a duplicate when it is sent again.
"""

LONGEST_LENGTH = 15
"""Digits of a length that is of use."""

PLACE_CHARS = 32
"""So much of the first part of a path is logged."""

DROP_MOST = 64 * 1024 * 1024
"""So much of a body that is too large is read and dropped: a sender cut off in the middle never sees why."""


COUNTED: Mapping[type[ProcessorError], RefusalReason] = {
    Unauthorized: RefusalReason.HEADERS,
    TooLarge: RefusalReason.TOO_LARGE,
    IncompleteBody: RefusalReason.INCOMPLETE,
    CrowdedOut: RefusalReason.CROWDED,
}
"""Messages that are refused here, by what is raised for them."""


class RsgiGateway:
    """An RSGI application that calls the WSGI application ``app`` with complete requests.

    ``threads`` requests are worked on at a time, and as many of each that is ``URGENT``. Of a body at
    most ``max_body_bytes`` (``SMALL_BODY_BYTES`` outside of ``WEBHOOKS``) and one byte are kept, and all
    bodies together stay within ``BUDGET_BYTES``. What a caller does not finish within ``body_within_s``, or
    breaks off, is answered 503: nothing of it is looked at. What is to be ``PROMPT`` is answered 503
    after ``answer_within_s``; where no thread had begun on it, none does. ``count`` is told of messages that
    are refused here, ``refusals`` writes the log lines; both must return at once.
    """

    def __init__(
        self,
        app: WsgiApp,
        *,
        threads: int,
        max_body_bytes: int,
        body_within_s: float = BODY_WITHIN_S,
        answer_within_s: float = ANSWER_WITHIN_S,
        count: Callable[[RefusalReason], object] = lambda _: None,
        refusals: RefusalLog | None = None,
    ) -> None:
        self._app = app
        self._count = count
        self._refusals = refusals or RefusalLog()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._urgent = {
            path: ThreadPoolExecutor(threads, thread_name_prefix=path.strip("/")) for path in URGENT
        }
        self._max_body_bytes = max_body_bytes
        self._within_s = body_within_s
        self._answer_within_s = answer_within_s
        self._budget = BodyBudget(max(BUDGET_BYTES, 2 * max_body_bytes))
        self._reaper = ConnectionReaper()

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to serve; the server calls this once in each process."""
        self._reaper.start()

    async def __rsgi__(self, scope: "Scope", protocol: "HTTPProtocol") -> None:
        """Answer one request."""
        self._reaper.spoke(scope.client)
        try:
            protocol.response_bytes(*await self._answer(scope, protocol))
        except ProcessorError as refusal:
            self._note(refusal, scope)
            headers = [("content-type", PROBLEM), ("connection", "close"), *refusal.headers().items()]
            protocol.response_bytes(int(refusal.status), headers, json.dumps(refusal.problem()).encode())

    def _note(self, refusal: ProcessorError, scope: "Scope") -> None:
        """Count a refused message, and log."""
        reason = COUNTED.get(type(refusal))
        if reason is not None and path_of(scope).startswith(WEBHOOKS):
            self._count(reason)
        fields = {"place": _place(scope.path), "why": refusal.detail}
        self._refusals.warn(_log, "a request was refused", reason=reason or refusal.code, **fields)

    async def _answer(self, scope: "Scope", protocol: "HTTPProtocol") -> Answer:
        path = path_of(scope)
        _check_head(scope, path)
        with self._budget.body() as body:
            await self._receive(body, scope, protocol, path)
            # Emptied where no thread begins in time: the pool keeps a cancelled call, with its arguments.
            request = [environ_of(scope, body.take())]
            answering = asyncio.get_running_loop().run_in_executor(self._pool_for(path), self._call, request)
            try:
                within_s = self._answer_within_s if path.startswith(PROMPT) else None
                return await asyncio.wait_for(answering, within_s)
            except TimeoutError:
                raise StoreUnavailable("The request could not be answered in time.") from None
            except Exception:  # the server would answer 500, after which an alert does not come again
                _log.exception("a request could not be answered", extra={"place": _place(scope.path)})
                raise StoreUnavailable() from None
            finally:
                request.clear()

    async def _receive(self, body: RequestBody, scope: "Scope", protocol: "HTTPProtocol", path: str) -> None:
        """Read the whole body; raises ``StoreUnavailable`` or ``TooLarge`` for what does not come whole."""
        headers = scope.headers
        if "content-length" not in headers and "transfer-encoding" not in headers:
            return
        most = self._max_body_bytes if path.startswith(WEBHOOKS) else SMALL_BODY_BYTES
        declared = _declared(scope)
        dropped, ends = 0, 0
        try:
            async with asyncio.timeout(self._within_s) as body.limit:
                async for chunk in protocol:
                    ends += not chunk
                    room = most + MORE_THAN_ENOUGH - body.size
                    body.add(chunk[:room])
                    dropped += max(0, len(chunk) - room)
                    if dropped > DROP_MOST:
                        break
        except TimeoutError:
            if declared > most:
                raise TooLarge() from None
            if body.is_evicted:
                raise CrowdedOut() from None
            raise IncompleteBody("The request did not arrive in time; send it again.") from None
        if body.size > most:
            raise TooLarge()
        # The server tells of a body that breaks off by one empty part, and of the end by another.
        if body.size < declared or ends > 1:
            raise IncompleteBody()

    def _pool_for(self, path: str) -> ThreadPoolExecutor:
        return next((pool for start, pool in self._urgent.items() if path.startswith(start)), self._pool)

    def _call(self, request: list[dict[str, Any]]) -> Answer:
        """Call the WSGI application with the one environment in ``request``; its whole answer."""
        environ = request.pop()
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


def _check_head(scope: "Scope", path: str) -> None:
    """Raise where a request can be read in two ways (RFC 9112, 3.2; RFC 3986).

    A message with doubtful headers is not authentic, for its sender gets no answers but those agreed on.
    """
    times = Counter(name for name, _ in scope.headers.items() if name in SINGLE)
    twice = next((name for name, count in times.items() if count > 1), None)
    is_message = path.startswith(WEBHOOKS)
    if twice is not None:
        sentence = f"The request has more than one {twice} header."
        raise BadRequest(sentence) if twice == "host" and not is_message else Unauthorized(sentence)
    if is_message:
        return
    if "host" not in times and not scope.authority and scope.http_version.startswith("1.1"):
        raise BadRequest("The request has no Host header.")
    if not (scope.path.isascii() and scope.query_string.isascii()):
        raise BadRequest("The address holds bytes that are not percent-encoded.")


def _declared(scope: "Scope") -> int:
    """How long the body is by its own account; 0 where nothing, or nothing of use, is said."""
    said = scope.headers.get("content-length") or ""
    return int(said) if said.isascii() and said.isdigit() and len(said) <= LONGEST_LENGTH else 0


def _place(path: str) -> str:
    """The first part of a path, cut; what follows may be the token of a link."""
    return "/" + path.lstrip("/").partition("/")[0][:PLACE_CHARS]


def path_of(scope: "Scope") -> str:
    """The path of a request without its escapes, in one form; octets as Latin-1 (PEP 3333)."""
    return canonical_path(unquote_to_bytes(scope.path).decode("latin-1"))


def environ_of(scope: "Scope", body: bytes) -> dict[str, Any]:
    """The WSGI environment of a request whose body has come (PEP 3333)."""
    server, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path_of(scope),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_NAME": server or "localhost",
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if "_" in name:  # WSGI does not tell it from "-": anybody could speak for our proxies
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ
