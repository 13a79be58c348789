"""Memory of conditions: since when each holds, and whether the operators were alerted.

``plan`` is pure: current and remembered conditions in, changes and alerts out. Start and end cause one alert
each, whichever process evaluates: the memory is a hash in Redis that changes in one transaction with the
alerts in the operators' lane.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from redis import Redis, WatchError
from redis.client import Pipeline

from processor.clock import from_iso, to_iso
from processor.conditions.model import Condition
from processor.conditions.registry import BY_CODE
from processor.delivery.rules import CONDITION_BEGAN, CONDITION_ENDED
from processor.humanize import date, span
from processor.store import keys

ENDED_AFTER = timedelta(seconds=10)
"""A condition ends when it has not held for this long; one that returns sooner has not ended."""


@dataclass(frozen=True, slots=True)
class RememberedCondition:
    """A condition in memory; times as ISO 8601.

    ``since`` is its start, ``first_seen`` its first evaluation, ``absent_since`` the first evaluation in
    which it no longer held. ``alerted``: the alert of its start was sent.
    """

    title: str
    sentence: str
    since: str
    first_seen: str
    alerted: bool = False
    absent_since: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert for the operators: for people, and as the type and the data of a webhook."""

    subject: str
    text: str
    type: str
    data: Mapping[str, Any]


@dataclass(slots=True)
class ConditionChanges:
    """Conditions to store and to forget, and the alerts."""

    put: dict[str, RememberedCondition] = field(default_factory=dict)
    forget: list[str] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)


def plan(
    current: Sequence[Condition],
    remembered: Mapping[str, RememberedCondition],
    now: datetime,
    *,
    link: str | None = None,
) -> ConditionChanges:
    """The changes that follow from the ``current`` conditions; severity ``info`` is not remembered.

    ``link``: the page that alerts lead to.
    """
    changes = ConditionChanges()
    alerting = {condition.key: condition for condition in current if condition.severity.alerts}
    for key, condition in alerting.items():
        memory = remembered.get(key)
        if memory is None:
            since = to_iso(condition.since or now)
            memory = RememberedCondition(condition.title, condition.sentence, since, to_iso(now))
        elif memory.absent_since is not None:
            memory = replace(memory, absent_since=None)
        age = now - from_iso(memory.first_seen)
        is_due = age >= timedelta(seconds=condition.alert_after_s) and condition.muted_until is None
        if not memory.alerted and is_due:
            memory = replace(memory, alerted=True, sentence=condition.sentence)
            changes.alerts.append(_start_alert(condition, memory, link))
        if memory != remembered.get(key):
            changes.put[key] = memory
    for key, memory in remembered.items():
        if key in alerting:
            continue
        if memory.absent_since is None:
            changes.put[key] = replace(memory, absent_since=to_iso(now))
        elif now - from_iso(memory.absent_since) >= ENDED_AFTER:
            changes.forget.append(key)
            if memory.alerted:
                changes.alerts.append(_end_alert(key, memory, link))
    return changes


def _start_alert(condition: Condition, memory: RememberedCondition, link: str | None) -> Alert:
    return Alert(
        f"{condition.severity.value.capitalize()}: {condition.title}",
        _lines(condition.sentence, condition.advice, f"Since {date(memory.since)}.", link),
        CONDITION_BEGAN,
        {
            "code": condition.code,
            "subject": condition.subject or None,
            "severity": condition.severity.value,
            "title": condition.title,
            "sentence": condition.sentence,
            "advice": condition.advice,
            "since": memory.since,
            "ended_at": None,
            "link": link,
        },
    )


def _end_alert(key: str, memory: RememberedCondition, link: str | None) -> Alert:
    until = from_iso(memory.absent_since or memory.since)
    duration_s = max(0.0, (until - from_iso(memory.since)).total_seconds())
    lasted = f"It lasted from {date(memory.since)} to {date(until)} ({span(duration_s)})."
    code, _, subject = key.partition(" ")
    definition = BY_CODE.get(code)
    return Alert(
        f"Over: {memory.title}",
        _lines(lasted, f"It was: {memory.sentence}", link),
        CONDITION_ENDED,
        {
            "code": code,
            "subject": subject or None,
            "severity": definition.severity.value if definition else None,
            "title": memory.title,
            "sentence": memory.sentence,
            "advice": definition.advice if definition else None,
            "since": memory.since,
            "ended_at": to_iso(until),
            "link": link,
        },
    )


def _lines(*parts: str | None) -> str:
    return "\n".join(part for part in parts if part)


class ConditionMemory:
    """The memory in Redis. ``add_alert`` and ``add_webhooks`` add to a transaction. Raises ``RedisError``."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        add_alert: Callable[["Pipeline[Any]", str, str], object],
        add_webhooks: Callable[["Pipeline[Any]", str, Mapping[str, Any]], object] = lambda *_: None,
        link: str | None = None,
    ) -> None:
        self._client, self._link = client, link
        self._add_alert, self._add_webhooks = add_alert, add_webhooks

    def update(
        self, current: Sequence[Condition], now: datetime, *, directly: bool = False
    ) -> Sequence[Alert]:
        """Store the current conditions; the alerts that follow, or none where another process was quicker.

        The alerts are put into the operators' lane, unless ``directly``: then the caller sends them. Webhooks
        to subscribers are always put into their lanes.
        """
        key = keys.conditions()
        with self._client.pipeline(transaction=True) as pipe:
            pipe.watch(key)
            rows: Any = pipe.hgetall(key)
            changes = plan(current, _load(rows), now, link=self._link)
            pipe.multi()
            for condition_key, memory in changes.put.items():
                pipe.hset(key, condition_key, json.dumps(asdict(memory)))
            if changes.forget:
                pipe.hdel(key, *changes.forget)
            for alert in () if directly else changes.alerts:
                self._add_alert(pipe, alert.subject, alert.text)
            for alert in changes.alerts:
                self._add_webhooks(pipe, alert.type, alert.data)
            if not pipe.command_stack:
                return ()
            try:
                pipe.execute()
            except WatchError:
                return ()
        return changes.alerts


def since(rows: Mapping[bytes, bytes]) -> dict[str, datetime]:
    """The start of each remembered condition that holds, by its key, from the hash in Redis."""
    return {key: from_iso(memory.since) for key, memory in _load(rows).items() if memory.absent_since is None}


def _load(rows: Mapping[bytes, bytes]) -> dict[str, RememberedCondition]:
    """The remembered conditions; rows in another version's form are dropped."""
    memories = {}
    for key, row in rows.items():
        try:
            memories[key.decode()] = RememberedCondition(**json.loads(row))
        except (ValueError, TypeError):
            continue
    return memories
