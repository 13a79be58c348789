"""Pages of sorted sets, highest score first, and their cursors."""

import base64
import binascii
import contextlib
import json
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count, groupby
from typing import Any, TypeVar

from redis import Redis
from redis.exceptions import TryAgainError

from processor.clock import to_ms
from processor.errors import Invalid
from processor.store.decoding import text
from processor.store.round_trip import RoundTrip
from processor.store.scripts import register

T = TypeVar("T")

LAST_STREAM_NUMBER = 2**64 - 1
_PLACE = re.compile("[0-9]{1,20}")
_MARKED_PLACE = re.compile("([0-9]{1,20})(?:-([0-9a-f]{16}))?")
_STREAM_ID = re.compile("([0-9]{1,20})-([0-9]{1,20})")

Interval = tuple[datetime | None, datetime | None]
"""From the first time on and before the second; ``None``: without a bound."""

ALWAYS: Interval = (None, None)


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


def between_ms(interval: Interval) -> tuple[float | str, float | str]:
    """The lowest and highest score (ms) of an interval; a time within a millisecond belongs to it."""
    since, until = interval
    return ("-inf" if since is None else to_ms(since), "+inf" if until is None else to_ms(until))


def merged_page(
    client: "Redis[Any]",
    index: str,
    parts: Sequence[str],
    *,
    limit: int,
    cursor: str | None,
    between: tuple[float | str, float | str] = ("-inf", "+inf"),
    together: int = 1,
) -> ResultPage:
    """One page of the union of ``parts``, disjoint sorted sets; the items are members with numbers of parts.

    A cursor stays valid while members are added and removed; a foreign one raises :class:`Invalid`. ``index``
    only names the list for its cursors, so parts may be added and removed as well. ``between`` are
    the lowest and highest score to return. Each ``together`` parts in turn are of one cell, and read at one
    moment: a member that moves from one of them to another is on its page.
    """
    position = None if cursor is None else _score_and_member(cursor, index)
    return _first(index, _members_below(client, parts, position, limit, between, together), limit)


def listed_page(
    index: str,
    members: Iterable[tuple[float, str, int]],
    *,
    limit: int,
    cursor: str | None,
    between: tuple[float | str, float | str],
) -> ResultPage:
    """The same of members that were read before, with their scores and numbers of parts."""
    position = (math.inf, "") if cursor is None else _score_and_member(cursor, index)
    bottom, top = map(float, between)
    return _first(index, [row for row in members if bottom <= row[0] <= top and row[:2] < position], limit)


def _first(index: str, candidates: list[tuple[float, str, int]], limit: int) -> ResultPage:
    candidates.sort(reverse=True)
    rows, more = candidates[:limit], len(candidates) > limit
    next_cursor = encoded(*rows[-1][:2], _list_checksum(index)) if more and rows else None
    return ResultPage([(member, part) for _, member, part in rows], next_cursor)


def stream_page(
    client: "Redis[Any]", index: str, parts: Sequence[str], field: bytes, *, limit: int, cursor: str | None
) -> ResultPage:
    """The same of ``field`` in the entries of streams, newest first."""
    last_id, last_part = ("+", len(parts)) if cursor is None else _stream_place(cursor, index)
    with client.pipeline(transaction=False) as pipe:
        for part, name in enumerate(parts):
            pipe.xrevrange(name, max=last_id if part < last_part else f"({last_id}", count=limit + 1)
        pages = pipe.execute()
    entries: list[tuple[int, int, int, str]] = []
    for part, rows in enumerate(pages):
        for entry_id, fields in rows:
            ms, number = map(int, entry_id.split(b"-"))
            entries.append((ms, number, part, text(fields[field])))
    entries.sort(reverse=True)
    items, next_cursor = entries[:limit], None
    if len(entries) > limit and items:
        ms, number, part, _ = items[-1]
        next_cursor = encoded(ms, f"{number}-{part}", _list_checksum(index))
    return ResultPage([(member, part) for _, _, part, member in items], next_cursor)


def _stream_place(cursor: str, index: str) -> tuple[str, int]:
    """Id of an entry, and the number of its stream."""
    ms, member = _score_and_member(cursor, index)
    number, _, part = member.partition("-")
    return stream_id(f"{int(ms)}-{number}"), place(part)


def filtered_page(
    fetch: Callable[..., ResultPage],
    matches: Callable[[Any], bool],
    *,
    limit: int,
    cursor: str | None,
    max_reads: int | None = None,
) -> ResultPage:
    """Fetch pages until ``limit`` items match, the list ends, or ``max_reads`` pages are read.

    ``fetch(limit=..., cursor=...)`` reads one page.
    """
    items: list[Any] = []
    for _ in count() if max_reads is None else range(max_reads):
        page = fetch(limit=limit - len(items), cursor=cursor)
        items += filter(matches, page.items)
        cursor = page.next_cursor
        if len(items) >= limit or cursor is None:
            break
    return ResultPage(items, cursor)


def _members_below(
    client: "Redis[Any]",
    parts: Sequence[str],
    position: tuple[float, str] | None,
    limit: int,
    between: tuple[float | str, float | str],
    together: int,
) -> list[tuple[float, str, int]]:
    """Members below a position with scores and parts: up to ``limit`` + 1 of each part, or a few more."""
    bottom, top = between
    if position is not None:
        top = min(position[0], float(top))
    below: list[tuple[float, str, int]] = []
    offsets = dict.fromkeys(range(len(parts)), 0)
    counts = [0] * len(parts)
    while offsets:
        pages: list[Any] | None = None
        if together > 1:
            with contextlib.suppress(TryAgainError):  # its slot moves: each set is read by itself
                pages = _read_together(client, parts, offsets, together, [top, bottom, limit + 1])
        if pages is None:  # a third of the engine's time of a script
            with client.pipeline(transaction=False) as pipe:
                for part, offset in offsets.items():
                    pipe.zrevrangebyscore(parts[part], top, bottom, offset, limit + 1, withscores=True)
                pages = pipe.execute()
        for part, rows in zip(list(offsets), pages, strict=True):
            members = ((float(score), text(raw_member)) for raw_member, score in rows)
            matching = [row for row in members if position is None or row < position]
            below += [(*row, part) for row in matching]
            offsets[part] += len(rows)
            counts[part] += len(matching)
            if len(rows) <= limit or counts[part] > limit:
                del offsets[part]
    return below


def _read_together(
    client: "Redis[Any]",
    parts: Sequence[str],
    offsets: Mapping[int, int],
    together: int,
    args: Sequence[float | str],
) -> list[Any]:
    """Members with scores of each part in ``offsets``, those of one cell by one call of the script."""
    script = register(client, "pages")
    trip = RoundTrip(client, script)
    for _, group in groupby(offsets, lambda part: part // together):
        numbers = list(group)
        starts = [offsets[number] for number in numbers]
        trip.call(script, [parts[number] for number in numbers], [*args, *starts])
    return [list(zip(row[::2], row[1::2], strict=True)) for row in chain(*trip.results())]


def encoded(*parts: Any) -> str:
    """A cursor with these parts, in a form that no caller takes apart."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decoded(cursor: str, parse: Callable[..., T]) -> T:
    """What ``parse`` makes of the parts of a cursor. Raises :class:`Invalid`."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return parse(*json.loads(base64.b64decode(padded, altchars=b"-_", validate=True)))
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise _foreign() from error


def _list_checksum(index: str) -> int:
    """Checksum that tells the cursors of one list from those of another."""
    return zlib.crc32(index.encode("utf-8", "surrogatepass"))


def _score_and_member(cursor: str, index: str) -> tuple[float, str]:
    def parse(score: float, member: object, checksum: object) -> tuple[float, str]:
        if not math.isfinite(score) or checksum != _list_checksum(index):
            raise ValueError("not a place in this list")
        return float(score), str(member)

    return decoded(cursor, parse)


def stream_id(cursor: str) -> str:
    """Check that a cursor is a stream entry id. Raises :class:`Invalid`."""
    if max(map(int, _matched(_STREAM_ID, cursor).groups())) > LAST_STREAM_NUMBER:
        raise _foreign()
    return cursor


def place(cursor: str) -> int:
    """Check that a cursor is a place in a list. Raises :class:`Invalid`."""
    return int(_matched(_PLACE, cursor)[0])


def marked_place(cursor: str) -> tuple[int, str]:
    """A place in a list and, after a hyphen, the id of the entry that was there. Raises :class:`Invalid`."""
    number, mark = _matched(_MARKED_PLACE, cursor).groups("")
    return int(number), mark


def _matched(pattern: re.Pattern[str], cursor: str) -> re.Match[str]:
    match = pattern.fullmatch(cursor)
    if match is None:
        raise _foreign()
    return match


def _foreign() -> Invalid:
    return Invalid(errors={"cursor": ["This is no cursor of this list."]})
