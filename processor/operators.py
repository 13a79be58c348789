"""Alerts for the operators: logged, and put into the lane of their chat or pager."""

import logging
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.delivery.control import Control
from processor.queues import Bell

_log = logging.getLogger(__name__)


class Operators:
    """Tells the operators. ``reachable``: OPERATOR_ALERT_URLS is set."""

    def __init__(self, client: "Redis[Any]", *, control: Control, bell: Bell, reachable: bool) -> None:
        self._client = client
        self._control = control
        self._bell = bell
        self._reachable = reachable

    def add_alert(self, pipe: "Pipeline[Any]", subject: str, text: str) -> None:
        """Put an alert into the lane, as a part of a transaction; ``text`` must hold no secret.

        A worker sends it, again and again where that fails.
        """
        if self._reachable:
            self._control.add_alert(pipe, subject, text)

    def alerted(self, subjects: list[str]) -> None:
        """Log the alerts that were added, and have a worker send them."""
        for subject in subjects:
            _log.warning("operators are alerted", extra={"subject": subject})
        if subjects and self._reachable:
            self._bell.deliver()
