"""Timelines: entries come back as they were written, in pages that repeat nothing."""

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from processor.clock import to_iso
from processor.errors import Invalid
from processor.store import keys, timelines
from processor.store.queries import Reader
from processor.store.timelines import TimelineRow
from tests.support import messages

AT = messages.LONG_AGO
NAME = keys.timeline(3, "connection-1")


def entry(number: int = 0, **fields: Any) -> bytes:
    """An entry as it is stored; its reason is a number."""
    known_at = AT + timedelta(microseconds=1)
    states = ("pending", "ready", "applied")
    row = TimelineRow(AT, known_at, "evt_1", "x.y", "poll", *states, str(number), **fields)
    return timelines.dump(row)


def reasons(reader: Reader, cursor: str | None) -> tuple[list[str], str | None]:
    page = reader.timeline("connection-1", limit=3, cursor=cursor)
    assert all(row["id"] for row in page.items)
    return [row["reason"] for row in page.items], page.next_cursor


def test_an_entry_comes_back_by_its_public_names() -> None:
    decisions = (("connection.deleted", "told", "due", "ntf_1"), ("x", "not_told", "no", ""))
    shown = timelines.load(entry(decisions=decisions, handled_at=AT + timedelta(hours=1)))

    assert len(shown.pop("id")) == 16
    assert shown == {
        "at": to_iso(AT),
        "known_at": to_iso(AT + timedelta(microseconds=1)),
        "event_id": "evt_1",
        "event_type": "x.y",
        "source": "poll",
        "from": "pending",
        "to": "ready",
        "outcome": "applied",
        "reason": "0",
        "decisions": [
            {"type": "connection.deleted", "verdict": "told", "reason": "due", "notification_id": "ntf_1"},
            {"type": "x", "verdict": "not_told", "reason": "no", "notification_id": None},
        ],
        "handled_at": to_iso(AT + timedelta(hours=1)),
    }
    assert timelines.load(entry())["handled_at"] == to_iso(AT + timedelta(microseconds=1))


def test_a_timeline_is_read_newest_first_page_by_page(client: "Redis[Any]", reader: Reader) -> None:
    client.rpush(NAME, *map(entry, range(7)))
    first, cursor = reasons(reader, None)
    client.rpush(NAME, entry(7))
    second, cursor = reasons(reader, cursor)
    third, cursor = reasons(reader, cursor)

    assert [first, second, third] == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
    assert cursor is None


def test_a_page_repeats_nothing_while_the_oldest_entries_are_dropped(
    client: "Redis[Any]", reader: Reader
) -> None:
    """A full timeline loses its oldest entry with each new one, and all others move."""
    client.rpush(NAME, *map(entry, range(10)))
    first, cursor = reasons(reader, None)
    for number in (10, 11):
        client.rpush(NAME, entry(number))
        client.ltrim(NAME, -10, -1)
    second, cursor = reasons(reader, cursor)
    assert [first, second] == [["9", "8", "7"], ["6", "5", "4"]]
    client.ltrim(NAME, -2, -1)
    assert reasons(reader, cursor) == ([], None)


@pytest.mark.parametrize(
    "cursor",
    ["", "-", "x", "1-", "-1", "1-x", "\u0661-\u0662", "1-1-1", "9" * 30 + "-1", f"{2**64}-0", "+", "("],
)
def test_what_is_no_cursor_is_named_as_such(reader: Reader, cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        reader.timeline("connection-1", limit=5, cursor=cursor)
    assert set(caught.value.errors) == {"cursor"}
