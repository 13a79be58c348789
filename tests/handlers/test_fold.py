"""Boundaries of the fold: which facts count, and to which authorisation a data type belongs."""

import pytest

from handlers.events import LinkStatus
from handlers.facts import DataType, Fact, FactKind
from handlers.fold import effective_facts, fold
from tests.handlers.support.story import (
    LINKED,
    PENDING,
    Story,
    at,
    claim,
    dataset,
    ended,
    history,
    linked,
    read,
    relinked,
)


def fact(kind: FactKind, second: float, **fields: object) -> Fact:
    return Fact(kind, at(second), at(second), f"{kind}-{second}", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("second", "counts"), [(8, False), (11, False), (12, False), (13, True)])
def test_an_observation_within_two_seconds_of_an_exact_change_does_not_count(
    second: int, counts: bool
) -> None:
    linked, seen = fact(FactKind.LINKED, 10), fact(FactKind.SEEN, second, status=LinkStatus.LINKED)
    assert list(effective_facts([linked, seen])) == ([linked, seen] if counts else [linked])
    assert list(effective_facts([linked])) == [linked]


def test_an_attempt_that_failed_is_over_where_the_connection_is_created() -> None:
    assert fold((fact(FactKind.FAILED, 10), fact(FactKind.CREATED, 20))).failed is None


@pytest.mark.parametrize("kind", [FactKind.ENDED, FactKind.SEEN])
def test_reads_set_aside_before_another_end_are_not_of_the_next_authorisation(kind: FactKind) -> None:
    facts = (
        fact(FactKind.LINKED, 10),
        fact(FactKind.ENDED, 20, status=LinkStatus.UNLINKED),
        fact(FactKind.READ, 30),
        fact(kind, 100, status=LinkStatus.DEAUTHORIZED),
        fact(FactKind.SEEN, 200, status=LinkStatus.LINKED),
    )
    assert (fold(facts).begun_at, fold(facts).initial_reads) == (at(200), ())


@pytest.mark.parametrize(("requested", "counts"), [(19, False), (20, False), (20.5, True)])
def test_a_data_type_requested_up_to_the_end_of_an_authorisation_belongs_to_it(
    requested: float, counts: bool
) -> None:
    facts = (
        fact(FactKind.LINKED, 10),
        fact(FactKind.ENDED, 20, status=LinkStatus.UNLINKED),
        fact(FactKind.RELINKED, 30),
        fact(FactKind.READ, 40, types=(("bills", "Complete"),), requested=(("bills", at(requested)),)),
    )
    assert bool(fold(facts).initial_reads) == counts


@pytest.mark.parametrize(("requested", "kept"), [(20, ["bills"]), (20.5, ["bills", "items"])])
def test_a_read_in_the_second_of_a_shown_end_keeps_what_was_requested_since_the_end_before(
    requested: float, kept: list[str]
) -> None:
    facts = (
        fact(FactKind.LINKED, 10),
        fact(FactKind.ENDED, 20, status=LinkStatus.UNLINKED),
        fact(FactKind.RELINKED, 30),
        fact(FactKind.SEEN, 120, status=LinkStatus.DEAUTHORIZED),
        fact(
            FactKind.READ,
            120.8,
            types=(("bills", "Complete"), ("items", "Complete")),
            requested=(("bills", at(32)), ("items", at(requested))),
        ),
    )
    (read,) = fold(facts).initial_reads
    assert [name for name, _ in read.types] == kept
    assert fold(facts).orphaned_reads == ()


@pytest.mark.parametrize(
    ("end", "second", "kept"),
    [(FactKind.SEEN, 22, True), (FactKind.SEEN, 22.000_001, False), (FactKind.ENDED, 21, False)],
)
def test_a_read_up_to_two_seconds_after_an_end_that_was_only_shown_came_before_it(
    end: FactKind, second: float, kept: bool
) -> None:
    shown = fact(end, 20, status=LinkStatus.DEAUTHORIZED)
    history = fold((fact(FactKind.LINKED, -100), shown, fact(FactKind.READ, second)))
    assert (bool(history.initial_reads), bool(history.orphaned_reads)) == (kept, not kept)
    assert history.ended == shown


def test_of_two_outcomes_of_one_time_the_greater_status_wins_and_an_equal_one_changes_nothing() -> None:
    complete, failed = DataType("bills", "Complete", at(1)), DataType("bills", "MapError", at(1))
    assert failed.is_newer_than(complete)
    assert not complete.is_newer_than(failed)
    assert not complete.is_newer_than(complete)


@pytest.mark.parametrize(("requested", "state"), [(19, "authorized"), (20, "authorized"), (20.5, "ready")])
def test_a_row_of_the_history_requested_up_to_the_end_belongs_to_the_earlier_authorisation(
    requested: float, state: str
) -> None:
    story = Story(linked(10), read(15, bills="MapError"), ended(20), relinked(30))
    story.hear(history(100, dataset("bills", "Complete", requested=requested, completed=40)))
    assert story.state == state


@pytest.mark.parametrize(("arrival", "begun_at"), [(97.5, 97.5), (98, 100), (280, 100)])
def test_an_alert_from_two_seconds_before_an_exact_change_on_is_of_that_change(
    arrival: float, begun_at: float
) -> None:
    story = Story(claim(arrival, PENDING, LINKED), linked(100, known=400))
    assert story.now.authorized_at == at(begun_at)
    assert len(story.notes) == 1


@pytest.mark.parametrize(("second", "outcome"), [(49, "stale"), (50, "no_change"), (51, "applied")])
def test_only_what_lies_before_the_last_change_is_stale(second: float, outcome: str) -> None:
    assert Story(linked(10), ended(50), linked(second, id="again")).outcome == outcome
