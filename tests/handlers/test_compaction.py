"""A connection with a long life stays small, and what was summed up stays true."""

from typing import Any

from handlers.connection import MOST_FACTS
from handlers.events import Event
from handlers.state import State
from tests.handlers.support.story import (
    DEAUTHORIZED,
    LINKED,
    Story,
    at,
    ended,
    failed,
    linked,
    read,
    relinked,
    seen,
)


def _lives(count: int) -> list[Event]:
    events: list[Event] = []
    for life in range(count):
        start = 1000.0 * life
        events += [
            (relinked if life else linked)(start),
            read(start + 100, invoices="Complete" if life % 2 else "MapError"),
            ended(start + 200),
        ]
    return events


def _told(count: int) -> list[str]:
    told: list[str] = []
    for life in range(count):
        told += [
            "connection.reauthorized" if life else "connection.authorized",
            "initial_sync.completed" if life % 2 else "initial_sync.failed",
            "connection.deauthorized",
        ]
    return told


def test_more_than_64_facts_are_compacted_and_the_state_stays_the_same() -> None:
    story = Story()
    most = 0
    for number, event in enumerate(_lives(100)):
        story.hear(event)
        most = max(most, len(story.connection.facts))
        assert story.now.authorization == number // 3 + 1
        assert story.now.authorized_at == at(1000.0 * (number // 3))
    assert MOST_FACTS == 64
    assert most <= MOST_FACTS
    assert story.told == _told(100)
    assert len({note.id for note in story.notes}) == 300
    assert len(story.connection.ledger) < 300


def test_up_to_64_facts_nothing_is_compacted() -> None:
    story = Story(*_lives(21))
    assert (len(story.connection.facts), story.connection.compacted_until) == (63, None)


def test_new_facts_below_the_floor_are_stale() -> None:
    story = Story(*_lives(40))
    assert story.connection.compacted_until is not None
    before = story.connection
    floor = (story.connection.compacted_until - at(0)).total_seconds()
    for event in (
        failed(floor, known=90_000, id="at the floor itself"),
        relinked(1050, known=90_000, id="never heard of"),
        ended(1200, known=90_001, id="heard of"),
        read(10, known=90_002),
    ):
        story.hear(event)
        assert story.outcome == "stale"
        assert story.connection.facts == before.facts
        assert story.connection.ledger == before.ledger
    assert (story.state, story.now.authorization) == (State.DEAUTHORIZED, 40)


def test_new_facts_above_the_floor_count_as_before() -> None:
    story = Story(*_lives(40))
    story.hear(relinked(50_000), read(50_100))
    assert (story.state, story.now.authorization) == (State.READY, 41)
    story.hear(ended(49_000, known=60_000))
    assert (story.state, story.now.authorization) == (State.READY, 41)


def test_a_connection_that_is_looked_at_for_years_stays_small_and_exact() -> None:
    story = Story(linked(0), read(10))
    for look in range(1, 2000):
        story.hear(seen(3600.0 * look, LINKED))
    assert len(story.connection.facts) <= MOST_FACTS
    assert (story.state, story.now.authorization, story.now.authorized_at) == (State.READY, 1, at(0))
    assert story.told == ["connection.authorized", "initial_sync.completed"]


def test_a_change_missed_between_looks_is_still_placed_right_where_it_happened() -> None:
    story = Story(linked(0), read(10))
    for look in range(1, 100):
        story.hear(seen(3600.0 * look, LINKED))
    story.hear(seen(3600.0 * 100, DEAUTHORIZED))
    for look in range(101, 140):
        story.hear(seen(3600.0 * look, LINKED))
    assert (story.state, story.now.authorization) == (State.AUTHORIZED, 2)
    assert story.told[2:] == ["connection.deauthorized", "connection.reauthorized"]


def test_a_hundred_first_reads_of_one_authorisation_are_kept_as_one_outcome() -> None:
    story = Story(linked(0))
    for number in range(100):
        types: dict[str, Any] = {f"type{number:03}": "Complete" if number else "MapError"}
        story.hear(read(10.0 + number, **types))
    assert len(story.connection.facts) <= MOST_FACTS
    assert story.state is State.READY
    assert story.told == ["connection.authorized", "initial_sync.failed", "initial_sync.completed"]


def test_of_observations_that_repeat_one_status_the_first_and_the_last_stay() -> None:
    story = Story(linked(10), *(seen(100 + number, LINKED) for number in range(MOST_FACTS)))
    facts = story.connection.facts
    assert story.connection.compacted_until is None
    assert [fact.at for fact in facts] == [at(10), at(100), at(100 + MOST_FACTS - 1)]
