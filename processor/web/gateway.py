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
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from processor.errors import ProcessorError, StoreUnavailable, TooLarge
from processor.web.problems import PROBLEM

if TYPE_CHECKING:
    from granian.rsgi import HTTPProtocol, Scope  # type: ignore[attr-defined]

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Answer = tuple[int, list[tuple[str, str]], bytes]

_log = logging.getLogger(__name__)

BODY_WITHIN_S = 10.0
"""How long a body may take to come, in seconds; Codat gives up on us after 15."""

MORE_THAN_ENOUGH = 1
"""So many bytes beyond the limit are read of a body without a length: enough to see that it is too large."""


URGENT = ("/webhooks/", "/readyz", "/healthz")
"""What has threads of its own, each: it never waits for Codat, and must not wait behind what does."""

PROMPT = ("/webhooks/", "/readyz")
"""What is answered within ``ANSWER_WITHIN_S``, if need be by 503."""

ANSWER_WITHIN_S = 0.9
"""How long after a request has come its answer may take, in seconds; the contract says one.

When Redis hangs every thread waits for it a while, and whoever waits for a thread would wait as long as
there are senders before. A message that is kept after all is a duplicate when it is sent again.
"""

DROP_MOST = 64 * 1024 * 1024
"""So much of a body that is too large is read and dropped: a sender cut off in the middle never sees why."""


class Gateway:
    """An RSGI application that calls the WSGI application ``app`` with complete requests.

    ``threads`` requests are worked on at a time, and as many of each that is ``URGENT``. Of a body at
    most ``max_body_bytes`` and one byte are kept. What a caller does not finish within
    ``body_within_s``, or breaks off, is answered 503: nothing of it is looked at. What is to be
    ``PROMPT`` is answered 503 after ``answer_within_s``; where no thread had begun on it, none does.
    """

    def __init__(
        self,
        app: WsgiApp,
        *,
        threads: int,
        max_body_bytes: int,
        body_within_s: float = BODY_WITHIN_S,
        answer_within_s: float = ANSWER_WITHIN_S,
    ) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._urgent = {
            path: ThreadPoolExecutor(threads, thread_name_prefix=path.strip("/")) for path in URGENT
        }
        self._most = max_body_bytes
        self._within_s = body_within_s
        self._answer_within_s = answer_within_s

    async def __rsgi__(self, scope: "Scope", protocol: "HTTPProtocol") -> None:
        """Answer one request."""
        try:
            body = await asyncio.wait_for(self._body(scope, protocol), self._within_s)
        except TimeoutError:
            _log.warning("a caller did not finish a request in time", extra={"place": _place(scope.path)})
            late = "The request did not arrive in time; send it again."
            self._refuse(protocol, TooLarge() if self._is_too_large(scope) else StoreUnavailable(late))
            return
        if len(body) < min(_declared(scope), self._most):
            _log.warning("a caller broke off a request", extra={"place": _place(scope.path)})
            self._refuse(protocol, StoreUnavailable("The request did not arrive whole; send it again."))
            return
        answering = asyncio.get_running_loop().run_in_executor(
            self._pool_for(scope.path), self._call, environ_of(scope, body)
        )
        try:
            within_s = self._answer_within_s if scope.path.startswith(PROMPT) else None
            answer = await asyncio.wait_for(answering, within_s)
        except TimeoutError:
            _log.warning("a request could not be answered in time", extra={"place": _place(scope.path)})
            self._refuse(protocol, StoreUnavailable())
            return
        except Exception:  # the server would answer 500, after which an alert does not come again
            _log.exception("a request could not be answered", extra={"place": _place(scope.path)})
            self._refuse(protocol, StoreUnavailable())
            return
        protocol.response_bytes(*answer)

    def _pool_for(self, path: str) -> ThreadPoolExecutor:
        return next((pool for start, pool in self._urgent.items() if path.startswith(start)), self._pool)

    def _is_too_large(self, scope: "Scope") -> bool:
        return _declared(scope) > self._most

    def _refuse(self, protocol: "HTTPProtocol", problem: ProcessorError) -> None:
        headers = [("content-type", PROBLEM), ("connection", "close"), *problem.headers().items()]
        protocol.response_bytes(int(problem.status), headers, json.dumps(problem.problem()).encode())

    async def _body(self, scope: "Scope", protocol: "HTTPProtocol") -> bytes:
        if scope.method in ("GET", "HEAD"):
            return b""
        body, dropped = bytearray(), 0
        async for chunk in protocol:
            room = self._most + MORE_THAN_ENOUGH - len(body)
            body += chunk[:room]
            dropped += max(0, len(chunk) - room)
            if dropped > DROP_MOST:
                break
        return bytes(body)

    def _call(self, environ: dict[str, Any]) -> Answer:
        """Call the WSGI application; its whole answer."""
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


def _declared(scope: "Scope") -> int:
    """How long the body is by its own account; 0 where nothing, or nothing of use, is said."""
    said = scope.headers.get("content-length") or ""
    return int(said) if said.isascii() and said.isdigit() else 0


def _place(path: str) -> str:
    """The first part of a path; what follows may be the token of a link."""
    return "/" + path.lstrip("/").partition("/")[0]


def environ_of(scope: "Scope", body: bytes) -> dict[str, Any]:
    """The WSGI environment of a request whose body has come (PEP 3333)."""
    server, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope.path).decode("latin-1"),
        "QUERY_STRING": scope.query_string,
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
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    if "HTTP_HOST" not in environ and scope.authority:
        environ["HTTP_HOST"] = scope.authority
    return environ
