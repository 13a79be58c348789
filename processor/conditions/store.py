"""Conditions of Redis: refused writes, limits, unreadable records, and recent outages. Pure."""

from collections.abc import Iterator, Sequence

from processor.conditions.facts import Facts, StoreFacts
from processor.conditions.model import Condition
from processor.conditions.registry import BY_CODE, make
from processor.humanize import date, number, span
from processor.store.outages import Outage

CONNECTIONS_LOW = 0.85
"""Share of used connections from which few are left."""

MOST_NAMED = 5
"""Largest number of unreadable records in the sentence."""

MOST_EARLIER = 4
"""Largest number of earlier outages in the advice."""


def conditions(facts: Facts) -> Iterator[Condition]:
    """Conditions of Redis."""
    store = facts.store
    if store.error is not None:
        yield make("redis_unreachable", f"Redis does not answer ({store.error})")
    elif store.loading:
        yield make("redis_loading", "Redis is loading its data")
    elif store.write_error is not None:
        yield _refusing(store, store.write_error)
    if facts.connections is not None:
        used, most = facts.connections
        if used >= most * CONNECTIONS_LOW:
            yield make("redis_connections_low", f"Redis has {used:,} of {most:,} connections in use.")
    if facts.unreadable:
        records = number(len(facts.unreadable), "record cannot", "records cannot")
        names = ", ".join(sorted(facts.unreadable)[:MOST_NAMED])
        more = ", ..." if len(facts.unreadable) > MOST_NAMED else ""
        yield make(
            "record_unreadable", f"{records} be read: {names}{more}.", since=min(facts.unreadable.values())
        )
    yield from _outages(facts.outages)


def _refusing(store: StoreFacts, write_error: str) -> Condition:
    if store.role != "master":
        return make("redis_read_only", "Redis is a replica and cannot be written to")
    if store.most_bytes and store.used_bytes >= store.most_bytes:
        return make("redis_full", "Redis is full")
    if write_error.startswith("NOREPLICAS "):
        return make("redis_not_replicated", "Too few replicas have what Redis keeps")
    return make("redis_refuses_writes", f"Redis refuses a write: {write_error}")


def _outages(outages: Sequence[Outage]) -> Iterator[Condition]:
    """Recent outages as one condition; ``outages`` has the newest first."""
    if not outages:
        return
    last, *earlier = outages
    verb = "refused what was asked of it" if last.refused else "was away"
    advice = BY_CODE["redis_was_away"].advice
    if earlier:
        periods = "; ".join(_period(outage) for outage in earlier[:MOST_EARLIER])
        rest = len(earlier) - MOST_EARLIER
        advice += f" Before that: {periods}{f'; and {rest} times more' if rest > 0 else ''}."
    yield make("redis_was_away", f"Redis {verb} {_period(last)}.", advice=advice)


def _period(outage: Outage) -> str:
    seconds = (outage.ended_at - outage.began_at).total_seconds()
    return f"from {date(outage.began_at)} to {date(outage.ended_at)} ({span(seconds)})"
