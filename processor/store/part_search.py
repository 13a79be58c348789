"""Searches for objects by a part of their id."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from redis import Redis

from processor.store import keys
from processor.store.decoding import text

SHORTEST = 4
"""Fewest characters of a part: a shorter one is in most ids."""

MOST_RESULTS = 20
MOST_SCANNED = 50_000
"""Members of the indexes of one kind that Redis compares, in all cells together."""

_INDEXES: Mapping[str, Callable[[int], str]] = {
    "connection": keys.connections,
    "company": keys.companies,
    "event": keys.events,
    "notification": keys.outbox,
}
_SCAN_COUNT = 1_000
_SPECIAL = re.compile(r"([\\*?\[\]^-])")


def find(client: "Redis[Any]", part: str) -> list[tuple[str, str]]:
    """Kind and id of up to ``MOST_RESULTS`` objects whose id contains ``part``, as it is written."""
    if len(part) < SHORTEST:
        return []
    pattern = f"*{_SPECIAL.sub(_escaped, part)}*"
    matches: dict[tuple[str, str], None] = {}
    for kind, index in _INDEXES.items():
        scanned = 0
        for cell in keys.cells():
            cursor = None
            while cursor != 0 and scanned < MOST_SCANNED and len(matches) < MOST_RESULTS:
                cursor, rows = client.zscan(index(cell), cursor or 0, match=pattern, count=_SCAN_COUNT)
                scanned += _SCAN_COUNT
                matches |= {(kind, text(member)): None for member, _ in rows}
    return list(matches)[:MOST_RESULTS]


def _escaped(match: re.Match[str]) -> str:
    return "\\" + match[0]
