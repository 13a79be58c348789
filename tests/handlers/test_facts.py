"""Facts, claims and outcomes of data types by themselves: their order, which is newer, and exact limits."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.connection import Connection
from handlers.events import LinkStatus
from handlers.facts import API_LAG, CLAIM_WINDOW, SEEN_TOLERANCE, DataType, Fact, FactKind
from handlers.fold import AuthorizationHistory, Link, effective_facts, lag_after, may_be_outdated, read_cutoff
from handlers.superseded import superseded_claims
from tests.handlers.support.story import DEAUTHORIZED, LINKED, PENDING, START, UNLINKED, at

MOMENT = timedelta(microseconds=1)


def fact(kind: FactKind, second: float, status: LinkStatus | None = None, **more: object) -> Fact:
    """A fact that was known at once."""
    return Fact(kind, at(second), at(second), f"{kind}@{second}", status=status, **more)  # type: ignore[arg-type]


def alert(second: float, new: LinkStatus | None, old: LinkStatus | None = None) -> Fact:
    """A legacy alert that was accepted; ``None`` stands for a first sync."""
    return fact(FactKind.READ if new is None else FactKind.SEEN, second, new, claimed=True, old=old)


def outcome(second: float, **more: object) -> DataType:
    return DataType("invoices", "Complete", at(second), **more)  # type: ignore[arg-type]


def moved(data_type: DataType, by: timedelta) -> DataType:
    return replace(data_type, at=data_type.at + by)


# Outcomes of data types


def test_an_untimed_outcome_replaces_a_timed_one_only_beyond_the_window() -> None:
    timed, untimed = outcome(0), outcome(0, timed=False)

    assert not moved(untimed, CLAIM_WINDOW).is_newer_than(timed)
    assert moved(untimed, CLAIM_WINDOW + MOMENT).is_newer_than(timed)


def test_of_two_untimed_outcomes_the_later_is_the_newer() -> None:
    untimed = outcome(0, timed=False)

    assert moved(untimed, MOMENT).is_newer_than(untimed)
    assert not moved(untimed, -MOMENT).is_newer_than(untimed)


def test_a_timed_outcome_replaces_an_untimed_one_back_to_the_window() -> None:
    timed, untimed = outcome(0), outcome(0, timed=False)

    assert moved(timed, -CLAIM_WINDOW).is_newer_than(untimed)
    assert not moved(timed, -CLAIM_WINDOW - MOMENT).is_newer_than(untimed)


def test_a_read_that_is_running_may_be_as_old_as_codats_lag() -> None:
    running = DataType("invoices", "Fetching", START + API_LAG, progress=99)

    assert not running.is_newer_than(outcome(1))
    assert running.is_newer_than(outcome(-1))
    assert running.is_newer_than(outcome(0))  # of one moment, by their names: Fetching after Complete
    assert outcome(1).is_newer_than(running)
    assert not outcome(59).is_newer_than(replace(running, progress=100))


def test_the_same_outcome_is_no_newer_one() -> None:
    assert not outcome(0).is_newer_than(outcome(0))
    assert outcome(0).is_newer_than(None)


@pytest.mark.parametrize(
    ("message", "until"),
    [
        ("Paused until 1970-01-01T01:00:00Z", "1970-01-01T01:00:00+00:00"),
        ("paused until 1970-01-01T01:00:00.000+01:00 for a while", "1970-01-01T00:00:00+00:00"),
        ("Paused until 1970-01-01T01:00:00", "1970-01-01T01:00:00+00:00"),
        ("Paused until 1970-01-01T99:00:00Z", None),
        ("It is paused until 1970-01-01T01:00:00Z", None),
        (None, None),
    ],
)
def test_a_pause_ends_at_the_time_in_its_message(
    message: str | None, until: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")  # a time without a zone is Codat's, not this machine's
    time.tzset()
    paused = DataType("invoices", "Fetching", START, progress=10, message=message).paused_until

    assert (paused and paused.isoformat()) == until
    assert DataType("invoices", "Complete", START, message=message).paused_until is None
    monkeypatch.undo()
    time.tzset()


# Order, and what a fact implies


def test_observations_of_one_second_are_sorted_by_our_clock_and_others_by_their_content() -> None:
    first = fact(FactKind.SEEN, 10, UNLINKED)
    second = replace(fact(FactKind.SEEN, 10, LINKED), known_at=at(11))
    assert sorted([second, first], key=lambda fact: fact.order) == [first, second]

    known_first = replace(fact(FactKind.ENDED, 10, UNLINKED), known_at=at(9))
    known_last = fact(FactKind.ENDED, 10, DEAUTHORIZED)
    assert sorted([known_first, known_last], key=lambda fact: fact.order) == [known_last, known_first]

    assert fact(FactKind.ENDED, 10).order < known_last.order  # a fact without a status can be compared


def test_a_read_or_a_failure_implies_no_status() -> None:
    assert fact(FactKind.SEEN, 0, LINKED).link_status is LINKED
    assert fact(FactKind.ENDED, 0, UNLINKED).link_status is UNLINKED
    assert fact(FactKind.FAILED, 0, UNLINKED).link_status is None


# Alerts that an exact fact supersedes


@pytest.mark.parametrize(
    ("seconds", "superseded"),
    [(-2.000_001, False), (-2, True), (0, True), (180, True), (180.000_001, False)],
)
def test_an_alert_of_a_status_comes_in_a_window_around_its_change(seconds: float, superseded: bool) -> None:
    change, claimed = fact(FactKind.LINKED, 0), alert(seconds, LINKED, PENDING)

    facts = sorted([change, claimed], key=lambda fact: fact.order)

    assert (claimed in superseded_claims(facts)) is superseded


@pytest.mark.parametrize(("seconds", "superseded"), [(-0.000_001, False), (0, True), (180, True)])
def test_an_alert_of_a_first_sync_never_comes_before_it(seconds: float, superseded: bool) -> None:
    sync, claimed = fact(FactKind.READ, 0, types=(("bills", "Complete"),)), alert(seconds, None)

    facts = sorted([sync, claimed], key=lambda fact: fact.order)

    assert (claimed in superseded_claims(facts)) is superseded


@pytest.mark.parametrize(
    ("change", "claimed", "superseded"),
    [
        (fact(FactKind.LINKED, 0), alert(1, LINKED, PENDING), True),
        (fact(FactKind.LINKED, 0), alert(1, LINKED), True),
        (fact(FactKind.RELINKED, 0), alert(1, LINKED), True),
        (fact(FactKind.LINKED, 0), alert(1, LINKED, UNLINKED), False),
        (fact(FactKind.RELINKED, 0), alert(1, LINKED, UNLINKED), True),
        (fact(FactKind.RELINKED, 0), alert(1, LINKED, PENDING), False),
        (fact(FactKind.ENDED, 0, UNLINKED), alert(1, UNLINKED, LINKED), True),
        (fact(FactKind.ENDED, 0, UNLINKED), alert(1, DEAUTHORIZED, LINKED), False),
        (fact(FactKind.LINKED, 0), alert(1, None), False),
        (fact(FactKind.READ, 0), alert(1, LINKED), False),
        (fact(FactKind.READ, 0), fact(FactKind.FAILED, 1, claimed=True), False),
        (fact(FactKind.READ, 0), fact(FactKind.ORDINARY_READ, 1, claimed=True), False),
    ],
)
def test_both_must_be_about_the_same_change(change: Fact, claimed: Fact, superseded: bool) -> None:
    assert (claimed in superseded_claims([change, claimed])) is superseded


@pytest.mark.parametrize(
    ("status", "changed_at", "superseded"),
    [
        ("FetchError", 0, True),  # with the read: both are of this authorisation
        ("FetchError", 10, False),
        ("FetchError", 20, False),  # with the alert
        ("FetchError", 21, True),
        ("Complete", 10, True),
    ],
)
def test_a_failed_sync_is_meant_only_by_an_alert_of_its_authorisation(
    status: str, changed_at: float, superseded: bool
) -> None:
    sync, claimed = fact(FactKind.READ, 0, types=(("bills", status),)), alert(20, None)
    facts = sorted([sync, fact(FactKind.ENDED, changed_at, UNLINKED), claimed], key=lambda fact: fact.order)

    assert (claimed in superseded_claims(facts)) is superseded


def test_each_change_supersedes_the_earliest_alert_that_no_other_one_explains() -> None:
    first, again, alerts = (
        fact(FactKind.LINKED, 0),
        fact(FactKind.LINKED, 2),
        [alert(n, LINKED) for n in (3, 4)],
    )
    assert superseded_claims([first, *alerts]) == {alerts[0]}
    assert superseded_claims([first, again, *alerts]) == set(alerts)


def test_a_sync_of_which_something_succeeded_explains_an_alert_after_an_end() -> None:
    sync, claimed = (
        fact(FactKind.READ, 0, types=(("bills", "Complete"), ("items", "MapError"))),
        alert(20, None),
    )
    assert superseded_claims([sync, fact(FactKind.ENDED, 10, UNLINKED), claimed]) == {claimed}


def test_a_sync_without_data_types_succeeded_and_explains_an_alert_after_an_end() -> None:
    sync, claimed = fact(FactKind.READ, 0), alert(20, None)
    assert superseded_claims([sync, fact(FactKind.ENDED, 10, UNLINKED), claimed]) == {claimed}


# Observations and the fold


def test_an_observation_close_to_an_exact_change_does_not_count() -> None:
    change = fact(FactKind.LINKED, 10)
    close, far = fact(FactKind.SEEN, 12, UNLINKED), fact(FactKind.SEEN, 12.000_001, UNLINKED)

    assert list(effective_facts([change, close])) == [change]
    assert list(effective_facts([change, far])) == [change, far]


def test_codat_may_show_the_state_before_an_observed_change_one_second_longer() -> None:
    assert lag_after(fact(FactKind.LINKED, 0)) == API_LAG
    assert lag_after(fact(FactKind.SEEN, 0, LINKED)) == API_LAG + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("second", "status", "outdated"),
    [(59.999, PENDING, True), (60, PENDING, False), (1, LINKED, False)],
)
def test_an_observation_that_contradicts_the_last_change_may_be_outdated(
    second: float, status: LinkStatus, outdated: bool
) -> None:
    begun = fact(FactKind.LINKED, 0)
    history = AuthorizationHistory(link=Link.LINKED, authorization=1, begun=begun, begun_at=begun.at)

    assert may_be_outdated(history, fact(FactKind.SEEN, second, status)) is outdated
    assert may_be_outdated(history, fact(FactKind.ENDED, second, UNLINKED)) is False
    assert may_be_outdated(history, alert(second, status)) is False
    assert may_be_outdated(AuthorizationHistory(), fact(FactKind.SEEN, second, status)) is False
    deleted = replace(history, link=Link.DELETED, deleted=fact(FactKind.DELETED, 1))
    assert may_be_outdated(deleted, fact(FactKind.SEEN, second, status)) is False


def test_datasets_of_an_authorisation_are_requested_after_the_end_of_the_one_before() -> None:
    begun, end = fact(FactKind.RELINKED, 30), fact(FactKind.ENDED, 20, UNLINKED)
    again = AuthorizationHistory(Link.LINKED, 2, begun, begun.at, previous_end_at=end.at)

    assert read_cutoff(again) == end.at
    assert read_cutoff(replace(again, previous_end_at=begun.at)) == begun.at - SEEN_TOLERANCE
    assert read_cutoff(replace(again, link=Link.ENDED, ended=fact(FactKind.ENDED, 40))) == at(40)
    assert read_cutoff(AuthorizationHistory()) is None


# Facts of a connection


def test_facts_that_come_in_any_order_are_kept_in_theirs_and_once() -> None:
    first, second, third = (fact(FactKind.READ, n) for n in (1, 2, 3))
    connection = Connection("c", facts=(second,))

    assert connection.with_facts([third]).facts == (second, third)
    assert connection.with_facts([first]).facts == (first, second)
    assert connection.with_facts([third, first, third, second]).facts == (first, second, third)
    assert connection.with_facts([second]) is connection
    assert Connection("c").with_facts([third, first]).facts == (first, third)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            fact(FactKind.READ, 1, types=(("bills", "Complete"),)),
            fact(FactKind.READ, 1, types=(("items", "Complete"),)),
        ),
        (fact(FactKind.SEEN, 1, LINKED), alert(1, LINKED)),
    ],
)
def test_facts_of_one_moment_are_two_by_their_content_and_always_in_one_order(
    first: Fact, second: Fact
) -> None:
    assert Connection("c").with_facts([second, first]).facts == (first, second)
    assert Connection("c", facts=(first,)).with_facts([second]).facts == (first, second)


def test_facts_up_to_the_compacted_time_are_stale() -> None:
    connection = Connection("c", compacted_until=at(10))

    assert connection.with_facts([fact(FactKind.READ, 9), fact(FactKind.READ, 10)]) is connection
    assert len(connection.with_facts([fact(FactKind.READ, 10.001)]).facts) == 1


def test_outcomes_that_change_nothing_leave_the_connection_as_it_is() -> None:
    connection = Connection("c").with_data_types([outcome(10)])

    assert connection.data_types == {"invoices": outcome(10)}
    assert connection.with_data_types([outcome(9)]) is connection
    assert connection.with_data_types([]) is connection
    assert connection.with_data_types([outcome(11)]).data_types == {"invoices": outcome(11)}


def test_of_outcomes_that_come_together_the_newest_stays_and_other_data_types_keep_theirs() -> None:
    bills = replace(outcome(5), name="bills")
    connection = Connection("c").with_data_types([bills])

    for outcomes in ([outcome(10), outcome(11)], [outcome(11), outcome(10)]):
        learnt = connection.with_data_types(outcomes)
        assert learnt.data_types == {"bills": bills, "invoices": outcome(11)}
