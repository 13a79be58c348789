"""Addresses that a subscriber may have: public ones, and none that embeds or forwards to another address."""

import ipaddress
import socket
from collections.abc import Callable, Sequence

Resolver = Callable[[str, int], Sequence[str]]
"""Returns all addresses of a name as text; raises ``OSError`` when there are none."""

REFUSED = tuple(
    (ipaddress.ip_network(network), why)
    for network, why in (
        ("64:ff9b::/96", "it leads to an IPv4 address (NAT64)"),
        ("64:ff9b:1::/48", "it leads to an IPv4 address (NAT64)"),
        ("2002::/16", "it leads to an IPv4 address (6to4)"),
        ("2001::/32", "it leads to an IPv4 address (Teredo)"),
        ("192.88.99.0/24", "it is a relay (6to4)"),
        ("fec0::/10", "it is site-local"),
        ("::/96", "it hides an IPv4 address"),
        ("::ffff:0:0/96", "it hides an IPv4 address"),
        ("::ffff:0:0:0/96", "it hides an IPv4 address"),
        ("3fff::/20", "it is for documentation"),
        ("2001:db8::/32", "it is for documentation"),
        ("5f00::/16", "it is for segment routing"),
        ("100::/64", "it is discarded"),
        ("100:0:0:1::/64", "it is discarded"),
        ("100.64.0.0/10", "it is shared address space"),
        ("192.0.0.0/24", "it is reserved"),
        ("240.0.0.0/4", "it is reserved"),
    )
)
"""Networks refused in addition to ``ipaddress.is_global``, whose result differs between Python versions."""


def refusal(address: str) -> str | None:
    """Why an address is refused; ``None`` for a public one."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "it is no address"
    if getattr(ip, "scope_id", None):
        return "it is valid on one link only"
    for network, why in REFUSED:
        if ip in network:
            return why
    if ip.is_multicast:
        return "it is multicast"
    if not ip.is_global or ip.is_private or ip.is_reserved or ip.is_unspecified or ip.is_loopback:
        return "it is not public"
    return None


def refusal_of_literal(host: str) -> str | None:
    """Why a host in a URL is refused; ``None`` for a name, which is resolved before each attempt."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        name = host.rstrip(".").lower()
        if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
            return "it is a name of this machine or network"
        return None
    return refusal(host)


def resolve(host: str, port: int) -> list[str]:
    """All addresses of ``host`` by the system's resolver."""
    rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in rows))
