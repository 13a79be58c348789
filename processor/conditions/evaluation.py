"""The list of what is wrong: facts in, conditions out, the worst first."""

from datetime import datetime
from typing import Any

from redis import Redis

from processor.conditions import codat, deliveries, messages, store
from processor.conditions.facts import Facts, gather
from processor.conditions.model import Condition, Severity
from processor.settings import Settings

RULES = (store, messages, deliveries, codat)
_ORDER = tuple(Severity)


def evaluate(facts: Facts) -> list[Condition]:
    """Every condition that these facts make, the worst first. Pure."""
    found = [condition for rules in RULES for condition in rules.conditions(facts)]
    return sorted(found, key=lambda one: _ORDER.index(one.severity))


def current(client: "Redis[Any]", settings: Settings, *, now: datetime) -> list[Condition]:
    """Every condition that holds now. Never raises because of Redis."""
    return evaluate(gather(client, settings, now=now))
