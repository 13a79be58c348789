"""The ``Host`` of a request, which anybody may make up.

Nothing here depends on it, so a strange one is no reason to refuse a request: a message that is answered
with another code than ours is lost for good. One that no host can have is passed over.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}"
_NAME = rf"(?=[^:]{{1,253}}(?::|$)){_LABEL}(?:\.{_LABEL})*\.?"
_ADDRESS = r"\[[0-9A-Fa-f:.]{2,45}\]"
_HOST = re.compile(rf"(?:{_NAME}|{_ADDRESS})(?::(\d{{1,5}}))?", re.ASCII)
MOST_PORT = 65_535


def is_possible(host: str) -> bool:
    """Whether ``host`` is a name or an address, with a port or without (RFC 9110, 7.2)."""
    found = _HOST.fullmatch(host)
    return found is not None and int(found[1] or 0) <= MOST_PORT


class PossibleHosts:
    """Passes requests on to ``app``, without a ``Host`` that no host can have."""

    def __init__(self, app: WsgiApp) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if not is_possible(environ.get("HTTP_HOST", "")):
            environ.pop("HTTP_HOST", None)
        return self._app(environ, start_response)
