"""Validation of the ``Host`` header, which a caller may choose freely.

An invalid one is ignored instead of refused: a message answered with an unexpected status is lost.
"""

import re

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}"
_NAME = rf"(?=[^:]{{1,253}}(?::|$)){_LABEL}(?:\.{_LABEL})*\.?"
_ADDRESS = r"\[[0-9A-Fa-f:.]{2,45}\]"
_HOST = re.compile(rf"(?:{_NAME}|{_ADDRESS})(?::(\d{{1,5}}))?", re.ASCII)
MAX_PORT = 65_535


def is_valid_host(host: str) -> bool:
    """Whether ``host`` is a name or an address, with a port or without (RFC 9110, 7.2)."""
    match = _HOST.fullmatch(host)
    return match is not None and int(match[1] or 0) <= MAX_PORT
