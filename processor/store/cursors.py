"""Pages of sorted sets, highest score first, and their cursors."""

import base64
import binascii
import json
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from redis import Redis

from processor.errors import Invalid
from processor.store.decoding import text

MAX_DIGITS = 20
LAST_STREAM_NUMBER = 2**64 - 1


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Items of one page, and the cursor of the next page (``None``: this is the last page)."""

    items: Sequence[Any]
    next_cursor: str | None


def all_items(fetch_page: Callable[..., ResultPage]) -> Iterator[Any]:
    """The items of all pages, in their order; ``fetch_page(cursor=...)`` reads one page."""
    cursor: str | None = None
    while True:
        result = fetch_page(cursor=cursor)
        yield from result.items
        cursor = result.next_cursor
        if cursor is None:
            return


def page(
    client: "Redis[Any]",
    index: str,
    *,
    limit: int,
    cursor: str | None,
    parts: Sequence[str] | None = None,
    between: tuple[float | str, float | str] = ("-inf", "+inf"),
) -> ResultPage:
    """One page of members of a sorted set; a cursor stays valid while members are added and removed.

    A list without a sorted set of its own is the union of ``parts``, disjoint sorted sets; ``index`` then
    only names the list for its cursors, so parts may be added and removed as well.
    ``between`` are the lowest and highest score to return. Raises :class:`Invalid` for a foreign cursor.
    """
    position = None if cursor is None else _score_and_member(cursor, index)
    names = [index] if parts is None else parts
    candidates = [row for name in names for row in _members_below(client, name, position, limit, between)]
    if len(names) > 1:
        candidates.sort(key=lambda row: (row[1], row[0]), reverse=True)
    rows, more = candidates[:limit], len(candidates) > limit
    return ResultPage([member for member, _ in rows], _cursor(index, *rows[-1]) if more and rows else None)


def filtered_page(
    fetch: Callable[[int, str | None], ResultPage],
    matches: Callable[[Any], bool],
    *,
    limit: int,
    cursor: str | None,
    max_reads: int | None = None,
) -> ResultPage:
    """Fetch pages until ``limit`` items match, the list ends, or ``max_reads`` pages are read."""
    items: list[Any] = []
    for _ in count() if max_reads is None else range(max_reads):
        page = fetch(limit - len(items), cursor)
        items += [item for item in page.items if matches(item)]
        cursor = page.next_cursor
        if len(items) >= limit or cursor is None:
            break
    return ResultPage(items, cursor)


def _members_below(
    client: "Redis[Any]",
    name: str,
    position: tuple[float, str] | None,
    limit: int,
    between: tuple[float | str, float | str],
) -> Iterator[tuple[str, float]]:
    """Members below a position with their scores: up to ``limit`` + 1 of them, or a few more."""
    bottom, top = between
    if position is not None:
        top = min(position[0], float(top))
    offset = matching = 0
    while matching <= limit:
        rows = client.zrevrangebyscore(name, top, bottom, start=offset, num=limit + 1, withscores=True)
        for raw_member, score in rows:
            member = text(raw_member)
            if position is None or (score, member) < position:
                matching += 1
                yield member, score
        offset += len(rows)
        if len(rows) <= limit:
            return


def _cursor(index: str, member: str, score: float) -> str:
    place = json.dumps([score, member, _list_checksum(index)])
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _list_checksum(index: str) -> int:
    """Checksum that tells the cursors of one list from those of another."""
    return zlib.crc32(index.encode("utf-8", "surrogatepass"))


def _score_and_member(cursor: str, index: str) -> tuple[float, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        score, member, checksum = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not math.isfinite(score) or checksum != _list_checksum(index):
            raise ValueError("not a place in this list")
        return float(score), str(member)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise Invalid(errors={"cursor": ["This is no cursor of this list."]}) from error


def stream_id(cursor: str) -> str:
    """Check that a cursor is a stream entry id. Raises :class:`Invalid`."""
    first, _, second = cursor.partition("-")
    if (
        not (first.isascii() and first.isdigit() and second.isascii() and second.isdigit())
        or max(len(first), len(second)) > MAX_DIGITS
        or max(int(first), int(second)) > LAST_STREAM_NUMBER
    ):
        raise Invalid(errors={"cursor": ["This is no cursor of this list."]})
    return cursor
