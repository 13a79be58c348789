"""Counts over the whole store, for operators."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from itertools import chain
from typing import Any

from redis import Redis

from processor.clock import from_ms
from processor.store import codat_status, inbox_lanes, keys
from processor.store.decoding import text_fields
from processor.store.message_records import EVENT_STATUSES, INDEXED_STATUSES

_COUNTED: dict[str, Callable[[int], str]] = {
    "questions": keys.questions,
    "companies": keys.companies,
    "notifications": keys.outbox,
    "dead_deliveries": keys.dead_deliveries,
    "uncertain_deliveries": lambda cell: keys.outbox_with(cell, "uncertain"),
}
"""Sorted sets of a cell whose members are counted, by the name of the figure."""


def read(client: "Redis[Any]", states: Sequence[str]) -> dict[str, Any]:
    """Counts by state and status, depth and age of the inbox and of its lanes, and counters.

    ``age_s`` is the waiting time of the oldest message in seconds; 0 if none waits.
    """
    with client.pipeline(transaction=False) as pipe:
        for cell in keys.cells():
            for state in states:
                pipe.zcard(keys.connections_in(cell, state))
            for status in INDEXED_STATUSES:
                pipe.zcard(keys.events_of(cell, status))
            pipe.hlen(keys.messages(cell))
            for index in _COUNTED.values():
                pipe.zcard(index(cell))
            pipe.hgetall(keys.counters(cell))
        inbox_lanes.stage(pipe)
        pipe.time()
        *replies, (seconds, micros) = pipe.execute()
    rows = iter(replies)
    redis_now = from_ms(seconds * 1000) + timedelta(microseconds=micros)
    counts: Counter[tuple[str, str]] = Counter()
    counters: list[dict[str, str]] = []
    for _ in keys.cells():
        counts.update({("connections", state): next(rows) for state in states})
        counts.update({("events", status): next(rows) for status in INDEXED_STATUSES})
        counts["messages", ""] += next(rows)
        counts.update({(name, ""): next(rows) for name in _COUNTED})
        counters.append(text_fields(next(rows)))
    lanes = inbox_lanes.read(rows, redis_now)
    depth = counts["events", "pending"] = sum(lane.depth for lane in lanes.values())
    others = sum(counts["events", status] for status in EVENT_STATUSES)
    counts["events", "processed"] = max(0, counts["messages", ""] - others)
    return {
        "connections": {state: counts["connections", state] for state in states},
        "events": {status: counts["events", status] for status in EVENT_STATUSES},
        "inbox": {
            "depth": depth,
            "age_s": max(lane.age_s for lane in lanes.values()),
            "lanes": {name: asdict(lane) for name, lane in lanes.items()},
        },
        "counters": _merged(counters),
        **{name: counts[name, ""] for name in _COUNTED},
        "codat": codat_status.read(client, redis_now),
    }


def _merged(counters: Sequence[Mapping[str, str]]) -> dict[str, int]:
    """The counters of all cells: sums, and the latest of times (``_ms``)."""
    merged = {}
    for name in sorted(set(chain(*counters))):
        values = [int(row[name]) for row in counters if name in row]
        merged[name] = max(values) if name.endswith("_ms") else sum(values)
    return merged
