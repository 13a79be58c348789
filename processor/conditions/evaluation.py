"""The list of what is wrong: facts in, conditions out, the worst first."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from redis import Redis

from processor.conditions import codat, deliveries, messages, receiving, store
from processor.conditions.facts import Facts, gather
from processor.conditions.model import Condition, Severity
from processor.settings.definitions import Settings

RULES = (store, codat, receiving, messages, deliveries)
_ORDER = tuple(Severity)


def evaluate(facts: Facts) -> list[Condition]:
    """Every condition that these facts make, the worst first. Pure."""
    found = [condition for rules in RULES for condition in rules.conditions(facts)]
    known = [one if one.since else replace(one, since=facts.since.get(one.key)) for one in found]
    return sorted(known, key=lambda one: _ORDER.index(one.severity))


def current(client: "Redis[Any]", settings: Settings, *, now: datetime) -> list[Condition]:
    """Every condition that holds now. Never raises because of Redis."""
    return evaluate(gather(client, settings, now=now))
