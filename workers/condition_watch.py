"""Watching conditions: evaluated every few seconds, remembered, and told to the operators.

The clock watches, and so does the worker that delivers: one of them is there to tell that the other is
missing. Whoever is first tells; the other finds it told.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from redis import RedisError

from processor.conditions import evaluation, memory
from processor.conditions.memory import Alert, ConditionMemory, RememberedCondition
from processor.conditions.model import Condition, Severity
from processor.container import Container

_log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
MOST_UNSENT = 50

Send = Callable[[str, str], bool]
"""Sends a subject and a text to one address of the operators; false where that certainly failed."""


class ConditionWatch:
    """Watches until ``stop``. ``look`` is one evaluation.

    ``sends`` has one for each address, past the operators' lane, where nothing comes out of it: while Redis
    keeps nothing, and while no worker runs. Without any such alerts are another process's.
    """

    def __init__(self, container: Container, *, sends: Sequence[Send] = ()) -> None:
        self._container = container
        self._memory = ConditionMemory(container.redis, add_alert=container.operator_alerts.add_alert)
        self._unkept: dict[str, RememberedCondition] = {}
        self._unsent: list[tuple[Send, deque[Alert]]] = [(send, deque(maxlen=MOST_UNSENT)) for send in sends]
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="conditions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, without waiting for a look that is under way."""
        self._stop.set()

    def look(self) -> Sequence[Condition]:
        """Evaluate, remember, and tell; what holds now. Raises ``redis.RedisError``."""
        own = self._container
        now = own.clock()
        found = evaluation.current(own.redis, own.settings, now=now)
        critical = [one for one in found if one.severity is Severity.CRITICAL]
        if self._unsent:
            self._send_later(self._remember_here(critical, now))
        if not critical:
            directly = bool(self._unsent) and any(one.code == "no_worker" for one in found)
            alerts = self._memory.update(found, now, directly=directly)
            if directly:
                self._send_later(alerts)
            else:
                own.operator_alerts.announce([alert.subject for alert in alerts])
        self._send_unsent()
        return found

    def _remember_here(self, critical: Sequence[Condition], now: datetime) -> Sequence[Alert]:
        """What is to be told of conditions in which Redis remembers nothing: this process does."""
        changes = memory.plan(critical, self._unkept, now)
        self._unkept |= changes.put
        for key in changes.forget:
            del self._unkept[key]
        return changes.alerts

    def _send_later(self, alerts: Sequence[Alert]) -> None:
        for _, waiting in self._unsent:
            waiting.extend(alerts)

    def _send_unsent(self) -> None:
        """Send what waits, oldest first; after a failure the rest of that address waits for the next look."""
        for place, (send, waiting) in enumerate(self._unsent, 1):
            while waiting:
                alert = waiting[0]
                if not send(alert.subject, alert.text):
                    _log.warning("operators could not be alerted", extra={"address": place})
                    break
                waiting.popleft()
                fields = {"subject": alert.subject, "address": place}
                _log.warning("operators are alerted directly", extra=fields)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            try:
                self.look()
            except RedisError as error:
                _log.info("conditions could not be remembered", extra={"error": repr(error)})
            except Exception:
                _log.exception("watching conditions raised")
