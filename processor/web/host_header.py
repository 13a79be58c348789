"""The ``Host`` of a request, which anybody may make up.

Nothing here depends on it, so a strange one is no reason to refuse a request: a message that is answered
with another code than ours is lost for good. One that no host can have is passed over.
"""

import re

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}"
_NAME = rf"(?=[^:]{{1,253}}(?::|$)){_LABEL}(?:\.{_LABEL})*\.?"
_ADDRESS = r"\[[0-9A-Fa-f:.]{2,45}\]"
_HOST = re.compile(rf"(?:{_NAME}|{_ADDRESS})(?::(\d{{1,5}}))?", re.ASCII)
MOST_PORT = 65_535


def is_possible(host: str) -> bool:
    """Whether ``host`` is a name or an address, with a port or without (RFC 9110, 7.2)."""
    found = _HOST.fullmatch(host)
    return found is not None and int(found[1] or 0) <= MOST_PORT
