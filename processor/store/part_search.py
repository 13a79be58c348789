"""Searches for objects by a part of their id."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis import Redis

from processor.store import keys
from processor.store.decoding import text

SHORTEST = 4
"""Fewest characters of a part: a shorter one is in most ids."""

MOST_RESULTS = 20
"""Objects of one kind that are found."""

MOST_SCANNED = 1_000_000
"""Members of the indexes of one kind that Redis compares; each cell has the same share."""

_INDEXES: Mapping[str, Callable[[int], Sequence[str]]] = {
    "connection": keys.connections,
    "company": lambda cell: (keys.companies(cell),),
    "event": lambda cell: (keys.events(cell),),
    "notification": lambda cell: (keys.outbox(cell),),
}
_SCAN_COUNT = 1_000
_SPECIAL = re.compile(r"([\\*?\[\]^-])")


def find(client: "Redis[Any]", part: str) -> list[tuple[str, str]]:
    """Kind and id of up to ``MOST_RESULTS`` objects of each kind whose id contains ``part``, as it is."""
    if len(part) < SHORTEST:
        return []
    pattern = "*" + _SPECIAL.sub(r"\\\1", part) + "*"
    return [(kind, id_) for kind, indexes in _INDEXES.items() for id_ in _matching(client, indexes, pattern)]


def _matching(client: "Redis[Any]", indexes: Callable[[int], Sequence[str]], pattern: str) -> list[str]:
    matches: dict[str, None] = {}
    of_cell = MOST_SCANNED // len(keys.cells())
    for cell in keys.cells():
        scanned = 0
        for index in indexes(cell):
            cursor, left = None, client.zcard(index)
            while cursor != 0 and left > 0 and scanned < of_cell and len(matches) < MOST_RESULTS:
                cursor, rows = client.zscan(index, cursor or 0, match=pattern, count=_SCAN_COUNT)
                scanned, left = scanned + min(left, _SCAN_COUNT), left - _SCAN_COUNT
                matches |= {text(member): None for member, _ in rows}
    return list(matches)[:MOST_RESULTS]
