"""Legacy alerts carry no time: they are claims, which make us ask Codat."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.effects import Ask
from handlers.events import Aspect
from handlers.machine import company_effects
from handlers.registry import Context, Policy
from handlers.state import State
from tests.handlers.support.codat_messages import COMPANY, CONNECTION_ID
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
    gone,
    history,
    linked,
    read,
    read_claim,
    read_more,
    relinked,
    seen,
    unanswered,
)


@pytest.mark.parametrize("policy", [NO_KEY, IMPATIENT], ids=["without a key", "without patience"])
def test_a_claim_that_fits_counts_as_seen_at_its_arrival_where_codat_is_not_waited_for(
    policy: Policy,
) -> None:
    story = Story(claim(50, PENDING, LINKED), policy=policy)
    assert (story.state, story.now.authorized_at) == (State.AUTHORIZED, at(50))
    assert story.told == ["connection.authorized"]
    assert story.outcome == "applied"
    story.hear(claim(90, LINKED, DEAUTHORIZED), claim(190, DEAUTHORIZED, LINKED))
    assert (story.state, story.now.authorization) == (State.AUTHORIZED, 2)
    assert story.told[1:] == ["connection.deauthorized", "connection.reauthorized"]


@pytest.mark.parametrize("policy", [NO_KEY, IMPATIENT], ids=["without a key", "without patience"])
def test_a_claim_that_does_not_fit_is_a_doubt_and_changes_nothing(policy: Policy) -> None:
    story = Story(claim(50, LINKED, DEAUTHORIZED), policy=policy)
    assert (story.state, story.told, story.outcome) == (State.PENDING, [], "doubt")
    assert bool(story.asks) is policy.can_ask


def test_a_claim_that_does_not_say_from_where_is_a_doubt_once_something_is_known() -> None:
    story = Story(linked(10), claim(50, None, DEAUTHORIZED), policy=NO_KEY)
    assert (story.state, story.outcome) == (State.AUTHORIZED, "doubt")


def test_a_claim_that_says_what_is_known_changes_nothing() -> None:
    story = Story(linked(10), claim(11, PENDING, LINKED))
    assert story.told == ["connection.authorized"]
    assert story.outcome in ("twin", "no_change")


def test_a_claim_asks_codat_at_once_and_changes_nothing_by_itself() -> None:
    story = Story(claim(50, PENDING, LINKED), policy=ASKS)
    assert (story.state, story.told) == (State.PENDING, [])
    (ask,) = story.asks
    assert (ask.aspect, ask.company_id, ask.connection_id) == (Aspect.CONNECTION, COMPANY.id, CONNECTION_ID)
    assert (ask.not_before, ask.deadline) == (at(50), at(110))
    assert ask.reason


def test_codats_answer_is_the_fact_and_settles_the_claim() -> None:
    story = Story(claim(50, PENDING, LINKED), seen(51, LINKED), policy=ASKS)
    assert (story.state, story.now.authorized_at) == (State.AUTHORIZED, at(51))
    assert story.told == ["connection.authorized"]
    assert (story.connection.claims, story.asks) == ((), [])


def test_a_claim_that_codat_denies_is_dropped() -> None:
    story = Story(claim(50, PENDING, LINKED), seen(60, PENDING), seen(110, PENDING), policy=ASKS)
    assert (story.state, story.told, story.connection.claims, story.asks) == (State.PENDING, [], (), [])
    story.hear(unanswered(200))
    assert story.state is State.PENDING


def test_a_claim_without_an_answer_counts_at_its_arrival_once_patience_is_over() -> None:
    story = Story(claim(50, PENDING, LINKED), unanswered(110), policy=ASKS)
    assert (story.state, story.now.authorized_at) == (State.AUTHORIZED, at(50))
    assert story.told == ["connection.authorized"]
    assert story.connection.claims == ()


def test_a_claim_waits_until_patience_is_over() -> None:
    story = Story(claim(50, PENDING, LINKED), unanswered(109.9), policy=ASKS)
    assert story.state is State.PENDING
    assert [ask.deadline for ask in story.asks] == [at(110)]


def test_a_claim_that_does_not_fit_stays_a_doubt_without_an_answer() -> None:
    story = Story(claim(50, UNLINKED, LINKED), unanswered(110), policy=ASKS)
    assert (story.state, story.told, story.outcome) == (State.PENDING, [], "doubt")
    assert story.connection.claims == ()


def test_an_ordinary_read_that_is_taken_at_its_word_is_no_first_sync() -> None:
    """It was claimed before the authorisation became known that it followed."""
    story = Story(read_more(50, invoices="Complete"), policy=ASKS)
    assert (story.state, story.told) == (State.PENDING, [])
    story.hear(linked(40, known=60), unanswered(110))
    assert (story.state, story.connection.claims) == (State.SYNCING, ())
    assert story.told == ["connection.authorized"]


def test_an_open_claim_makes_every_message_ask_at_once_and_every_answer_a_little_later() -> None:
    story = Story(linked(10), read_claim(20), read_more(25, bills="FetchError"), policy=ASKS)
    assert [(ask.aspect, ask.not_before) for ask in story.asks] == [(Aspect.HISTORY, at(25))]
    story.hear(history(40))
    assert [(ask.not_before, ask.deadline) for ask in story.asks] == [(at(60), at(80))]


def test_the_same_alert_again_opens_no_second_claim() -> None:
    story = Story(claim(50, PENDING, LINKED), policy=ASKS)
    before = story.connection
    story.hear(claim(50, PENDING, LINKED))
    assert story.connection == before


def test_the_exact_message_puts_right_what_was_taken_at_its_word() -> None:
    story = Story(claim(90, PENDING, LINKED), linked(10, known=100))
    assert (story.now.authorization, story.now.authorized_at) == (1, at(10))
    assert story.told == ["connection.authorized"]
    assert story.outcome in ("twin", "applied")


def test_a_late_alert_taken_at_its_word_does_not_outlive_the_exact_messages() -> None:
    story = Story(claim(100, PENDING, LINKED), linked(10, known=120), ended(40, known=130))
    assert (story.state, story.now.authorization) == (State.DEAUTHORIZED, 1)


def test_the_first_authorisation_does_not_explain_the_alert_of_a_later_one() -> None:
    """The message of the first authorisation came late; it was taken for the exact time of an alert
    that says "given again", and the end in between was told a second time."""
    story = Story(ended(120), claim(160, DEAUTHORIZED, LINKED), linked(80, known=380))
    assert (story.state, story.now.authorization) == (State.AUTHORIZED, 2)
    story.hear(relinked(159, known=400))
    assert (story.state, story.now.authorized_at) == (State.AUTHORIZED, at(159))
    assert story.told == ["connection.deauthorized", "connection.reauthorized"]


def test_a_first_read_that_brought_nothing_does_not_explain_an_alert_of_success() -> None:
    """The late message of a failed first read was taken for the exact time of an alert that says
    "at least one data type succeeded", and the state fell back."""
    story = Story(linked(40), ended(120), relinked(160), read_claim(161))
    assert story.state is State.READY
    story.hear(read(80, known=380, invoices="MapError"))
    assert (story.state, story.told[-1]) == (State.READY, "initial_sync.completed")


@pytest.mark.parametrize("first", ["exact", "alert"])
def test_of_an_alert_about_the_company_the_exact_read_of_the_connection_counts(first: str) -> None:
    """The alert meant another connection; this one stayed ready for good when the alert came first."""
    events = [read(160, known=162, invoices="FetchError"), read_claim(161)]
    story = Story(linked(40), *(events if first == "exact" else reversed(events)))
    assert (story.state, story.told[-1]) == (State.SYNC_FAILED, "initial_sync.failed")


@pytest.mark.parametrize("gap", [0.1, 0.9, 5.0])
def test_what_was_told_before_an_end_is_not_the_beginning_after_it(gap: float) -> None:
    """Three alerts in one burst: the last thing told was the end, although access was given."""
    story = Story(
        claim(50, PENDING, LINKED),
        claim(50 + gap, LINKED, UNLINKED),
        claim(50 + 2 * gap, UNLINKED, LINKED),
        policy=NO_KEY,
    )
    assert (story.state, story.now.authorization) == (State.AUTHORIZED, 2)
    assert story.told == ["connection.authorized", "connection.unlinked", "connection.reauthorized"]


def test_a_beginning_that_is_told_under_its_other_name_has_another_id() -> None:
    """The exact end explained a later alert, and the first alert became a return: told under a used id."""
    story = Story(claim(50, PENDING, LINKED), claim(100, LINKED, DEAUTHORIZED), ended(40, known=400))
    assert len({note.id for note in story.notes}) == len(story.notes)


@pytest.mark.parametrize("shown", [{"invoices": "Fetching"}, {}], ids=["still reading", "nothing yet"])
def test_codats_history_denies_that_a_first_sync_is_complete(shown: dict[str, str]) -> None:
    """An alert about the whole company was taken at its word in the end, although Codat had said that
    this connection was still being read; its failure was never told."""
    story = Story(linked(40), read_claim(100), policy=ASKS)
    story.hear(history(160, *(dataset(name, status, requested=41) for name, status in shown.items())))
    story.hear(unanswered(200))
    assert story.state in (State.AUTHORIZED, State.SYNCING)
    story.hear(read(300, invoices="FetchError"))
    assert (story.state, story.told[-1]) == (State.SYNC_FAILED, "initial_sync.failed")
    assert "initial_sync.completed" not in story.told


def test_history_asked_at_the_moment_of_the_alert_may_be_behind_it() -> None:
    behind = history(101, dataset("invoices", "Fetching", requested=41))
    story = Story(linked(40), read_claim(100), behind, policy=ASKS)
    assert [ask.aspect for ask in story.asks] == [Aspect.HISTORY]
    story.hear(history(104, dataset("invoices", "Complete", requested=41, completed=99)))
    assert (story.state, story.told[-1]) == (State.READY, "initial_sync.completed")


@pytest.mark.parametrize("first", ["exact", "alert"])
@pytest.mark.parametrize("policy", [NO_KEY, ASKS], ids=["without a key", "with a key"])
def test_both_generations_of_one_change_tell_it_once(first: str, policy: Policy) -> None:
    events = [linked(10, known=11), claim(11, PENDING, LINKED)]
    story = Story(*(events if first == "exact" else reversed(events)), policy=policy)
    story.hear(seen(12.5, LINKED))
    assert (story.told, story.now.authorized_at) == (["connection.authorized"], at(10))


def test_no_alert_brings_a_deleted_connection_back() -> None:
    story = Story(linked(10), deleted(20), policy=NO_KEY)
    story.hear(claim(30, DEAUTHORIZED, LINKED), read_claim(31), deletion_claim(32))
    assert story.state is State.DELETED
    assert story.told == ["connection.authorized", "connection.deleted"]


def test_open_claims_end_with_the_connection() -> None:
    story = Story(linked(10), claim(20, LINKED, UNLINKED), deleted(21), policy=ASKS)
    assert (story.connection.claims, story.asks) == ((), [])


@pytest.mark.parametrize("whole_company", [True, False])
@pytest.mark.parametrize("policy", [NO_KEY, IMPATIENT], ids=["without a key", "without patience"])
def test_a_claimed_first_sync_is_complete_at_its_arrival_where_codat_is_not_waited_for(
    policy: Policy, whole_company: bool
) -> None:
    story = Story(linked(10), read_claim(50, whole_company=whole_company), policy=policy)
    assert story.state is State.READY
    assert story.told == ["connection.authorized", "initial_sync.completed"]
    assert story.notes[-1].data["occurred_at"] == at(50)


def test_a_claimed_first_sync_asks_for_the_history() -> None:
    story = Story(linked(10), read_claim(50), policy=ASKS)
    assert (story.state, story.told) == (State.AUTHORIZED, ["connection.authorized"])
    (ask,) = story.asks
    assert (ask.aspect, ask.not_before, ask.deadline) == (Aspect.HISTORY, at(50), at(110))
    story.hear(history(51, dataset("invoices", "Complete", requested=10, completed=45)))
    assert story.state is State.READY
    assert story.notes[-1].data["data_types"] == {"complete": ["invoices"], "failed": {}}
    assert (story.connection.claims, story.asks) == ((), [])


def test_a_history_that_is_still_being_read_is_asked_for_again_a_little_later() -> None:
    story = Story(linked(10), read_claim(50), policy=ASKS)
    story.hear(history(51, dataset("invoices", "Fetching", requested=10)))
    (ask,) = story.asks
    assert (ask.aspect, ask.deadline) == (Aspect.HISTORY, at(110))
    assert at(52) <= ask.not_before <= at(60)


def test_a_claimed_first_sync_counts_when_the_history_is_not_answered() -> None:
    story = Story(linked(10), read_claim(50), unanswered(110, Aspect.HISTORY), policy=ASKS)
    assert story.state is State.READY
    assert story.notes[-1].data["occurred_at"] == at(50)


def test_an_alert_about_the_whole_company_says_nothing_of_connections_that_are_not_linked() -> None:
    for before in ([], [linked(10), ended(20)]):
        story = Story(*before, policy=NO_KEY)
        state = story.state
        story.hear(read_claim(50, whole_company=True))
        assert (story.state, story.outcome) == (state, "no_change")


def test_an_alert_about_one_connection_shows_that_it_is_linked() -> None:
    story = Story(read_claim(50), policy=NO_KEY)
    assert (story.state, story.now.authorization) == (State.READY, 1)


def test_a_claimed_first_sync_after_an_end_is_a_doubt() -> None:
    story = Story(linked(10), ended(20), read_claim(50), policy=NO_KEY)
    assert (story.state, story.outcome) == (State.DEAUTHORIZED, "doubt")


def test_a_claimed_first_sync_that_is_known_changes_nothing() -> None:
    story = Story(linked(10), read(20), read_claim(21), policy=ASKS)
    assert (story.outcome in ("twin", "no_change"), story.asks) == (True, [])
    assert story.told == ["connection.authorized", "initial_sync.completed"]


def test_an_alert_about_the_whole_company_asks_for_its_history() -> None:
    event = read_claim(50, whole_company=True)
    context = Context(now=at(50), policy=ASKS)
    (ask,) = company_effects(event, context)
    assert isinstance(ask, Ask)
    assert (ask.aspect, ask.company_id, ask.connection_id) == (Aspect.HISTORY, COMPANY.id, None)
    assert ask.deadline - ask.not_before == timedelta(seconds=60)
    assert ask.reason == "an alert says that the company was synchronised for the first time"
    assert company_effects(event, Context(now=at(50), policy=NO_KEY)) == ()
    assert company_effects(read_claim(50), context) == ()
    assert company_effects(replace(event, company=None), context) == ()


@pytest.mark.parametrize("whole_company", [True, False])
def test_a_claimed_deletion_is_a_doubt_that_codats_answer_settles(whole_company: bool) -> None:
    story = Story(linked(10), policy=ASKS)
    story.hear(deletion_claim(50, whole_company=whole_company))
    assert story.state is State.AUTHORIZED
    assert (story.outcome, [ask.aspect for ask in story.asks]) == ("doubt", [Aspect.CONNECTION])
    story.hear(gone(70))
    assert story.state is State.DELETED
    assert story.told == ["connection.authorized", "connection.deleted"]


def test_an_alert_in_order_is_a_new_authorisation_also_when_the_end_was_missed() -> None:
    story = Story(linked(10), read(20), claim(500, DEAUTHORIZED, LINKED), policy=ASKS)
    assert [ask.aspect for ask in story.asks] == [Aspect.CONNECTION], "an end was missed: a doubt"
    assert story.state is State.READY
    story.hear(relinked(450, known=510))
    assert (story.state, story.now.authorization) == (State.AUTHORIZED, 2)
