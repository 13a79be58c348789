"""Telling the operators that something needs them: logged, and sent to their chat or pager."""

import logging
from typing import Any

from redis import Redis, WatchError

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
        name = keys.operators_told(key)
        with self._client.pipeline(transaction=True) as pipe:
            pipe.watch(name)
            if pipe.exists(name):
                return False
            pipe.multi()
            if self._reachable:
                self._control.add_alert(pipe, subject, text)
            pipe.set(name, "1", ex=QUIET_S)  # with the alert or not at all: alone it would silence it
            try:
                pipe.execute()
            except WatchError:
                return False
        _log.warning("operators are told", extra={"subject": subject, "key": key})
        if self._reachable:
            self._bell.deliver()
        return True
