"""The exact limits of states, of what was told before, and of what waits for Codat's word."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.connection import Connection, LedgerEntry
from handlers.effects import Ask
from handlers.events import InitialReadCompleted
from handlers.facts import API_LAG, AT_ONCE, CLAIM_WINDOW, DataType, Fact, FactKind
from handlers.fold import AuthorizationHistory, Link
from handlers.machine import advance
from handlers.milestones import (
    Milestone,
    NotificationType,
    due_milestones,
    notification_id,
    untold_milestones,
)
from handlers.registry import Context
from handlers.state import State, has_failed, is_running, situation
from handlers.verification import GRACE, is_foreign, is_overdue, reason_to_check, retry_delay
from tests.handlers.support.story import (
    ASKS,
    LINKED,
    NO_KEY,
    UNLINKED,
    Story,
    at,
    deleted,
    ended,
    failed,
    linked,
    read,
    read_claim,
    read_more,
    seen,
    unanswered,
)
from tests.handlers.test_facts import MOMENT, alert, fact

CLAIM_S = CLAIM_WINDOW.total_seconds()

# State


def test_data_that_was_read_at_the_beginning_belongs_to_the_authorisation() -> None:
    story = Story(linked(10))
    for second, state in ((9.999, State.AUTHORIZED), (10, State.SYNCING)):
        row = DataType("bills", "Complete", at(second))
        assert situation(replace(story.connection, data_types={"bills": row})).state is state


def test_an_end_within_a_quarter_of_an_hour_of_the_first_sync_was_expected() -> None:
    away = AT_ONCE.total_seconds()
    for second, expected in ((20 + away, True), (20 + away + 0.001, False)):
        story = Story(linked(10), read(20), ended(second))
        assert situation(replace(story.connection, on_premise=True)).end_expected is expected


def test_an_outcome_is_by_the_read_that_led_to_it() -> None:
    reads = (read(20, bills="FetchError"), read(30, bills="Complete"), read(40, items="Complete"))
    outcome = Story(linked(10), *reads).now.outcome
    assert outcome is not None
    assert outcome.by.at == at(30)
    assert outcome.types == {"bills": "Complete", "items": "Complete"}
    assert Story(linked(10), read(20), ended(30)).now.outcome is None


def test_a_first_sync_names_its_data_types_in_order_and_stays_as_good_as_it_was() -> None:
    reads = (read(20, taxes="Complete", journals="MapError"), read(30, bills="Complete", accounts="MapError"))
    outcome = Story(linked(10), *reads).now.outcome
    assert outcome is not None
    assert (outcome.complete, list(outcome.failed)) == (("bills", "taxes"), ["accounts", "journals"])
    unnamed = read(20)
    assert isinstance(unnamed, InitialReadCompleted)
    assert Story(linked(10), replace(unnamed, reads=()), read(30, bills="MapError")).state is State.READY


@pytest.mark.parametrize(
    ("status", "progress", "running", "has_ended_badly"),
    [
        ("Fetching", 100, True, False),
        ("Strange", 99, True, False),
        ("Strange", 100, False, True),
        ("MapError", 0, False, True),
        ("Complete", 0, False, False),
        ("NotSupported", 100, False, False),
    ],
)
def test_a_status_that_is_unknown_is_running_until_all_is_read_and_then_a_failure(
    status: str, progress: int, running: bool, has_ended_badly: bool
) -> None:
    assert (is_running(status, progress), has_failed(status, progress)) == (running, has_ended_badly)


def test_nothing_queued_is_about_the_present_authorisation() -> None:
    story = Story(linked(10))
    for second, missing in ((9.999, False), (10, True)):
        now = situation(replace(story.connection, nothing_queued_at=at(second)))
        assert now.first_sync_missing is missing
    assert not situation(story.connection).first_sync_missing


def test_the_previous_end_is_the_one_that_was_missed_where_access_is_given_twice() -> None:
    begun, again = fact(FactKind.LINKED, 10), (fact(FactKind.RELINKED, 30),)
    live = AuthorizationHistory(Link.LINKED, 1, begun, begun.at)
    missed = Connection("c", facts=again, base=live).history
    assert (missed.authorization, missed.previous_end_at) == (2, at(30))
    closed = replace(live, link=Link.ENDED, ended=fact(FactKind.ENDED, 20, UNLINKED))
    assert Connection("c", facts=again, base=closed).history.previous_end_at == at(20)


# Milestones


def entry(kind: NotificationType, second: float, *, observed: bool = False) -> LedgerEntry:
    return LedgerEntry(kind.value, at(second), f"{kind}@{second}", observed)


AUTHORIZED, SYNCED = NotificationType.AUTHORIZED, NotificationType.SYNC_COMPLETED
GIVEN_UP, FAILED = NotificationType.UNLINKED, NotificationType.AUTHORIZATION_FAILED


def untold(story: Story, *ledger: LedgerEntry) -> list[NotificationType]:
    connection = replace(story.connection, ledger=ledger)
    return [milestone.type for milestone in untold_milestones(connection, situation(connection))]


@pytest.mark.parametrize(
    ("ledger", "told"),
    [
        ([entry(AUTHORIZED, 10)], True),
        ([entry(AUTHORIZED, 9.999)], False),
        ([entry(AUTHORIZED, 8, observed=True)], True),  # an observation may be two seconds early
        ([entry(AUTHORIZED, 7.999, observed=True)], False),
        ([entry(SYNCED, 10)], False),
        ([entry(GIVEN_UP, 9), entry(AUTHORIZED, 10)], True),
        ([entry(AUTHORIZED, 10), entry(GIVEN_UP, 11)], True),
        ([entry(AUTHORIZED, 9, observed=True), entry(GIVEN_UP, 11)], False),
        ([entry(AUTHORIZED, 70, observed=True), entry(GIVEN_UP, 71)], True),  # beyond doubt after an end
        ([entry(AUTHORIZED, 69.999, observed=True), entry(GIVEN_UP, 71)], False),
    ],
)
def test_a_beginning_was_told_at_or_after_it(ledger: list[LedgerEntry], told: bool) -> None:
    assert (AUTHORIZED not in untold(Story(linked(10)), *ledger)) is told


def test_two_beginnings_that_were_only_observed_may_be_one() -> None:
    ledger = entry(AUTHORIZED, 10, observed=True)
    assert untold(Story(seen(500, LINKED)), ledger) == []
    assert untold(Story(linked(500)), ledger) == [AUTHORIZED]
    assert untold(Story(seen(500, LINKED)), replace(ledger, is_observed=False)) == [AUTHORIZED]
    assert untold(Story(read(500)), ledger) == [SYNCED]


def test_a_time_that_only_codats_api_showed_is_observed() -> None:
    alerted = Story(linked(10), read_claim(20)).connection.ledger
    assert [told.is_observed for told in alerted] == [False, False]
    assert [told.is_observed for told in Story(seen(10, LINKED)).connection.ledger] == [True]


@pytest.mark.parametrize(
    ("second", "observed", "told"),
    [(10, False, True), (9.999, False, False), (10 - CLAIM_S, True, True), (9.999 - CLAIM_S, True, False)],
)
def test_a_failure_that_codat_showed_may_be_told_by_a_message_later(
    second: float, observed: bool, told: bool
) -> None:
    assert (untold(Story(failed(10)), entry(FAILED, second, observed=observed)) == []) is told


def test_an_end_was_told_where_it_is_the_last_word_on_access() -> None:
    over = Story(linked(10), ended(20, UNLINKED))
    assert untold(over, entry(AUTHORIZED, 10), entry(GIVEN_UP, 1)) == []
    assert untold(over, entry(GIVEN_UP, 1), entry(SYNCED, 15)) == []
    assert untold(over, entry(GIVEN_UP, 1), entry(AUTHORIZED, 10)) == [GIVEN_UP]
    assert untold(over, entry(NotificationType.DEAUTHORIZED, 20)) == [GIVEN_UP]


def test_the_id_of_a_milestone_changes_only_where_it_was_told_before() -> None:
    connection = Story(linked(10)).connection
    (milestone,) = due_milestones(situation(connection))
    plain = notification_id(replace(connection, ledger=()), milestone)
    assert plain == "ntf_b04d67b9058f8b775da30cbfe129973b", "a consumer knows it from before an upgrade"
    for other in (entry(AUTHORIZED, 11), entry(SYNCED, 10)):
        assert notification_id(replace(connection, ledger=(other,)), milestone) == plain
    once = notification_id(replace(connection, ledger=(entry(AUTHORIZED, 10),)), milestone)
    twice = notification_id(replace(connection, ledger=(entry(AUTHORIZED, 10),) * 2), milestone)
    assert (once, twice) == ("ntf_a504a67d46b62f12210d54da12baf2df", "ntf_406eac5cfbf16826aa6e8480507cc416")


def test_the_first_sync_names_what_was_read_since_the_beginning_and_other_news_names_nothing() -> None:
    story = Story(linked(10), read_more(9, old="Complete"))
    bare = read(30)
    assert isinstance(bare, InitialReadCompleted)
    story.hear(read_more(20, bills="Complete", items="FetchError"), replace(bare, reads=()))
    begun, synced = story.notes
    assert begun.data["data_types"] == {"complete": [], "failed": {}}
    assert synced.data["data_types"] == {"complete": ["bills"], "failed": {"items": "FetchError"}}
    named = Story(linked(10), read_more(20, bills="Complete"), read(30, items="Complete"))
    assert named.notes[-1].data["data_types"] == {"complete": ["items"], "failed": {}}


# Verification


def test_a_question_is_lost_half_a_minute_after_the_last_possible_answer() -> None:
    context = Context(at(0), ASKS)
    last = at(0) + max(ASKS.patience, API_LAG) + GRACE
    for now, event, overdue in (
        (at(59.999), unanswered(0), False),
        (at(60), unanswered(0), True),
        (last - MOMENT, linked(0), False),
        (last, linked(0), True),
    ):
        assert is_overdue(at(0), event, replace(context, now=now)) is overdue
    for patience_s, last_s in ((5, 90), (600, 630)):
        policy = replace(ASKS, patience_s=patience_s)
        assert not is_overdue(at(0), linked(0), Context(at(last_s) - MOMENT, policy))
        assert is_overdue(at(0), linked(0), Context(at(last_s), policy))


def test_a_company_is_foreign_until_codat_showed_it_or_the_connection() -> None:
    hidden = Context(at(0), ASKS, company_shown=False)
    assert is_foreign(Story(linked(10)).connection, hidden)
    assert is_foreign(Connection("c", facts=(alert(10, LINKED),)), hidden)
    assert not is_foreign(Story(linked(10), seen(20, LINKED)).connection, hidden)
    assert not is_foreign(Story(linked(10)).connection, replace(hidden, company_shown=True))


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (seen(12.001, UNLINKED), "what Codat showed since contradicts it"),
        (seen(12.001, LINKED), None),
        (seen(71, UNLINKED), None),  # by then it is certain, and the state is another one
    ],
)
def test_a_beginning_waits_where_codat_contradicts_it(shown: object, reason: str | None) -> None:
    story = Story(linked(10), shown)  # type: ignore[arg-type]
    begun = fact(FactKind.LINKED, 10)
    milestone = Milestone(AUTHORIZED, begun.at, begun.at, begun)
    answer = reason_to_check(milestone, story.connection, [], Context(at(20), ASKS), foreign=False)
    assert answer == reason


def test_news_of_a_foreign_company_and_late_news_wait() -> None:
    story = Story(linked(10))
    (milestone,) = due_milestones(situation(story.connection))
    context = Context(at(610), ASKS)
    foreign = reason_to_check(milestone, story.connection, [], context, foreign=True)
    assert foreign == "news of a company that Codat never showed us is checked with Codat first"
    assert reason_to_check(milestone, story.connection, [], context, foreign=False) is None
    late = replace(context, now=at(610.001))
    answer = reason_to_check(milestone, story.connection, [], late, foreign=False)
    assert answer == "late news is checked with Codat first"


@pytest.mark.parametrize(
    ("shown", "confirmed"),
    [
        (fact(FactKind.SEEN, 22, UNLINKED), False),  # as close to it as to be outranked
        (fact(FactKind.SEEN, 22.001, UNLINKED), True),
        (alert(30, UNLINKED), False),
        (fact(FactKind.SEEN, 30, LINKED), False),  # may be outdated
        (fact(FactKind.READ, 30), False),
    ],
)
def test_an_end_is_confirmed_by_a_later_observation_that_is_not_outdated(
    shown: Fact, confirmed: bool
) -> None:
    story = Story(linked(10), ended(20, UNLINKED))
    (milestone,) = due_milestones(situation(story.connection))
    reason = reason_to_check(milestone, story.connection, [shown], Context(at(40), ASKS), foreign=False)
    assert reason == (None if confirmed else "bad news is checked with Codat first")


@pytest.mark.parametrize(
    ("lag_s", "delay_s"),
    [(60, 3), (57, 3), (50, 10), (40, 20), (20, 21), (2, 3), (1, 3), (0, 3), (-5, 3), (75, 15), (200, 30)],
)
def test_codat_is_asked_again_as_late_as_the_change_is_old_and_when_the_answer_is_certain(
    lag_s: float, delay_s: float
) -> None:
    assert retry_delay(timedelta(seconds=lag_s)) == timedelta(seconds=delay_s)


def test_nothing_is_asked_without_a_key_without_a_company_or_after_the_deletion() -> None:
    event = read_more(30, bills="AuthError")
    for connection, policy, asked in (
        (Story(linked(10)).connection, ASKS, True),
        (Story(linked(10)).connection, NO_KEY, False),
        (replace(Story(linked(10)).connection, company_id=None), ASKS, False),
        (Story(linked(10), deleted(20)).connection, ASKS, False),
    ):
        step = advance(connection, replace(event, company=None), Context(at(30), policy))
        assert any(isinstance(effect, Ask) for effect in step.effects) is asked
