"""Conditions of messages, and of the processes that handle them. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from processor.clock import to_ms
from processor.conditions.facts import Facts
from processor.conditions.model import Condition, Severity
from processor.conditions.registry import make
from processor.humanize import number, span
from processor.store import heartbeats

WAITS_LONG_S = {"new": 60, "replays": 1_800}
"""Age of the oldest waiting message of a lane from which the inbox counts as stalled, in seconds.

Replays may wait longer: everything new overtakes them.
"""


def conditions(facts: Facts) -> Iterator[Condition]:
    """Missing processes, waiting messages, and messages whose processing failed."""
    if not facts.answers:
        return
    missed_before_ms = to_ms(facts.redis_now) - heartbeats.MISSED_AFTER_MS
    for role in heartbeats.ROLES:
        at = facts.seen[role]
        if at is None or to_ms(at) < missed_before_ms:
            yield _missing(facts, role, at)
    silent = {name: at for name, at in facts.workers.items() if to_ms(at) < missed_before_ms}
    if len(silent) < len(facts.workers):  # otherwise no worker was seen: the condition above
        for name, at in silent.items():
            since = span((facts.redis_now - at).total_seconds())
            sentence = f"{name} has made no progress for {since}: it hangs or has died."
            yield make("worker_hangs", sentence, since=at, subject=name)
    if any(lane.depth and lane.age_s >= WAITS_LONG_S[name] for name, lane in facts.inbox.items()):
        waiting = number(sum(lane.depth for lane in facts.inbox.values()), "message waits", "messages wait")
        age_s = max(lane.age_s for lane in facts.inbox.values())
        replays = facts.inbox["replays"].depth
        among = f" ({replays:,} of them replays)" if replays else ""
        yield make(
            "inbox_stalled",
            f"{waiting} in the inbox{among}, the oldest for {span(age_s)}.",
            since=facts.redis_now - timedelta(seconds=age_s),
        )
    yield from _open_messages(facts)


def _missing(facts: Facts, role: str, at: datetime | None) -> Condition:
    """The condition of a role without a live process; a note where a worker stands in for the clock."""
    span_s = heartbeats.MISSED_AFTER_MS // 1000
    sentence = f"no {role} was seen in the last {span_s} s: messages are kept and wait"
    if role != "clock" or facts.stand_in is None:
        return make(f"no_{role}", sentence, since=at)
    return make(
        "no_clock",
        f"no clock was seen in the last {span_s} s: {facts.stand_in} stands in for it",
        since=at,
        severity=Severity.INFO,
        advice="Nothing waits for it. Start it in time (`codat-processor clock`; on Heroku `heroku ps:scale"
        " clock=1`): only a clock alerts operators while Redis stores nothing or no worker runs.",
    )


def _open_messages(facts: Facts) -> Iterator[Condition]:
    kinds = (
        (
            "failed",
            "message_retrying",
            "message is tried again by itself: handling it raised an error.",
            "messages are tried again by themselves: handling them raised an error.",
        ),
        (
            "dead",
            "messages_dead",
            "message could not be handled (dead letter).",
            "messages could not be handled (dead letters).",
        ),
        (
            "quarantined",
            "messages_quarantined",
            "authentic message is in quarantine: nobody understands it.",
            "authentic messages are in quarantine: nobody understands them.",
        ),
    )
    for status, code, singular, plural in kinds:
        count, since = facts.open_messages[status]
        if count:
            yield make(code, number(count, singular, plural), since=since)
