"""Each cell of the table: where access stands, and what happened next."""

import pytest

from handlers.events import Event
from handlers.facts import FactKind
from handlers.fold import TABLE, Column, Link
from tests.handlers.support.story import (
    DEAUTHORIZED,
    LINKED,
    PENDING,
    UNLINKED,
    Story,
    at,
    company_deleted,
    created,
    deleted,
    ended,
    failed,
    gone,
    linked,
    read,
    read_more,
    relinked,
    seen,
)

ROWS = {
    "unknown": [],
    "pending": [created(5)],
    "linked": [linked(10)],
    "ended": [linked(10), ended(20, UNLINKED)],
    "ended, with a read set aside": [linked(10), ended(20, UNLINKED), read(30)],
    "deleted": [linked(10), deleted(20)],
}

_NOT_LINKED: list[tuple[Event, str, int, float | None]] = [
    (created(100), "pending", 0, None),
    (failed(100), "authorization_failed", 0, None),
    (linked(100), "authorized", 1, 100),
    (relinked(100), "authorized", 1, 100),
    (ended(100, DEAUTHORIZED), "deauthorized", 1, None),
    (ended(100, UNLINKED), "unlinked", 1, None),
    (read(100), "ready", 1, 100),
    (read_more(100, bills="Complete", items="Error"), "ready", 1, 100),
    (read_more(100, bills="FetchError", items="Error"), "pending", 0, None),
    (seen(100, PENDING), "pending", 0, None),
    (seen(100, LINKED), "authorized", 1, 100),
    (seen(100, DEAUTHORIZED), "deauthorized", 1, None),
    (seen(100, UNLINKED), "unlinked", 1, None),
    (deleted(100), "deleted", 0, None),
    (company_deleted(100), "deleted", 0, None),
    (gone(100), "deleted", 0, None),
]

CELLS: dict[str, list[tuple[Event, str, int, float | None]]] = {
    "unknown": _NOT_LINKED,
    "pending": _NOT_LINKED,
    "linked": [
        (created(100), "authorized", 1, 10),
        (failed(100), "authorized", 1, 10),
        (linked(100), "authorized", 1, 10),
        (relinked(100), "authorized", 2, 100),
        (ended(100, DEAUTHORIZED), "deauthorized", 1, 10),
        (ended(100, UNLINKED), "unlinked", 1, 10),
        (read(100), "ready", 1, 10),
        (read_more(100, bills="Complete"), "syncing", 1, 10),
        (seen(100, PENDING), "authorized", 1, 10),
        (seen(100, LINKED), "authorized", 1, 10),
        (seen(100, DEAUTHORIZED), "deauthorized", 1, 10),
        (seen(100, UNLINKED), "unlinked", 1, 10),
        (deleted(100), "deleted", 1, 10),
        (company_deleted(100), "deleted", 1, 10),
        (gone(100), "deleted", 1, 10),
    ],
    "ended": [
        (created(100), "unlinked", 1, 10),
        (failed(100), "unlinked", 1, 10),
        (linked(100), "authorized", 2, 100),
        (relinked(100), "authorized", 2, 100),
        (ended(100, DEAUTHORIZED), "deauthorized", 1, 10),
        (ended(100, UNLINKED), "unlinked", 1, 10),
        (read(100), "unlinked", 1, 10),
        (read_more(100, bills="Complete"), "unlinked", 1, 10),
        (seen(100, PENDING), "unlinked", 1, 10),
        (seen(100, LINKED), "authorized", 2, 100),
        # Another end than the one we know: access was given in between, and Codat is right.
        (seen(100, DEAUTHORIZED), "deauthorized", 1, 10),
        (seen(100, UNLINKED), "unlinked", 1, 10),
        (deleted(100), "deleted", 1, 10),
        (company_deleted(100), "deleted", 1, 10),
        (gone(100), "deleted", 1, 10),
    ],
    "ended, with a read set aside": [
        (seen(100, LINKED), "ready", 2, 30),
        (seen(100, UNLINKED), "unlinked", 1, 10),
        (linked(100), "authorized", 2, 100),
        (relinked(100), "authorized", 2, 100),
        (ended(100, DEAUTHORIZED), "deauthorized", 1, 10),
        (read(100), "unlinked", 1, 10),
    ],
    "deleted": [
        (event, "deleted", 1, 10)
        for event in (
            created(100),
            failed(100),
            linked(100),
            relinked(100),
            ended(100),
            read(100),
            seen(100, LINKED),
            seen(100, UNLINKED),
            deleted(100),
        )
    ],
}


@pytest.mark.parametrize(
    ("row", "event", "state", "authorization", "authorized_at"),
    [
        pytest.param(row, *cell, id=f"{row} and {cell[0].event_id}")
        for row, cells in CELLS.items()
        for cell in cells
    ],
)
def test_what_one_change_does_to_a_connection(
    row: str, event: Event, state: str, authorization: int, authorized_at: float | None
) -> None:
    story = Story(*ROWS[row], event)
    assert story.state.value == state
    assert story.now.authorization == authorization
    assert story.now.authorized_at == (None if authorized_at is None else at(authorized_at))


def test_the_table_has_a_cell_for_every_link_status_and_every_column() -> None:
    assert set(TABLE) == set(Link)
    for link, cells in TABLE.items():
        assert set(cells) == set(Column), f"row {link}"


def test_every_kind_of_fact_has_a_column() -> None:
    columns = {column.name for column in Column}
    kinds = {kind.name for kind in FactKind} - {FactKind.SEEN.name}
    assert kinds <= columns


def test_deleted_wins_over_what_happened_after_it() -> None:
    assert Story(deleted(50), relinked(100), seen(120, LINKED)).state.value == "deleted"


@pytest.mark.parametrize(
    "by", [linked(40), relinked(40), ended(40, UNLINKED)], ids=lambda event: event.event_id
)
def test_reads_set_aside_are_dropped_by_the_next_exact_change(by: Event) -> None:
    story = Story(linked(10), ended(20), read(30), by)
    if story.state.value != "authorized":
        story.hear(relinked(50))
    assert (story.state.value, story.now.authorization) == ("authorized", 2)


def test_several_reads_set_aside_are_all_kept_when_codat_shows_the_link() -> None:
    story = Story(linked(10), ended(20), read(30, bills="FetchError"), read(35), seen(80, LINKED))
    assert (story.state.value, story.now.authorized_at) == ("ready", at(30))
    assert story.notes[-1].data["data_types"] == {
        "complete": ["invoices"],
        "failed": {"bills": "FetchError"},
    }


def test_a_failed_attempt_is_forgotten_when_access_is_given() -> None:
    assert Story(created(5), failed(10), linked(20), ended(30)).state.value == "deauthorized"


def test_facts_of_one_moment_are_walked_by_cause() -> None:
    story = Story(ended(10), read(10, bills="MapError"), linked(10), failed(10), created(10))
    assert (story.state.value, story.now.authorization) == ("deauthorized", 1)
    again = Story(relinked(10), ended(10), linked(10))
    assert (again.state.value, again.now.authorization) == ("authorized", 2)


@pytest.mark.parametrize("second", [8.0, 9.0, 10.0, 11.5, 12.0])
def test_what_was_seen_within_two_seconds_of_a_change_is_left_out(second: float) -> None:
    story = Story(linked(10), seen(second, DEAUTHORIZED))
    assert (story.state.value, story.now.authorized_at) == ("authorized", at(10))


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([linked(10), ended(20), seen(21, LINKED)], "deauthorized"),
        ([linked(10), ended(20), relinked(30), seen(29, DEAUTHORIZED)], "authorized"),
        ([linked(10), ended(20), relinked(30), seen(31, DEAUTHORIZED)], "authorized"),
        ([seen(21, LINKED), ended(20), linked(10)], "deauthorized"),
    ],
    ids=["after an end", "before a relinking", "after a relinking", "before the messages came"],
)
def test_an_exact_change_outranks_what_was_seen_close_to_it(events: list[Event], state: str) -> None:
    assert Story(*events).state.value == state


@pytest.mark.parametrize(
    ("second", "state"), [(12.1, "authorized"), (69, "authorized"), (70, "deauthorized")]
)
def test_what_was_seen_a_minute_after_a_change_counts(second: float, state: str) -> None:
    """Codat's API shows the state of up to a minute ago."""
    assert Story(linked(10), seen(second, DEAUTHORIZED)).state.value == state


def test_looks_within_one_second_count_in_the_order_of_asking() -> None:
    """Codat's clock shows whole seconds; two looks of one second were sorted by the alphabet."""
    looks = [seen(83, UNLINKED, known=83.1), seen(83, LINKED, known=83.8), seen(144, LINKED)]
    assert (Story(*looks[:2]).state.value, Story(*looks).state.value) == ("unlinked", "authorized")
    assert (Story(*looks[1::-1]).state.value, Story(*looks).state.value) == ("unlinked", "authorized")


@pytest.mark.parametrize("event", [created(10), failed(10)], ids=lambda event: event.event_id)
def test_only_changes_of_access_outrank_what_was_seen(event: Event) -> None:
    assert Story(event, seen(11, DEAUTHORIZED)).state.value == "deauthorized"


def test_the_exact_time_of_an_authorisation_replaces_the_time_when_it_was_seen() -> None:
    story = Story(seen(90, LINKED), linked(10))
    assert (story.now.authorization, story.now.authorized_at) == (1, at(10))
