"""Finds free ports and claims a port for a role."""

import errno
import logging
import socket

log = logging.getLogger(__name__)


def free_port(host: str) -> int:
    """A free port of this host. Raises ``OSError`` for an unusable host."""
    return _bound_port(host, 0)


def port_is_taken(host: str, port: int) -> bool:
    """Whether a process listens on the port. Raises ``OSError`` for an unusable host."""
    try:
        _bound_port(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return True
        raise
    return False


def claim_port(host: str, port: int, role: str) -> socket.socket | None:
    """Claim the port for one process of this role until the result is closed; ``None`` if it is claimed.

    Listening alone is no claim, because web servers share a port among their processes. The claim is an
    abstract socket of Linux, which ends with its process; other systems have no claims.
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
