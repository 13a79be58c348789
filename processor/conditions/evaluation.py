"""Evaluation: facts in, conditions out, the worst first."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from redis import Redis

from processor.conditions import codat, deliveries, messages, receiving, store
from processor.conditions.facts import Facts, gather
from processor.conditions.model import Condition, Severity
from processor.conditions.mutes import muted_until
from processor.settings.definitions import Settings

RULES = (store, codat, receiving, messages, deliveries)
_ORDER = tuple(Severity)


def evaluate(facts: Facts) -> list[Condition]:
    """The conditions that follow from the facts, the worst first. Pure."""
    conditions = [
        replace(
            condition,
            since=condition.since or facts.since.get(condition.key),
            muted_until=muted_until(facts.mutes, condition.code, condition.key, facts.now),
        )
        for rules in RULES
        for condition in rules.conditions(facts)
    ]
    return sorted(conditions, key=lambda condition: _ORDER.index(condition.severity))


def current(client: "Redis[Any]", settings: Settings, *, now: datetime) -> list[Condition]:
    """The current conditions. Never raises ``redis.RedisError``."""
    return evaluate(gather(client, settings, now=now))
