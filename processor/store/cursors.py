"""Lists by the page: sorted sets from the highest score down, and the cursors that say where a page ended."""

import base64
import binascii
import json
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from processor.errors import Invalid

MOST_DIGITS = 20
LAST_STREAM_NUMBER = 2**64 - 1


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Ids or items of one page, and the cursor of the next; ``None`` when this was the last."""

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
    """Members of a sorted set, highest score first; a cursor stays right while members come and go.

    ``parts`` are the sorted sets, no member in two of them, that together are the list, where that has no
    set of its own; its cursors go by ``index`` nevertheless, so parts may come and go as well.
    ``between`` are the lowest and the highest score that are wanted.
    """
    place = None if cursor is None else _score_and_member(cursor, index)
    names = [index] if parts is None else parts
    found = [row for name in names for row in _from(client, name, place, limit, between)]
    if len(names) > 1:
        found.sort(key=lambda row: (row[1], row[0]), reverse=True)
    rows, more = found[:limit], len(found) > limit
    return ResultPage([member for member, _ in rows], _cursor(index, *rows[-1]) if more and rows else None)


def _from(
    client: "Redis[Any]",
    name: str,
    place: tuple[float, str] | None,
    limit: int,
    between: tuple[float | str, float | str],
) -> Iterator[tuple[str, float]]:
    """The members below a place, and their scores: more than ``limit`` where there are more."""
    bottom, top = between
    if place is not None:
        top = min(place[0], float(top))
    offset = count = 0
    while count <= limit:
        rows = client.zrevrangebyscore(name, top, bottom, start=offset, num=limit + 1, withscores=True)
        for bare, score in rows:
            member = bare.decode("utf-8", "replace")
            if place is None or (score, member) < place:
                count += 1
                yield member, score
        offset += len(rows)
        if len(rows) <= limit:
            return


def _cursor(index: str, member: str, score: float) -> str:
    said = json.dumps([score, member, _name_of(index)])
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def _name_of(index: str) -> int:
    """What tells the cursors of one list from those of another; nothing of it is secret."""
    return zlib.crc32(index.encode("utf-8", "surrogatepass"))


def _score_and_member(cursor: str, index: str) -> tuple[float, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        score, member, name = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not math.isfinite(score) or name != _name_of(index):
            raise ValueError("not a place in this list")
        return float(score), str(member)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise Invalid(errors={"cursor": ["This is no cursor of this list."]}) from error


def stream_id(cursor: str) -> str:
    """The place in a stream that a cursor is; raises :class:`Invalid` for what is none."""
    first, _, second = cursor.partition("-")
    if (
        not (first.isascii() and first.isdigit() and second.isascii() and second.isdigit())
        or max(len(first), len(second)) > MOST_DIGITS
        or max(int(first), int(second)) > LAST_STREAM_NUMBER
    ):
        raise Invalid(errors={"cursor": ["This is no cursor of this list."]})
    return cursor
