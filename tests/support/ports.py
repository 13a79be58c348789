"""Ports for servers that listen only moments after their port was chosen.

The system gives out ports from a range of its own to everybody who asks for any, and beside a test many
do: of two who take what was free a moment ago, one finds it taken. These ports lie below that range.
"""

import itertools
import os
import socket
from pathlib import Path

from processor.runtime.ports import claim_port, free_port, port_is_taken

HOST = "127.0.0.1"
FIRST = 12_000
USUAL_RANGE = 32_768
"""Where the system's own range begins on Linux, unless it says otherwise; on macOS it begins higher."""

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
APART = 41
"""How far the ports of two processes with neighbouring numbers lie apart."""

_steps = itertools.count()
_claims: list[socket.socket] = []
"""They keep other test processes from these ports, also before a server listens there."""


def own_port() -> int:
    """A port of this machine that nobody listens on and that nobody gets by chance."""
    end = int(RANGE.read_text().split()[0]) if RANGE.exists() else USUAL_RANGE
    if end < FIRST + 1_000:
        return free_port(HOST)  # the system gives out nearly all
    while True:
        port = FIRST + (os.getpid() * APART + next(_steps)) % (end - FIRST)
        if (claim := claim_port(HOST, port, "test")) and not port_is_taken(HOST, port):
            _claims.append(claim)
            return port
