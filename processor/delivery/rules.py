"""What a subscriber may be like: address, types, headers. Raises :class:`Invalid` naming the field. Pure."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from handlers.milestones import NotificationType
from processor.delivery.ssrf import refusal_of_literal
from processor.errors import Invalid

TYPES = tuple(notice.value for notice in NotificationType)
LONGEST_URL = 2_000
MOST_HEADERS = 20
LONGEST_HEADER = 2_000
LONGEST_NAME = 200
PORTS = frozenset({80, 443, 8080, 8443})
"""Ports that a subscriber may listen on; any where private addresses are allowed."""

OURS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding"}
    | {"te", "trailer", "upgrade", "expect", "keep-alive", "proxy-authorization", "proxy-connection"}
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def check_url(url: str, *, allow_private: bool) -> str:
    """The address, if one may send there at all; where its name leads is looked at before each attempt."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _wrong("url", f"An address of at most {LONGEST_URL} printable ASCII characters is needed.")
    try:
        parts = urlsplit(url)
        port = port_of(parts)
    except ValueError:
        raise _wrong("url", "This is no URL.") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise _wrong("url", "The URL must begin with https:// or http:// and name a host.")
    if parts.username is not None or parts.password is not None:
        raise _wrong("url", "The URL must not hold credentials; send them as a header of your own.")
    if parts.fragment:
        raise _wrong("url", "The URL must not have a fragment.")
    if allow_private:
        return url
    if port not in PORTS:
        raise _wrong("url", f"The port must be one of {', '.join(map(str, sorted(PORTS)))}.")
    reason = refusal_of_literal(parts.hostname)
    if reason is not None:
        raise _wrong("url", f"The host must be public: {reason}.")
    return url


def port_of(parts: SplitResult) -> int:
    """The port of a URL; raises ``ValueError`` for one that is none."""
    port = parts.port
    return (443 if parts.scheme == "https" else 80) if port is None else port


def check_types(types: Sequence[str]) -> tuple[str, ...]:
    """The types that a subscriber wants; none stands for all."""
    for one in types:
        if one not in TYPES:
            raise _wrong("types", f"Not a type of notification: {one[:LONGEST_NAME]!r}.")
    return tuple(dict.fromkeys(types))


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of the subscriber's own; none of them may be one of ours."""
    if len(headers) > MOST_HEADERS:
        raise _wrong("headers", f"There may be at most {MOST_HEADERS} headers.")
    seen: set[str] = set()
    for name, value in headers.items():
        lower = name.lower()
        if not _TOKEN.fullmatch(name) or len(name) > LONGEST_NAME:
            raise _wrong("headers", f"Not the name of a header: {name[:LONGEST_NAME]!r}.")
        if lower in OURS or lower.startswith(("webhook-", "svix-")) or lower in seen:
            raise _wrong("headers", f"The header {name} is set by this service, or named twice.")
        if len(value) > LONGEST_HEADER or not value.isascii() or not (value.isprintable()):
            raise _wrong("headers", f"The value of {name} must be printable ASCII.")
        seen.add(lower)
    return dict(headers)


def check_description(text: str) -> str:
    """A note of the operator's on one line."""
    if len(text) > LONGEST_NAME or not (text.isprintable()):
        raise _wrong("description", f"At most {LONGEST_NAME} printable characters.")
    return text


def _wrong(field: str, sentence: str) -> Invalid:
    return Invalid(errors={field: [sentence]})
