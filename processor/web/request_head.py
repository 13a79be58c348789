"""The head of an RSGI request: its checks and its WSGI environment."""

import io
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from processor.errors import BadRequest, Unauthorized
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


def check_head(scope: "Scope", path: str) -> None:
    """Raise for an ambiguous request (RFC 9112, 3.2; RFC 3986).

    A message with repeated headers counts as not authentic: Codat handles only the agreed statuses.
    """
    counts = Counter(name for name, _ in scope.headers.items() if name in SINGLE_HEADERS)
    repeated = next((name for name, count in counts.items() if count > 1), None)
    is_message = path.startswith(WEBHOOKS)
    if repeated is not None:
        sentence = f"The request has more than one {repeated} header."
        raise BadRequest(sentence) if repeated == "host" and not is_message else Unauthorized(sentence)
    if is_message:
        return
    if "host" not in counts and not scope.authority and scope.http_version.startswith("1.1"):
        raise BadRequest("The request has no Host header.")
    if not (scope.path.isascii() and scope.query_string.isascii()):
        raise BadRequest("The address holds bytes that are not percent-encoded.")


def declared_length(scope: "Scope") -> int:
    """The Content-Length in bytes; 0 when it is missing or unusable."""
    length = scope.headers.get("content-length") or ""
    return int(length) if length.isascii() and length.isdigit() and len(length) <= MAX_LENGTH_DIGITS else 0


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
        if "_" in name:  # WSGI does not distinguish it from "-", so a caller could forge a proxy's header
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ
