"""The head of an RSGI request: its checks and its WSGI environment."""

import io
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from processor.errors import BadRequest, ProcessorError, Unauthorized
from processor.web.canonical_request import WEBHOOKS, canonical_path

if TYPE_CHECKING:
    from granian.rsgi import Scope

SINGLE_HEADERS = frozenset(
    {"authorization", "host", "x-codat-clientid"}
    | {f"{family}-{part}" for family in ("webhook", "svix") for part in ("id", "timestamp", "signature")}
)
"""Headers that decide access: sent twice, two readers of a request could see two senders."""

MAX_LENGTH_DIGITS = 15
"""A longer Content-Length is ignored."""

PLACE_CHARS = 32
"""Logged characters of a path's first part."""


def checked_headers(scope: "Scope", path: str) -> dict[str, str]:
    """The headers by their name in lower case, repeated ones joined; raises for an ambiguous request.

    See RFC 9112, 3.2, and RFC 3986. A message with repeated headers counts as not authentic: Codat handles
    only the agreed statuses.
    """
    headers: dict[str, str] = {}
    is_message = path.startswith(WEBHOOKS)
    for name, value in scope.headers.items():
        if name not in headers:
            headers[name] = value
            continue
        if name in SINGLE_HEADERS:
            sentence = f"The request has more than one {name} header."
            raise _refusal(sentence, is_message) if name == "host" else Unauthorized(sentence)
        headers[name] = f"{headers[name]},{value}"
    if "host" not in headers and scope.http_version.startswith("1.1"):  # whatever the address names
        raise _refusal("The request has no Host header.", is_message)
    if is_message:
        return headers
    if not (scope.path.isascii() and scope.query_string.isascii()):
        raise BadRequest("The address holds bytes that are not percent-encoded.")
    return headers


def _refusal(sentence: str, is_message: bool) -> ProcessorError:
    """The error of a request whose host is unclear."""
    return Unauthorized(sentence) if is_message else BadRequest(sentence)


def declared_length(headers: Mapping[str, str]) -> int:
    """The Content-Length in bytes; 0 when it is missing or unusable."""
    length = headers.get("content-length") or ""
    return int(length) if length.isascii() and length.isdigit() and len(length) <= MAX_LENGTH_DIGITS else 0


def peer_of(scope: "Scope") -> str:
    """The address of the peer, without port and brackets."""
    return scope.client.rpartition(":")[0].strip("[]")


def place_of(path: str) -> str:
    """The shortened first part of a path, for logs; the other parts may be a link token."""
    return "/" + path.lstrip("/").partition("/")[0][:PLACE_CHARS]


def path_of(scope: "Scope") -> str:
    """The unquoted, canonical path of a request; octets as Latin-1 (PEP 3333)."""
    return canonical_path(unquote_to_bytes(scope.path).decode("latin-1"))


def environ_of(scope: "Scope", body: bytes) -> dict[str, Any]:
    """The WSGI environment of a request with its complete body (PEP 3333)."""
    server, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path_of(scope),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_NAME": server or "localhost",
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": peer_of(scope),
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
        if "_" in name:  # WSGI does not distinguish it from "-", so a caller could forge a proxy's header
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ
