"""Evaluates conditions every few seconds, stores them, and alerts the operators.

The clock and the delivering worker both do it, so that each can alert that the other is missing. Each alert
is sent once.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from redis import RedisError

from processor.conditions import evaluation, memory
from processor.conditions.facts import gather
from processor.conditions.memory import Alert, ConditionMemory, RememberedCondition
from processor.conditions.model import Condition, Severity
from processor.container import Container

_log = logging.getLogger(__name__)

EVALUATE_EVERY_S = 5.0
MOST_UNSENT = 50

Send = Callable[[str, str], bool]
"""Sends a subject and a text to one address of the operators; false means that it certainly failed."""


class ConditionWatch:
    """Evaluates conditions until ``stop``.

    ``sends`` has a function for each address. They bypass the operators' lane while nothing is delivered from
    it: while Redis stores nothing, and while no worker runs. Where it is ``None``, another process does this.
    ``on_no_clock`` is called at each evaluation that finds no clock.
    """

    def __init__(
        self,
        container: Container,
        *,
        sends: Sequence[Send] | None = None,
        on_no_clock: Callable[[], object] = lambda: None,
    ) -> None:
        self._container, self._on_no_clock = container, on_no_clock
        public_url = container.settings.public_url
        self._link = f"{public_url.rstrip('/')}/ops" if public_url else None
        self._memory = ConditionMemory(
            container.redis,
            add_alert=container.operator_alerts.add_alert,
            add_webhooks=container.operator_alerts.add_webhooks,
            link=self._link,
        )
        self._remembered: dict[str, RememberedCondition] = {}
        self._mutes: Mapping[str, datetime] = {}  # as last read: Redis may be away
        self._unsent: list[tuple[Send, deque[Alert]]] = [
            (send, deque(maxlen=MOST_UNSENT)) for send in sends or ()
        ]
        self._is_direct = sends is not None
        self._owed: deque[Alert] = deque(maxlen=MOST_UNSENT)
        self._stop = threading.Event()

    def start(self) -> None:
        """Evaluate in a thread until ``stop``."""
        threading.Thread(target=self._run, name="conditions", daemon=True).start()

    def stop(self) -> None:
        """End the thread, without waiting for an evaluation under way."""
        self._stop.set()

    def evaluate(self) -> Sequence[Condition]:
        """Evaluate and store the conditions, and send alerts. Raises ``redis.RedisError``."""
        container = self._container
        now = container.clock()
        facts = gather(container.redis, container.settings, now=now)
        if facts.answers:
            self._mutes = facts.mutes
        conditions = evaluation.evaluate(replace(facts, mutes=self._mutes))
        if any(condition.code == "no_clock" for condition in conditions):
            self._on_no_clock()
        critical = [condition for condition in conditions if condition.severity is Severity.CRITICAL]
        if self._is_direct:
            alerts_here = self._remember_here(critical, now)
            self._add_unsent(alerts_here)
            self._owed.extend(alerts_here)
        if not critical:
            directly = bool(self._unsent) and any(condition.code == "no_worker" for condition in conditions)
            alerts = self._memory.update(conditions, now, directly=directly)
            if directly:
                self._add_unsent(alerts)
            else:
                container.operator_alerts.announce([alert.subject for alert in alerts])
        self._send_unsent()
        if not critical:
            self._send_owed()
        return conditions

    def _send_owed(self) -> None:
        """Put the webhooks about critical conditions into their lanes, now that Redis stores them."""
        if not self._owed:
            return
        with self._container.redis.pipeline(transaction=True) as pipe:
            for alert in self._owed:
                self._container.operator_alerts.add_webhooks(pipe, alert.type, alert.data)
            pipe.execute()
        self._owed.clear()
        self._container.waker.wake_dispatcher()

    def _remember_here(self, critical: Sequence[Condition], now: datetime) -> Sequence[Alert]:
        """Alerts of critical conditions, which this process remembers because Redis may store nothing."""
        changes = memory.plan(critical, self._remembered, now, link=self._link)
        self._remembered |= changes.put
        for key in changes.forget:
            del self._remembered[key]
        return changes.alerts

    def _add_unsent(self, alerts: Sequence[Alert]) -> None:
        for _, queue in self._unsent:
            queue.extend(alerts)

    def _send_unsent(self) -> None:
        """Send queued alerts, oldest first; a failure postpones the rest of that address."""
        for number, (send, queue) in enumerate(self._unsent, 1):
            while queue:
                alert = queue[0]
                if not send(alert.subject, alert.text):
                    _log.warning("operators could not be alerted", extra={"address": number})
                    break
                queue.popleft()
                fields = {"subject": alert.subject, "address": number}
                _log.warning("operators are alerted directly", extra=fields)

    def _run(self) -> None:
        while not self._stop.wait(EVALUATE_EVERY_S):
            try:
                self.evaluate()
            except RedisError as error:
                _log.info("conditions could not be stored", extra={"error": repr(error)})
            except Exception:
                _log.exception("evaluating conditions failed")
