"""The exact limits of what counts as the same, as late, as answered and as over."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.connection import Connection, link_status
from handlers.effects import CompareCompany
from handlers.events import (
    Aspect,
    CompanyNotShown,
    Event,
    Source,
    UnidentifiedConnectionChanged,
)
from handlers.facts import API_LAG, CLAIM_WINDOW, QUEUED_WITHIN, FactKind
from handlers.fold import Link
from handlers.lifecycle import remaining_visibility_lag
from handlers.machine import advance
from handlers.registry import Context, Policy, handler_for
from handlers.state import State
from tests.handlers.support.codat_messages import COMPANY, PROBLEM
from tests.handlers.support.story import (
    ASKS,
    DEAUTHORIZED,
    IMPATIENT,
    LINKED,
    NO_KEY,
    PENDING,
    UNLINKED,
    Story,
    at,
    claim,
    dataset,
    deleted,
    deletion_claim,
    ended,
    failed,
    gone,
    history,
    linked,
    read,
    read_claim,
    read_more,
    seen,
)
from tests.handlers.test_facts import alert

A_SECOND = timedelta(seconds=1)
CLAIM_S = CLAIM_WINDOW.total_seconds()


def shown_failure(second: float) -> Event:
    """A failed attempt that Codat's API shows."""
    return replace(failed(second), source=Source.CODAT_API)


def handled(story: Story, event: Event, policy: Policy = ASKS):
    """What the handler says of an event, before the machine decides."""
    return handler_for(event)(story.connection, event, Context(event.received_at, policy))


# Access


def test_a_failure_that_codat_shows_is_known_within_the_window_around_a_message() -> None:
    story = Story(linked(0), failed(1_000))

    for second in (1_000 - CLAIM_S, 1_000 + CLAIM_S):
        known = handled(story, shown_failure(second))
        assert (known.facts, known.twin, known.remark) == ((), True, "this failed attempt is known already")
    for second in (1_000 - CLAIM_S - 0.001, 1_000 + CLAIM_S + 0.001):
        shown = handled(story, shown_failure(second))
        assert (shown.facts[0].claimed, shown.facts[0].problem) == (True, PROBLEM)
        assert shown.remark == "Codat shows a failed attempt"
    assert handled(Story(linked(0)), shown_failure(1)).facts  # what is near it is no failure


def test_what_codat_says_of_an_end_is_kept() -> None:
    (end,) = handled(Story(linked(0)), replace(ended(10), problem=PROBLEM)).facts  # type: ignore[call-arg]
    assert (end.status, end.problem) == (DEAUTHORIZED, PROBLEM)


def test_a_company_that_codat_does_not_show_ends_the_open_claims_unless_it_was_shown_before() -> None:
    story = Story(claim(10, PENDING, LINKED), policy=ASKS)
    (open_claim,) = story.connection.claims
    absent = CompanyNotShown(
        event_id="absent",
        event_type="codat.company",
        source=Source.CODAT_API,
        received_at=at(20),
        at=at(20),
        connection=linked(0).connection,  # type: ignore[attr-defined]
        aspect=Aspect.CONNECTION,
    )
    handler = handler_for(absent)

    hidden = handler(story.connection, absent, Context(at(20), ASKS, company_shown=False))
    assert hidden.settled == (open_claim,)
    assert hidden.remark == "Codat, asked with our key, does not know this company"
    late = handler(story.connection, absent, Context(at(20), ASKS, company_shown=True))
    assert (late.settled, late.remark) == ((), "Codat did not answer a question about the connection")


@pytest.mark.parametrize("policy", [NO_KEY, IMPATIENT])
def test_an_alert_is_taken_at_its_word_or_is_a_doubt(policy: Policy) -> None:
    fits = handled(Story(), claim(10, PENDING, LINKED), policy)
    assert (fits.remark, fits.doubt) == ("PendingAuth → Linked, taken at its word", None)
    odd = handled(Story(), claim(10, LINKED, UNLINKED), policy)
    assert (odd.remark, odd.facts) == (None, ())
    assert odd.doubt == "the alert says Linked → Unlinked, we know PendingAuth"
    assert bool(odd.questions) is policy.can_ask
    unstated = handled(Story(), claim(10, None, LINKED), policy)
    assert (unstated.remark, len(unstated.facts)) == ("unknown → Linked, taken at its word", 1)


def test_an_alert_that_waits_for_codat_says_what_it_claims_and_whether_that_fits() -> None:
    fits, odd = handled(Story(), claim(10, PENDING, LINKED)), handled(Story(), claim(10, LINKED, UNLINKED))
    assert [question.reason for question in fits.questions] == [
        "an alert without a time says PendingAuth → Linked"
    ]
    assert fits.remark == "an alert without a time says PendingAuth → Linked: Codat is asked"
    assert (fits.doubt, odd.doubt) == (None, "the alert says Linked → Unlinked, we know PendingAuth")
    assert len(fits.claims) == len(odd.claims) == 1


def test_of_two_alerts_of_one_change_the_earlier_is_exactly_known() -> None:
    story = Story(linked(100), claim(110, PENDING, LINKED), policy=NO_KEY)
    earlier = handled(story, claim(105, PENDING, LINKED))
    assert earlier.remark == "PendingAuth → Linked is known already, exactly"
    assert [fact.claimed for fact in earlier.facts] == [True]


def test_an_alert_that_is_known_already_is_a_twin_unless_it_tells_of_another_authorisation() -> None:
    exact = handled(Story(linked(10)), claim(11, PENDING, LINKED))
    assert (exact.twin, exact.remark) == (True, "PendingAuth → Linked is known already, exactly")
    long_after = Story(linked(10))
    known = handled(long_after, claim(1_000, PENDING, LINKED))
    assert (known.twin, known.claims) == (True, ())
    again = handled(long_after, claim(1_000, UNLINKED, LINKED))
    assert (again.twin, len(again.claims)) == (False, 1)
    ended_twice = handled(Story(linked(10), ended(20, UNLINKED)), claim(1_000, DEAUTHORIZED, UNLINKED))
    assert (ended_twice.twin, ended_twice.claims) == (True, ())
    gone_for_good = handled(Story(linked(10), deleted(20)), claim(30, PENDING, LINKED))
    assert gone_for_good.remark == "the connection is deleted for good"


def test_a_deleted_connection_has_no_status() -> None:
    assert link_status(Story(linked(10), deleted(20)).connection.history) is None
    assert Story(linked(10), deleted(20)).connection.history.link is Link.DELETED


# Existence


def test_codat_may_not_show_a_connection_yet_of_which_it_has_just_told() -> None:
    story = Story(linked(10))
    lag_s = API_LAG.total_seconds()

    assert remaining_visibility_lag(story.connection, gone(10 + lag_s - 1)) == A_SECOND
    assert remaining_visibility_lag(story.connection, gone(10 + lag_s)) == timedelta()
    assert remaining_visibility_lag(story.connection, gone(500)) == timedelta()
    early, late = handled(story, gone(11)), handled(story, gone(10 + lag_s))
    doubt = "Codat does not show the connection, of which it told less than a minute before"
    assert (early.facts, early.doubt, len(early.questions)) == ((), doubt, 1)
    assert late.facts[0].kind is FactKind.DELETED
    assert handled(story, deleted(11)).facts[0].kind is FactKind.DELETED


def test_of_observations_only_the_first_is_a_report_and_an_alert_is_none() -> None:
    looked = Story(seen(10, LINKED), seen(100, LINKED))
    assert remaining_visibility_lag(looked.connection, gone(100)) == timedelta()
    assert remaining_visibility_lag(looked.connection, gone(20)) == timedelta(seconds=50)
    told_later = Story(seen(10, LINKED), linked(50))
    assert remaining_visibility_lag(told_later.connection, gone(100)) == timedelta(seconds=10)
    alerted = Connection("c", facts=(alert(10, LINKED),))
    assert remaining_visibility_lag(alerted, gone(11)) == timedelta()
    over = Story(linked(10), deleted(20)).connection
    assert remaining_visibility_lag(over, gone(21)) == timedelta()


def test_only_an_answer_of_codat_settles_claims_about_a_connection_that_is_gone() -> None:
    story = Story(claim(10, PENDING, LINKED), policy=ASKS)
    assert handled(story, gone(500)).settled == story.connection.claims
    assert handled(story, deleted(500)).settled == ()


def test_news_of_some_connection_of_the_company_is_a_doubt_about_each_that_exists() -> None:
    unnamed = UnidentifiedConnectionChanged(
        event_id="e", event_type="t", source=Source.LEGACY, received_at=at(30), at=at(30), company=COMPANY
    )
    changed = "a message tells of a connection of the company and does not say of which"
    claimed = "an alert says that a connection of the company was deleted"
    for event, doubt, remark in (
        (unnamed, changed, "the connection is deleted for good"),
        (deletion_claim(30), claimed, "the connection is known to be deleted"),
    ):
        alive, over = Story(linked(10)), Story(linked(10), deleted(20))
        assert [question.aspect for question in handled(alive, event).questions] == [Aspect.CONNECTION]
        assert handled(alive, event).doubt == doubt
        assert (handled(over, event).questions, handled(over, event).doubt) == ((), None)
        assert handled(over, event).remark == remark


# Reads


def test_the_company_is_compared_while_its_first_sync_is_unknown() -> None:
    assert handled(Story(linked(10)), read_more(10, bills="Complete")).compare_company
    assert not handled(Story(linked(10)), read_more(9.999, bills="Complete")).compare_company
    assert not handled(Story(linked(10), read(20)), read_more(30, bills="Complete")).compare_company
    assert not handled(Story(linked(10)), read_more(20, bills="FetchError")).compare_company


def test_a_read_after_access_had_ended_is_a_doubt_and_one_at_the_end_is_none() -> None:
    story = Story(linked(10), ended(20))
    assert handled(story, read_more(20, bills="Complete")).doubt is None
    assert handled(story, read_more(20.001, bills="Complete")).doubt


def test_the_comparison_needs_a_company_and_a_key() -> None:
    event = read_more(20, bills="Complete")
    for policy, company, compared in ((ASKS, COMPANY, True), (NO_KEY, COMPANY, False), (ASKS, None, False)):
        connection = replace(Story(linked(10)).connection, company_id=company.id if company else None)
        step = advance(connection, replace(event, company=company), Context(at(20), policy))
        expected = [CompareCompany(COMPANY.id)] if compared else []
        assert [effect for effect in step.effects if isinstance(effect, CompareCompany)] == expected


def test_codats_history_is_dated_by_what_it_says() -> None:
    rows = (
        dataset("bills", "Complete", requested=12, completed=20),
        dataset("items", "Complete", requested=11, completed=None),
    )
    (sync,) = handled(Story(linked(10)), history(50, *rows)).facts
    assert (sync.at, sync.requested) == (at(20), (("bills", at(12)), ("items", at(11))))
    bare = replace(rows[0], requested=None, completed=None)
    (undated,) = handled(Story(linked(10)), history(50, bare)).facts
    assert (undated.at, undated.requested) == (at(50), (("bills", at(50)),))
    (unrequested,) = handled(Story(linked(10)), history(50, replace(rows[0], requested=None))).facts
    assert (unrequested.at, unrequested.requested) == (at(20), (("bills", at(20)),))
    (early,) = handled(Story(linked(30)), history(50, replace(rows[0], requested=at(31)))).facts
    assert early.at == at(30), "never before access was given"
    (over,) = handled(
        Story(linked(10), ended(15)), history(50, rows[0], replace(rows[0], requested=at(16)))
    ).facts
    assert over.at == at(20)
    (unknown,) = handled(Story(), history(50, rows[0])).facts
    assert unknown.at == at(20), "access was given, of which nothing was heard"
    outcomes = {row.name: row.at for row in handled(Story(linked(10)), history(50, *rows, bare)).data_types}
    assert outcomes == {"bills": at(50), "items": at(11)}


def test_a_read_that_is_running_is_dated_by_the_answer_and_its_progress_is_kept_below_a_hundred() -> None:
    rows = [
        dataset(name, "Fetching", requested=12, progress=progress)
        for name, progress in (("bills", -1), ("items", 45), ("taxes", 100))
    ]
    outcomes = handled(Story(linked(10)), history(50, *rows)).data_types
    assert [(row.at, row.progress) for row in outcomes] == [(at(50), 0), (at(50), 45), (at(50), 99)]


def test_what_a_message_said_of_the_first_sync_is_not_said_again_by_the_history() -> None:
    row = dataset("bills", "Complete", requested=12, completed=20)
    told = handled(Story(linked(10), read(15)), history(50, row))
    assert (told.facts, told.remark) == ((), "Codat's history agrees")
    claimed = Story(linked(10), read_claim(15))
    assert claimed.state == State.READY
    assert handled(claimed, history(50, row)).facts


def test_nothing_is_queued_only_two_minutes_after_the_authorisation() -> None:
    due = 10 + QUEUED_WITHIN.total_seconds()
    story = Story(linked(10))
    assert handled(story, history(due - 0.001)).nothing_queued is None
    assert handled(story, history(due)).nothing_queued == at(due)
    for other in (Story(), Story(linked(10), read(20)), Story(linked(10), history(due))):
        assert handled(other, history(due + 1)).nothing_queued is None


def test_a_platform_that_refuses_access_is_a_question_and_others_are_none() -> None:
    refused = dataset("bills", "AuthError", requested=12, completed=20)
    assert len(handled(Story(linked(10)), history(50, refused)).questions) == 1
    assert handled(Story(linked(10)), history(50, replace(refused, status="Complete"))).questions == ()


def test_a_read_of_a_deleted_connection_asks_for_nothing() -> None:
    for events in ((linked(10), deleted(20)), (linked(10), ended(15), deleted(20))):
        result = handled(Story(*events), read_more(30, bills="Complete"))
        assert (result.compare_company, result.doubt, result.questions) == (False, None, ())


def test_the_data_types_that_a_platform_refused_are_named_in_order() -> None:
    result = handled(Story(linked(10)), read_more(20, items="AuthError", bills="AuthError"))
    assert result.doubt == "the platform refused access while reading bills, items"
