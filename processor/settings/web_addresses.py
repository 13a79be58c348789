"""Addresses that a browser is sent to, read once and in one strict form. Pure.

A browser reads more into an address than a parser of ours would: it drops tabs, takes ``\\`` for ``/`` and an
``@`` for the end of a login (https://url.spec.whatwg.org/#concept-basic-url-parser). So whatever has two
readings is refused, and what is left is written again from its parts.
"""

import re
from dataclasses import dataclass

LONGEST = 2_000
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Hosts of this machine, the only ones that may be addressed without TLS."""

DEFAULT_PORTS = {"https": 443, "http": 80}

_ADDRESS = re.compile(r"(https?)://([^/?#]+)([/?#].*)?", re.IGNORECASE)
_HOST = re.compile(r"(\[::1\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::([0-9]{1,5}))?", re.IGNORECASE)
_SPACE_OR_BACKSLASH = re.compile(r"[\s\\]")


@dataclass(frozen=True, slots=True)
class WebAddress:
    """An address in its normal form: ``origin`` is scheme, host and port; ``rest`` begins with ``/``."""

    origin: str
    rest: str

    def __str__(self) -> str:
        return self.origin + self.rest


def parse(text: str) -> WebAddress:
    """The address in ``text``; raises ``ValueError`` with a sentence about what is wrong."""
    if len(text) > LONGEST:
        raise ValueError(f"Longer than {LONGEST} characters.")
    if not text.isascii() or not text.isprintable() or _SPACE_OR_BACKSLASH.search(text):
        raise ValueError("Has a character that an address may not have; percent-encode it.")
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError("Not an address that begins with https://.")
    scheme, authority, rest = match[1].lower(), match[2].lower(), match[3] or "/"
    if "@" in authority:
        raise ValueError("Has a login before its host.")
    host_match = _HOST.fullmatch(authority)
    if host_match is None:
        raise ValueError("Has no valid host.")
    host, port = host_match[1], int(host_match[2] or DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        raise ValueError("Has no valid port.")
    if scheme == "http" and host not in LOCAL_HOSTS:
        raise ValueError("Must begin with https:// (http:// is for localhost alone).")
    suffix = "" if port == DEFAULT_PORTS[scheme] else f":{port}"
    address = WebAddress(f"{scheme}://{host}{suffix}", rest if rest.startswith("/") else f"/{rest}")
    if len(str(address)) > LONGEST:  # its normal form may be a character longer, and is read again
        raise ValueError(f"Longer than {LONGEST} characters.")
    return address


def parse_origin(text: str) -> str:
    """The origin in ``text``, which has no path; raises ``ValueError``."""
    address = parse(text)
    if address.rest != "/":
        raise ValueError("An origin ends after its host and port.")
    return address.origin
