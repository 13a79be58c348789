"""Alerts for the operators: logged, put into the operators' lane, and sent to subscribers that want them."""

import logging
from collections.abc import Mapping
from typing import Any

from redis.client import Pipeline

from processor.delivery.channels.operators import OPERATORS
from processor.delivery.lane_admin import LaneAdmin
from processor.delivery.subscribers import Subscribers
from processor.store.waker import Waker

_log = logging.getLogger(__name__)

ALERT_TYPE = "operators.alert"


class OperatorAlerts:
    """Alerts the operators. ``reachable``: OPERATOR_ALERT_URLS is set."""

    def __init__(
        self, *, lane_admin: LaneAdmin, waker: Waker, reachable: bool, subscribers: Subscribers
    ) -> None:
        self._subscribers = subscribers
        self._lane_admin = lane_admin
        self._waker = waker
        self._reachable = reachable

    def add_alert(self, pipe: "Pipeline[Any]", subject: str, text: str) -> None:
        """Add an alert to a transaction; a worker delivers it with retries. ``text`` must hold no secret.

        The transaction may use the keys of the cell ``keys.UNLISTED``.
        """
        if self._reachable:
            data = {"subject": subject, "text": text}
            self._lane_admin.add_unlisted(pipe, "alr", ALERT_TYPE, data, OPERATORS.name)

    def add_webhooks(self, pipe: "Pipeline[Any]", type_: str, data: Mapping[str, Any]) -> None:
        """Add a signed webhook for each subscriber that names ``type_``, with an id of its own."""
        for subscriber in self._subscribers.all():
            if subscriber.wants(type_):
                self._lane_admin.add_unlisted(pipe, "opc", type_, data, subscriber.id)

    def announce(self, subjects: list[str]) -> None:
        """Log the alerts of a committed transaction, and wake a worker that delivers them."""
        for subject in subjects:
            _log.warning("operators are alerted", extra={"subject": subject})
        if subjects and self._reachable:
            self._lane_admin.probe_at_once(OPERATORS.name)
        if subjects:
            self._waker.wake_dispatcher()
