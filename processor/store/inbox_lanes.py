"""How many messages wait in each lane of the inbox, and since when the oldest does."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import add
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.clock import from_ms
from processor.store import each_cell, keys

NAMES = ("new", "replays")
"""The lanes in the order of ``keys.inboxes``: new messages overtake replays."""


@dataclass(frozen=True, slots=True)
class LaneDepth:
    """The waiting messages of one lane over all cells; ``age_s`` is 0 where none waits."""

    depth: int = 0
    age_s: float = 0.0


def depths(client: "Redis[Any]") -> list[int]:
    """Number of waiting messages by cell, both lanes together."""
    counts = each_cell.replies(client, lambda pipe, cell: [*map(pipe.xlen, keys.inboxes(cell))])
    return list(map(add, counts[::2], counts[1::2]))


def stage(pipe: "Pipeline[Any]") -> None:
    """Stage the reads whose replies ``read`` takes."""
    for cell in keys.cells():
        for name in keys.inboxes(cell):
            pipe.xlen(name)
            pipe.xrange(name, count=1)


def read(rows: Iterator[Any], redis_now: datetime) -> dict[str, LaneDepth]:
    """Both lanes by name from the replies; one that Redis refused counts as an empty stream."""
    lanes = dict.fromkeys(NAMES, LaneDepth())
    for _ in keys.cells():
        for name in NAMES:
            depth, first = next(rows), next(rows)
            if isinstance(depth, int) and depth and isinstance(first, list) and first:
                entered = from_ms(int(first[0][0].split(b"-")[0]))
                age_s = max(lanes[name].age_s, round((redis_now - entered).total_seconds(), 3))
                lanes[name] = LaneDepth(lanes[name].depth + depth, age_s)
    return lanes
