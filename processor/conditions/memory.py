"""Remembering conditions: since when each holds, and whether the operators were alerted of it.

``plan`` is pure: what holds now and what was remembered in, what to remember and to tell out. Beginning and
end are told once each, whoever looks: the memory is a hash in Redis, which changes in one transaction with
the alerts that go into the operators' lane.
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
from processor.humanize import date, span
from processor.store import keys

ENDED_AFTER = timedelta(seconds=10)
"""A condition that does not hold for so long is over; one that comes back sooner has never ended."""


@dataclass(frozen=True, slots=True)
class RememberedCondition:
    """A condition as it is remembered; times as ISO 8601.

    ``first_seen`` is when it was noticed, ``since`` when it began. ``alerted``: its beginning was told.
    ``absent_since`` is when it was first seen not to hold any more.
    """

    title: str
    sentence: str
    since: str
    first_seen: str
    alerted: bool = False
    absent_since: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """What the operators are told."""

    subject: str
    text: str


@dataclass(slots=True)
class ConditionChanges:
    """What to write down, what to forget, and what to tell."""

    put: dict[str, RememberedCondition] = field(default_factory=dict)
    forget: list[str] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)


def plan(
    current: Sequence[Condition], remembered: Mapping[str, RememberedCondition], now: datetime
) -> ConditionChanges:
    """What follows from the conditions that hold ``now``; those of severity ``info`` are not remembered."""
    changes = ConditionChanges()
    holding = {one.key: one for one in current if one.severity.alerts}
    for key, one in holding.items():
        known = remembered.get(key)
        if known is None:
            known = RememberedCondition(one.title, one.sentence, to_iso(one.since or now), to_iso(now))
        elif known.absent_since is not None:
            known = replace(known, absent_since=None)
        lasts = now - from_iso(known.first_seen)
        if not known.alerted and lasts >= timedelta(seconds=one.alert_after_s):
            known = replace(known, alerted=True, sentence=one.sentence)
            changes.alerts.append(_begun(one, known))
        if known != remembered.get(key):
            changes.put[key] = known
    for key, known in remembered.items():
        if key in holding:
            continue
        if known.absent_since is None:
            changes.put[key] = replace(known, absent_since=to_iso(now))
        elif now - from_iso(known.absent_since) >= ENDED_AFTER:
            changes.forget.append(key)
            if known.alerted:
                changes.alerts.append(_over(known))
    return changes


def _begun(one: Condition, known: RememberedCondition) -> Alert:
    since = f"Since {date(known.since)}."
    return Alert(f"{one.severity.value.capitalize()}: {one.title}", f"{one.sentence}\n{one.advice}\n{since}")


def _over(known: RememberedCondition) -> Alert:
    until = from_iso(known.absent_since or known.since)
    lasted_s = max(0.0, (until - from_iso(known.since)).total_seconds())
    lasted = f"It lasted from {date(known.since)} to {date(until)} ({span(lasted_s)})."
    return Alert(f"Over: {known.title}", f"{lasted}\nIt was: {known.sentence}")


class ConditionMemory:
    """The conditions that are remembered in Redis.

    ``add_alert`` puts an alert into the operators' lane, as a part of a transaction. Every method raises
    ``redis.RedisError``.
    """

    def __init__(
        self, client: "Redis[Any]", *, add_alert: Callable[["Pipeline[Any]", str, str], object]
    ) -> None:
        self._client, self._add_alert = client, add_alert

    def update(
        self, current: Sequence[Condition], now: datetime, *, directly: bool = False
    ) -> Sequence[Alert]:
        """Remember what holds now; the alerts that this process has to tell.

        They are in the operators' lane already unless ``directly``: then whoever calls sends them. None
        where another process was quicker.
        """
        name = keys.conditions()
        with self._client.pipeline(transaction=True) as pipe:
            pipe.watch(name)
            rows: Any = pipe.hgetall(name)
            changes = plan(current, _load(rows), now)
            pipe.multi()
            for key, known in changes.put.items():
                pipe.hset(name, key, json.dumps(asdict(known)))
            if changes.forget:
                pipe.hdel(name, *changes.forget)
            for alert in () if directly else changes.alerts:
                self._add_alert(pipe, alert.subject, alert.text)
            if not pipe.command_stack:
                return ()
            try:
                pipe.execute()
            except WatchError:
                return ()
        return changes.alerts


def since(rows: Mapping[bytes, bytes]) -> dict[str, datetime]:
    """Since when each remembered condition holds, by its key, from the hash as Redis has it."""
    return {key: from_iso(known.since) for key, known in _load(rows).items() if known.absent_since is None}


def _load(rows: Mapping[bytes, bytes]) -> dict[str, RememberedCondition]:
    """What is remembered; rows that another version wrote in another form are forgotten."""
    found = {}
    for key, row in rows.items():
        try:
            found[key.decode()] = RememberedCondition(**json.loads(row))
        except (ValueError, TypeError):
            continue
    return found
