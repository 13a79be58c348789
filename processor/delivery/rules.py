"""Validation of a subscriber's URL, types, headers, rate and description. Pure.

Each check returns the value, or raises :class:`Invalid` with the field's name.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from handlers.milestones import NOTIFICATION_TYPES
from processor.delivery.ssrf import refusal_of_literal
from processor.errors import Invalid

CONDITION_BEGAN, CONDITION_ENDED = OPERATOR_TYPES = ("operator.condition.began", "operator.condition.ended")
"""Types about the service itself: only a subscriber that names them receives them."""

SUBSCRIBABLE_TYPES = (*NOTIFICATION_TYPES, *OPERATOR_TYPES)
LONGEST_URL = 2_000
MOST_HEADERS = 20
LONGEST_HEADER = 2_000
LONGEST_NAME = 200
LOWEST_RATE, HIGHEST_RATE = 0.01, 10_000
PORTS = frozenset({80, 443, 8080, 8443})
"""Ports that a subscriber may listen on; any port where private addresses are allowed."""

RESERVED_HEADERS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding"}
    | {"te", "trailer", "upgrade", "expect", "keep-alive", "proxy-authorization", "proxy-connection"}
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def check_url(url: str, *, allow_private: bool, allow_http: bool = False) -> str:
    """Check a URL; the addresses of its host are checked before each attempt.

    ``allow_private`` also allows ``http://``.
    """
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _invalid("url", f"An address of at most {LONGEST_URL} printable ASCII characters is needed.")
    try:
        parts = urlsplit(url)
        port = port_of(parts)
    except ValueError:
        raise _invalid("url", "This is no URL.") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        schemes = "https:// or http://" if allow_private or allow_http else "https://"
        raise _invalid("url", f"The URL must begin with {schemes} and name a host.")
    if parts.username is not None or parts.password is not None:
        raise _invalid("url", "The URL must not hold credentials; send them as a header of your own.")
    if parts.fragment:
        raise _invalid("url", "The URL must not have a fragment.")
    if allow_private:
        return url
    if port not in PORTS:
        raise _invalid("url", f"The port must be one of {', '.join(map(str, sorted(PORTS)))}.")
    reason = refusal_of_literal(parts.hostname)
    if reason is not None:
        raise _invalid("url", f"The host must be public: {reason}.")
    if parts.scheme != "https" and not allow_http:
        raise _invalid("url", "The URL must begin with https:// (ALLOW_HTTP_SUBSCRIBERS allows http://).")
    return url


def port_of(parts: SplitResult) -> int:
    """The port of a URL; raises ``ValueError`` for an invalid one."""
    port = parts.port
    return (443 if parts.scheme == "https" else 80) if port is None else port


def check_types(types: Sequence[str]) -> tuple[str, ...]:
    """Check notification types; none means all but ``OPERATOR_TYPES``."""
    for type_ in types:
        if type_ not in SUBSCRIBABLE_TYPES:
            raise _invalid("types", f"Not a type of notification: {type_[:LONGEST_NAME]!r}.")
    return tuple(dict.fromkeys(types))


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Check additional headers; none may be one that this service sets."""
    if len(headers) > MOST_HEADERS:
        raise _invalid("headers", f"There may be at most {MOST_HEADERS} headers.")
    seen: set[str] = set()
    for name, value in headers.items():
        lower = name.lower()
        if not _TOKEN.fullmatch(name) or len(name) > LONGEST_NAME:
            raise _invalid("headers", f"Not the name of a header: {name[:LONGEST_NAME]!r}.")
        if lower in RESERVED_HEADERS or lower.startswith(("webhook-", "svix-")) or lower in seen:
            raise _invalid("headers", f"The header {name} is set by this service, or named twice.")
        if len(value) > LONGEST_HEADER or not value.isascii() or not value.isprintable():
            raise _invalid("headers", f"The value of {name} must be printable ASCII.")
        seen.add(lower)
    return dict(headers)


def check_rate(rate_per_s: float | None) -> float:
    """Check the most requests a second; 0 and ``None`` mean no limit."""
    if rate_per_s and not LOWEST_RATE <= rate_per_s <= HIGHEST_RATE:  # also refuses what is no number
        raise _invalid("rate_per_s", f"0 for no limit, or from {LOWEST_RATE:g} to {HIGHEST_RATE:,}.")
    return rate_per_s or 0.0


def check_description(text: str) -> str:
    """Check the operator's note, which is one line."""
    if len(text) > LONGEST_NAME or not text.isprintable():
        raise _invalid("description", f"At most {LONGEST_NAME} printable characters.")
    return text


def _invalid(field: str, sentence: str) -> Invalid:
    return Invalid(errors={field: [sentence]})
