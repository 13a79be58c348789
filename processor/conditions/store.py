"""Conditions of Redis: whether a message could be kept now, and whether it could lately. Pure."""

from collections.abc import Iterator, Sequence

from processor.conditions.facts import Facts, StoreFacts
from processor.conditions.model import Condition
from processor.conditions.registry import BY_CODE, make
from processor.humanize import date, number, span
from processor.store.outages import Outage

FEW_LEFT = 0.85
"""The share of Redis' connections from which on few are left."""

MOST_NAMED = 5
"""So many unreadable records are named."""

MOST_BEFORE = 4
"""So many interruptions before the last one are told."""


def conditions(facts: Facts) -> Iterator[Condition]:
    """Why a write would be refused: known causes by their code, others in Redis's words."""
    store = facts.store
    if store.error is not None:
        yield make("redis_unreachable", f"Redis does not answer ({store.error})")
    elif store.loading:
        yield make("redis_loading", "Redis is loading its data")
    elif store.write_error is not None:
        yield _refusing(store, store.write_error)
    if facts.connections is not None:
        used, most = facts.connections
        if used >= most * FEW_LEFT:
            yield make("redis_connections_low", f"Redis has {used:,} of {most:,} connections in use.")
    if facts.unreadable:
        records = number(len(facts.unreadable), "record cannot", "records cannot")
        first = ", ".join(sorted(facts.unreadable)[:MOST_NAMED])
        more = ", ..." if len(facts.unreadable) > MOST_NAMED else ""
        yield make(
            "record_unreadable", f"{records} be read: {first}{more}.", since=min(facts.unreadable.values())
        )
    yield from _away(facts.interruptions)


def _refusing(store: StoreFacts, said: str) -> Condition:
    if store.role != "master":
        return make("redis_read_only", "Redis is a replica and cannot be written to")
    if store.most_bytes and store.used_bytes >= store.most_bytes:
        return make("redis_full", "Redis is full")
    return make("redis_refuses_writes", f"Redis refuses a write: {said}")


def _away(interruptions: Sequence[Outage]) -> Iterator[Condition]:
    """That Redis was away, the newest interruption first."""
    if not interruptions:
        return
    last, *before = interruptions
    what = "refused what was asked of it" if last.refused else "was away"
    advice = BY_CODE["redis_was_away"].advice
    if before:
        told = "; ".join(_spell(one) for one in before[:MOST_BEFORE])
        rest = len(before) - MOST_BEFORE
        advice += f" Before that: {told}{f'; and {rest} times more' if rest > 0 else ''}."
    yield make("redis_was_away", f"Redis {what} {_spell(last)}.", advice=advice)


def _spell(one: Outage) -> str:
    seconds = (one.ended_at - one.began_at).total_seconds()
    return f"from {date(one.began_at)} to {date(one.ended_at)} ({span(seconds)})"
