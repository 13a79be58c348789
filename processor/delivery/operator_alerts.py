"""Alerts for the operators: logged, and put into the lane of their chat or pager."""

import logging
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.delivery.lane_admin import LaneAdmin
from processor.store.waker import Waker

_log = logging.getLogger(__name__)


class OperatorAlerts:
    """Tells the operators. ``reachable``: OPERATOR_ALERT_URLS is set."""

    def __init__(self, client: "Redis[Any]", *, control: LaneAdmin, waker: Waker, reachable: bool) -> None:
        self._client = client
        self._control = control
        self._waker = waker
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
            self._waker.deliver()
