"""Telling the operators that something needs them: logged, and sent to their chat or pager."""

import logging
from typing import Any

from redis import Redis

from processor.delivery.control import Control
from processor.queues import Bell
from processor.store import keys

_log = logging.getLogger(__name__)

QUIET_S = 3_600
"""How long the same thing is not told again, in seconds."""


class Operators:
    """Tells the operators. ``reachable``: OPERATOR_ALERT_URLS is set."""

    def __init__(self, client: "Redis[Any]", *, control: Control, bell: Bell, reachable: bool) -> None:
        self._client = client
        self._control = control
        self._bell = bell
        self._reachable = reachable

    def tell_operators(self, subject: str, text: str, key: str) -> bool:
        """Tell them once an hour for each ``key``; whether they were told now.

        Returns at once: a worker sends it, again and again where that fails. ``text`` must hold no
        secret and no message's body. Raises ``redis.RedisError``.
        """
        if not self._client.set(keys.operators_told(key), "1", nx=True, ex=QUIET_S):
            return False
        _log.warning("operators are told", extra={"subject": subject, "key": key})
        if self._reachable:
            self._control.alert(subject, text)
            self._bell.deliver()
        return True
