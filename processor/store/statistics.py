"""Counts over the whole store, for operators."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from redis import Redis

from processor.clock import from_ms
from processor.store import codat_status, keys
from processor.store.decoding import text, text_fields
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
    """Counts by state and status, depth and age of the inbox, and counters.

    ``age_s`` is the waiting time of the oldest message in seconds; 0 if the inbox is empty.
    """
    with client.pipeline(transaction=False) as pipe:
        for cell in keys.cells():
            for state in states:
                pipe.zcard(keys.connections_in(cell, state))
            for status in INDEXED_STATUSES:
                pipe.zcard(keys.events_of(cell, status))
            pipe.hlen(keys.messages(cell))
            pipe.xlen(keys.inbox(cell))
            pipe.xrange(keys.inbox(cell), count=1)
            for index in _COUNTED.values():
                pipe.zcard(index(cell))
            pipe.hgetall(keys.counters(cell))
        pipe.time()
        rows = iter(pipe.execute())
    counts: Counter[tuple[str, str]] = Counter()
    counters: list[dict[str, str]] = []
    oldest_ms: int | None = None
    for _ in keys.cells():
        counts.update({("connections", state): next(rows) for state in states})
        counts.update({("events", status): next(rows) for status in INDEXED_STATUSES})
        counts["messages", ""] += next(rows)
        counts["inbox", ""] += next(rows)
        for entry_id, _fields in next(rows):
            entered_ms = int(text(entry_id).split("-")[0])
            oldest_ms = entered_ms if oldest_ms is None else min(oldest_ms, entered_ms)
        counts.update({(name, ""): next(rows) for name in _COUNTED})
        counters.append(text_fields(next(rows)))
    counts["events", "pending"] = counts["inbox", ""]
    others = sum(counts["events", status] for status in EVENT_STATUSES)
    counts["events", "processed"] = max(0, counts["messages", ""] - others)
    seconds, micros = next(rows)
    age_s = 0.0 if oldest_ms is None else max(0.0, seconds + micros / 1e6 - oldest_ms / 1000)
    return {
        "connections": {state: counts["connections", state] for state in states},
        "events": {status: counts["events", status] for status in EVENT_STATUSES},
        "inbox": {"depth": counts["inbox", ""], "age_s": round(age_s, 3)},
        "counters": _merged(counters),
        **{name: counts[name, ""] for name in _COUNTED},
        "codat": codat_status.read(client, from_ms(seconds * 1000)),
    }


def _merged(counters: Sequence[Mapping[str, str]]) -> dict[str, int]:
    """The counters of all cells: sums, and the latest of times (``_ms``)."""
    merged = {}
    for name in sorted(set(chain(*counters))):
        values = [int(row[name]) for row in counters if name in row]
        merged[name] = max(values) if name.endswith("_ms") else sum(values)
    return merged
