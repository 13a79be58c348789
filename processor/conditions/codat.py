"""Conditions of Codat: its quota, and its messages that stay away. Pure."""

from collections.abc import Iterator

from processor.conditions.facts import Facts
from processor.conditions.model import Condition
from processor.conditions.registry import make
from processor.humanize import date
from processor.times import from_iso

SILENCE = {"missing-messages": "codat_silent", "consumer": "webhooks_missing"}
"""Codes of what :mod:`processor.truth.silence` writes down, by its kind."""


def conditions(facts: Facts) -> Iterator[Condition]:
    """What Codat does not let us do, and what it does not send."""
    if not facts.answers:
        return
    codat = facts.codat
    for warning in codat["warnings"]:
        if warning["kind"] in SILENCE:
            yield make(
                SILENCE[warning["kind"]],
                warning["what"],
                since=from_iso(warning["since"]),
                advice=warning["advice"],
            )
    until = codat["polling_paused_until"]
    if until:
        yield make(
            "codat_quota_exhausted",
            f"Nothing is asked of Codat in the background until {date(until)}: its quota is used up.",
        )
    until = codat["told_to_wait_until"]
    if until:
        yield make("codat_throttled", f"Codat answered 429 and wants no requests until {date(until)}.")
