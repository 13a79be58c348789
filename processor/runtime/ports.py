"""Ports to listen on: which are free, and whose one is."""

import errno
import logging
import socket

log = logging.getLogger(__name__)


def free_port(host: str) -> int:
    """A port of this host that nobody listens on now. Raises ``OSError`` for an unusable host."""
    return _bound_port(host, 0)


def port_is_taken(host: str, port: int) -> bool:
    """Whether somebody listens there already. Raises ``OSError`` for an unusable host."""
    try:
        _bound_port(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return True
        raise
    return False


def claim_port(host: str, port: int, role: str) -> socket.socket | None:
    """Keep the port from others of this role until the answer is closed; ``None``: another has it.

    A listening port does not do that: web servers share it on purpose among their processes. The claim is
    a name among Linux's abstract sockets, which goes with its holder; elsewhere nothing is claimed.
    """
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0codat-processor {role} {host}:{port}")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            claim.close()
            return None
        log.debug("A port cannot be claimed here", extra={"error": repr(error)})
    return claim


def _bound_port(host: str, port: int) -> int:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return int(probe.getsockname()[1])
