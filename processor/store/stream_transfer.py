"""Streams in an export: what is read of one, and the commands that write it again."""

from collections.abc import Iterator
from typing import Any

from redis import Redis

from processor.store.cursors import LAST_STREAM_NUMBER
from processor.store.decoding import text


def read(server: "Redis[Any]", name: bytes, *, count: int) -> Iterator[list[Any]]:
    """Entries, and a last row: the newest id of all times, if that entry is gone, and the groups."""
    start = "-"
    while entries := server.xrange(name, start, count=count):
        yield [[id_, [part for pair in fields.items() for part in pair]] for id_, fields in entries]
        start = f"({text(entries[-1][0])}"
    rows = server.xinfo_groups(name)  # type: ignore[no-untyped-call]
    groups = [[row["name"], _position(server, name, row)] for row in rows]
    newest, last_id = server.xrevrange(name, count=1), server.xinfo_stream(name)["last-generated-id"]
    yield [[b"" if newest and newest[0][0] == last_id else last_id, None, groups]]


def _position(server: "Redis[Any]", name: bytes, group: dict[str, Any]) -> bytes:
    """Where a group goes on: before the oldest entry that a consumer has and has not acknowledged."""
    oldest = server.xpending(name, group["name"])["min"] if group["pending"] else None  # type: ignore[no-untyped-call]
    if oldest is None:
        return bytes(group["last-delivered-id"])
    milliseconds, number = map(int, text(oldest).split("-"))
    before = (milliseconds, number - 1) if number else (milliseconds - 1, LAST_STREAM_NUMBER)
    return b"%d-%d" % before


def commands(name: bytes, row: list[Any]) -> Iterator[tuple[Any, ...]]:
    """The commands that write a row of ``read``; the same result where they are repeated."""
    id_, fields, *groups = row
    if fields is not None:
        yield ("XADD", name, id_, *fields)
        return
    if id_ not in (b"", b"0-0"):  # later entries get later ids than those that are gone
        yield ("XADD", name, id_, "newest", "")
        yield ("XDEL", name, id_)
    for group, last in groups[0]:
        yield ("XGROUP CREATE", name, group, last, "MKSTREAM")
