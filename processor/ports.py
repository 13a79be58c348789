"""Ports of this machine: whether one is free, and which is."""

import errno
import socket


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


def _bound_port(host: str, port: int) -> int:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return int(probe.getsockname()[1])
