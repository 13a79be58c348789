"""Conditions of Codat: failing calls, its quota, and missing messages. Pure."""

from collections.abc import Iterator
from datetime import timedelta

from processor.clock import from_iso
from processor.conditions.facts import Facts
from processor.conditions.model import Condition
from processor.conditions.registry import make
from processor.humanize import date, number, span
from processor.store.codat_calls import TIMEOUT, UNREACHABLE, CodatCalls

MISSED_WEBHOOKS_CODES = {"missing-messages": "codat_silent", "consumer": "webhooks_missing"}
"""Codes of the warnings of :mod:`processor.reconciliation.missed_webhooks`, by their kind."""

FAILING_AFTER = 3
"""Failed calls in a row; a single failure says nothing about Codat."""

OVERDUE = timedelta(minutes=2)
"""A worker asks due questions within seconds, or within half a minute during its longest run."""

FAILURE_TEXTS = {TIMEOUT: "no answer in time", UNREACHABLE: "it cannot be reached"}


def conditions(facts: Facts) -> Iterator[Condition]:
    """Conditions of Codat."""
    if not facts.answers:
        return
    yield from _calls(facts.calls)
    yield from _overdue(facts)
    codat = facts.codat
    for warning in codat["warnings"]:
        if warning["kind"] in MISSED_WEBHOOKS_CODES:
            yield make(
                MISSED_WEBHOOKS_CODES[warning["kind"]],
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


def _overdue(facts: Facts) -> Iterator[Condition]:
    """Due questions that no worker asks."""
    count, since = facts.overdue_questions
    if count and since is not None and facts.now - since >= OVERDUE:
        due = number(count, "question to Codat is", "questions to Codat are")
        lasts = span((facts.now - since).total_seconds())
        yield make(
            "questions_overdue", f"{due} due and not asked, the oldest for {lasts}.", since=since + OVERDUE
        )


def _calls(calls: CodatCalls) -> Iterator[Condition]:
    """Calls that Codat does not answer or refuses."""
    if calls.failing_since is not None and calls.failures >= FAILING_AFTER:
        last = calls.last_failure or UNREACHABLE
        why = FAILURE_TEXTS.get(last, f"it answers {last}")
        yield make(
            "codat_unreachable",
            f"Codat has not answered since {date(calls.failing_since)}: {why}.",
            since=calls.failing_since,
        )
    if calls.refused_since is not None:
        yield make("codat_key_refused", "Codat refuses CODAT_API_KEY.", since=calls.refused_since)
    if calls.limited_since is not None:
        yield make(
            "codat_account_limited",
            "Codat answers 402: a limit of the account is reached.",
            since=calls.limited_since,
        )
