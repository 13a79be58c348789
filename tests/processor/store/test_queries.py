"""Reading page by page while members come and go."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from handlers.connection import Connection
from handlers.state import State
from processor.errors import Invalid
from processor.store import keys, records
from processor.store.queries import Reader
from tests.support import cells, messages
from tests.support.counting import commands
from tests.support.effort import examples


def keep(inbox, number, *, at=messages.LONG_AGO):
    body = messages.other(company_id=f"company-{number}")
    inbox.accept(messages.understood(body, f"msg_{number:03}", received_at=at), body)


def pages(read, limit):
    """All pages of a list."""
    cursor = None
    while True:
        page = read(limit=limit, cursor=cursor)
        yield page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def test_events_are_listed_newest_first_each_once_also_when_they_came_in_the_same_moment(inbox, reader):
    for number in range(25):
        keep(inbox, number, at=messages.LONG_AGO + timedelta(seconds=number // 10))

    listed = [
        [row["event_id"] for row in page]
        for page in pages(lambda **where: reader.list_events(status=None, **where), 4)
    ]

    assert [len(page) for page in listed] == [4, 4, 4, 4, 4, 4, 1]
    ids = [event_id for page in listed for event_id in page]
    assert ids == sorted(ids, key=lambda item: (int(item[4:]) // 10, item), reverse=True)
    assert len(set(ids)) == 25


def test_the_last_page_has_no_cursor_even_when_it_is_full(inbox, reader):
    for number in range(4):
        keep(inbox, number)

    page = reader.list_events(status=None, limit=4, cursor=None)

    assert (len(page.items), page.next_cursor) == (4, None)
    assert reader.list_events(status="dead", limit=4, cursor=None).items == []


def test_what_comes_and_goes_between_two_pages_moves_nothing_else(client, inbox, reader):
    """New ones come on top; a cursor stays right also when the very entry that it names is gone."""
    for number in range(10, 20):
        keep(inbox, number, at=messages.LONG_AGO + timedelta(seconds=number))
    first = reader.list_events(status=None, limit=4, cursor=None)
    keep(inbox, 30, at=messages.LONG_AGO + timedelta(hours=1))
    cells.remove(client, keys.events, "msg_016", "msg_019", "msg_013")

    second = reader.list_events(status=None, limit=4, cursor=first.next_cursor)

    assert [row["event_id"] for row in first.items] == ["msg_019", "msg_018", "msg_017", "msg_016"]
    assert [row["event_id"] for row in second.items] == ["msg_015", "msg_014", "msg_012", "msg_011"]


@settings(max_examples=examples(40))
@given(
    scores=st.lists(st.integers(0, 3), max_size=30),
    limit=st.integers(1, 7),
    changes=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3) | st.none()), max_size=12),
)
def test_members_that_stay_are_listed_exactly_once_whatever_comes_and_goes(
    engine_url, scores, limit, changes
):
    client = Redis.from_url(engine_url)
    client.flushall()
    reader = Reader(client)
    for number, score in enumerate(scores):
        client.zadd(keys.companies(keys.cell_of(f"company-{number}")), {f"company-{number}": score})
        client.hset(keys.company(f"company-{number}"), "id", f"company-{number}")
    touched = {number for number, _ in changes}
    left = list(changes)
    result = []
    for page in pages(reader.list_companies, limit):
        result += [row["id"] for row in page]
        assert len(page) <= limit
        if left:
            number, score = left.pop()
            if score is None:
                cells.remove(client, keys.companies, f"company-{number}")
            else:
                client.zadd(keys.companies(keys.cell_of(f"company-{number}")), {f"company-{number}": score})
                client.hset(keys.company(f"company-{number}"), "id", f"company-{number}")

    stayed = [number for number in range(len(scores)) if number not in touched]
    ordered = sorted(stayed, key=lambda number: (scores[number], f"company-{number}"), reverse=True)
    names = {f"company-{number}" for number in stayed}
    assert [name for name in result if name in names] == [f"company-{number}" for number in ordered]


def test_entries_whose_object_expired_are_passed_over_and_the_list_goes_on(client, inbox, reader):
    for number in range(10):
        keep(inbox, number, at=messages.LONG_AGO + timedelta(seconds=number))
    for number in range(3, 10):
        cells.forget_message(client, f"msg_{number:03}")

    listed = list(pages(lambda **where: reader.list_events(status=None, **where), 3))

    assert [row["event_id"] for page in listed for row in page] == ["msg_002", "msg_001", "msg_000"]


def test_a_cursor_of_another_list_is_none_of_this_one(inbox, reader):
    for number in range(4):
        keep(inbox, number)
    lists = {
        "all": lambda cursor: reader.list_events(status=None, limit=2, cursor=cursor),
        "pending": lambda cursor: reader.list_events(status="pending", limit=2, cursor=cursor),
    }
    cursors = {name: read(None).next_cursor for name, read in lists.items()}

    for name, read in lists.items():
        assert read(cursors[name]).items
    for name, other in (("all", "pending"), ("pending", "all")):
        with pytest.raises(Invalid) as caught:
            lists[name](cursors[other])
        assert set(caught.value.errors) == {"cursor"}


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "?",
        "x",
        "bm8",
        "WzFd",
        "W10",
        "bnVsbA",
        "WyJhIiwgImIiXQ",
        "W05hTiwgImEiXQ",
        "W1sxXSwgImEiXQ",
        "ü",
        "W" * 5000,
        "WzFlOTk5OSwgImEiXQ",
    ],
)
def test_what_is_no_cursor_is_named_as_such(reader, cursor):
    with pytest.raises(Invalid) as caught:
        reader.list_events(status=None, limit=5, cursor=cursor)
    assert set(caught.value.errors) == {"cursor"}


def test_the_indexes_of_a_cell_are_read_at_one_moment(client, reader):
    """A connection that went from a state that was not read yet to one that was, was on no page at all."""
    for number in range(60):
        cell = number % len(keys.cells())
        index = keys.connections(cell)[number % len(State)]
        client.zadd(index, {f"connection-{number}": number // 20})
        row = records.connection_row(Connection(id=f"connection-{number}"), next(iter(State)), 1)
        client.set(keys.connection(cell, f"connection-{number}"), row)
    reader.list_connections(limit=1, cursor=None)
    before = commands(client)

    read = list(pages(reader.list_connections, 7))

    listed = [row.connection.id for page in read for row in page]
    assert sorted(listed) == sorted(f"connection-{number}" for number in range(60))
    after = commands(client)
    steps, reads = (after[name] - before[name] for name in ("evalsha", "zrevrangebyscore"))
    assert len(read) * len(keys.cells()) <= steps < reads <= steps * len(State)


def test_what_nobody_ever_heard_of_is_none(reader):
    assert reader.connection("x") is None
    assert reader.connections(["x", "y"]) == reader.connections([]) == []
    assert reader.company("x") is None
    assert reader.current_company_id("x") is None
    assert reader.event("x") is None
    assert reader.notification("x") is None
    assert reader.timeline("x", limit=5, cursor=None).items == []
    assert reader.list_connections(company_id="x", limit=5, cursor=None).items == []
    assert reader.list_notifications(connection_id="x", limit=5, cursor=None).items == []


def test_the_age_of_the_inbox_is_that_of_its_oldest_message(client, reader):
    empty = {"depth": 0, "age_s": 0.0}
    assert reader.stats(["ready"])["inbox"] == {**empty, "lanes": {"new": empty, "replays": empty}}
    seconds, _ = client.time()
    client.xadd(keys.replays(2), {"id": "msg_1"}, id=f"{(seconds - 90) * 1000}-0")
    client.xadd(keys.inbox(1), {"id": "msg_2"}, id=f"{(seconds - 30) * 1000}-0")

    body = reader.stats(["ready"])["inbox"]

    assert body["depth"] == 2
    assert 90 <= body["age_s"] < 150
    assert body["lanes"]["replays"] == {"depth": 1, "age_s": body["age_s"]}
    assert 30 <= body["lanes"]["new"]["age_s"] < 90
