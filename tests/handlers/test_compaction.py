"""A connection with a long life stays small, and what was summed up stays true."""

from dataclasses import replace
from typing import Any

import pytest

from handlers.connection import MOST_FACTS, Connection, LedgerEntry
from handlers.events import Event, LinkStatus
from handlers.facts import Fact, FactKind
from handlers.fold import fold
from handlers.state import State
from tests.handlers.support.story import (
    DEAUTHORIZED,
    LINKED,
    UNLINKED,
    Story,
    at,
    ended,
    failed,
    linked,
    read,
    relinked,
    seen,
)
from tests.handlers.test_facts import alert, fact


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


@pytest.mark.parametrize(("change", "status"), [(linked(10), LINKED), (ended(10), DEAUTHORIZED)])
def test_of_observations_that_repeat_one_status_the_first_and_the_last_stay(
    change: Event, status: LinkStatus
) -> None:
    story = Story(change, *(seen(100 + number, status) for number in range(MOST_FACTS)))
    facts = story.connection.facts
    assert story.connection.compacted_until is None
    assert [fact.at for fact in facts] == [at(10), at(100), at(100 + MOST_FACTS - 1)]


def test_an_alert_between_observations_of_its_status_stays_with_those_beside_it() -> None:
    facts = [fact(FactKind.SEEN, second, LINKED) for second in range(MOST_FACTS)]
    connection = Connection("c", facts=(*facts[:9], alert(9, LINKED), *facts[9:])).compacted()
    assert [fact.at for fact in connection.facts] == [at(second) for second in (0, 8, 9, 9, MOST_FACTS - 1)]


def _reads(count: int) -> tuple[Fact, ...]:
    return tuple(fact(FactKind.READ, second) for second in range(count))


def test_the_newest_32_facts_stay_and_those_of_the_last_moment_before_them_do_not() -> None:
    apart, looks = _reads(70), [fact(FactKind.SEEN, 100 + second, LINKED) for second in range(40)]
    few = Connection("c", facts=(*_reads(30), *looks)).compacted()
    assert (len(few.facts), few.compacted_until) == (32, None)

    base = fold(apart[:38])
    kept = Connection("c", facts=apart).compacted()
    assert (kept.facts, kept.base, kept.compacted_until) == (apart[38:], base, at(37))

    together = tuple(replace(read, at=at(37)) if number == 38 else read for number, read in enumerate(apart))
    kept = Connection("c", facts=together).compacted()
    assert (kept.facts, kept.base, kept.compacted_until) == (together[39:], fold(together[:39]), at(37))

    at_once = tuple(replace(read, at=at(0)) for read in apart)
    kept = Connection("c", facts=at_once).compacted()
    assert (kept.facts, kept.base, kept.compacted_until) == ((), fold(at_once), at(0))


def test_a_ledger_of_more_than_64_entries_is_cut_to_the_newest_32() -> None:
    ledger = tuple(LedgerEntry("connection.authorized", at(number), f"{number}") for number in range(65))
    for entries, kept in ((ledger[:64], ledger[:64]), (ledger, ledger[33:])):
        assert Connection("c", facts=_reads(65), ledger=entries).compacted().ledger == kept


def test_an_end_is_told_once_however_many_attempts_to_reconnect_fail() -> None:
    """After the 62nd the end was no longer in the ledger and was told again."""
    attempts = [failed(100 + 200 * number) for number in range(3 * MOST_FACTS)]
    story = Story(linked(10), read(20), ended(30), *attempts)
    known = ["connection.authorized", "initial_sync.completed", "connection.deauthorized"]
    assert story.told == [*known, *["connection.authorization_failed"] * len(attempts)]
    assert len(story.connection.ledger) <= MOST_FACTS + len(known)


@pytest.mark.parametrize(
    ("old", "young"),
    [
        (
            [fact(FactKind.ENDED, 10, UNLINKED), fact(FactKind.SEEN, 100, LINKED)],
            [fact(FactKind.RELINKED, 100.5)],
        ),
        (
            [fact(FactKind.ENDED, 100, UNLINKED), fact(FactKind.RELINKED, 120)],
            [alert(130, UNLINKED, LINKED)],
        ),
        ([fact(FactKind.SEEN, second, UNLINKED) for second in (10, 100, 200)], []),
    ],
    ids=["a look before its change", "an alert after the next change", "a look that was outdated"],
)
def test_what_holds_stays_the_same_wherever_facts_are_summed_up(old: list[Fact], young: list[Fact]) -> None:
    """An authorisation was counted twice, and an alert that a message had explained ended access."""
    before = [fact(FactKind.CREATED, second) for second in range(-37 + len(old), 0)]
    after = [fact(FactKind.CREATED, 1000 + second) for second in range(32 - len(young))]
    facts = (*before, fact(FactKind.LINKED, 0), *old, *young, *after)
    connection = Connection("c", facts=facts)
    kept = connection.compacted()
    assert kept.history == connection.history
    assert 31 <= len(kept.facts) <= 32
