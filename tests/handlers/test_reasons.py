"""The reasons on the timeline: of each decision, and of an event that changed nothing."""

from dataclasses import replace

from handlers.connection import Connection
from handlers.events import CompanyNotShown, ConnectionDetails, ConnectionEvent, QuestionUnanswered
from handlers.fold import AuthorizationHistory, Link
from handlers.machine import advance
from handlers.registry import Context
from tests.handlers.support.story import (
    ASKS,
    DEAUTHORIZED,
    LINKED,
    PENDING,
    PROBLEM,
    UNLINKED,
    Story,
    at,
    claim,
    created,
    deleted,
    ended,
    failed,
    linked,
    read_claim,
    relinked,
    seen,
    unanswered,
)


def reasons(story: Story) -> list[tuple[str, str]]:
    """What the last step decided, as (outcome, reason)."""
    assert story.last is not None
    return [(decision.outcome.value, decision.reason) for decision in story.last.entry.decisions]


def test_a_milestone_that_is_told_at_once_was_due() -> None:
    assert reasons(Story(linked(10), policy=ASKS)) == [("told", "due and not told before")]


def test_a_milestone_that_codat_confirms_was_asked_for() -> None:
    story = Story(linked(10), ended(20, UNLINKED), policy=ASKS)
    assert reasons(story) == [("checking", "bad news is checked with Codat first")]
    story.hear(seen(81, UNLINKED))
    assert reasons(story) == [("told", "Codat was asked and does not deny it")]


def test_a_milestone_without_an_answer_is_told_unchecked() -> None:
    story = Story(linked(10), ended(20, UNLINKED), unanswered(80), policy=ASKS)
    assert reasons(story) == [("told", "Codat did not answer in time: told unchecked")]


def test_late_news_says_that_it_is_late_and_holds_back_what_comes_after_it() -> None:
    story = Story(linked(10, known=5_000), failed(5_001), policy=ASKS)
    assert story.verdicts == []
    late = Story(created(5), ended(10, known=5_000), failed(5_001), policy=ASKS)
    assert reasons(late) == [("checking", "what comes before it waits")]
    first = Story(linked(10, known=5_000), policy=ASKS)
    assert reasons(first) == [("checking", "late news is checked with Codat first")]


def test_a_milestone_that_is_no_longer_true_is_overtaken() -> None:
    story = Story(linked(10), ended(20, UNLINKED), relinked(30), policy=ASKS)
    assert ("overtaken", "no longer true when it was checked: not told") in reasons(story)
    assert story.last is not None
    assert [decision.notification_id != "" for decision in story.last.entry.decisions] == [True, False]


def test_a_company_that_codat_does_not_show_is_told_of_nothing() -> None:
    question = unanswered(20)
    assert isinstance(question, QuestionUnanswered)
    fields = {name: getattr(question, name) for name in ("event_id", "event_type", "source", "received_at")}
    event = CompanyNotShown(
        **fields,
        at=question.at,
        company=question.company,
        connection=question.connection,
        aspect=question.aspect,
    )
    story = Story(linked(10), policy=ASKS)
    step = advance(replace(story.connection, ledger=()), event, Context(at(20), ASKS, company_shown=False))
    (decision,) = step.entry.decisions
    reason = "Codat, asked with our key, does not know this company: not told"
    assert (decision.outcome, decision.reason) == ("not_told", reason)
    assert decision.notification_id == story.notes[0].id
    shown = advance(replace(story.connection, ledger=()), event, Context(at(20), ASKS))
    assert [decision.outcome for decision in shown.entry.decisions] == ["told"]


def test_a_connection_whose_facts_are_all_compacted_is_not_new() -> None:
    history = AuthorizationHistory(link=Link.ENDED, authorization=1, ended=None, begun_at=at(1))
    story = Story(linked(10))
    fact = replace(story.connection.facts[0])
    base = replace(history, link=Link.LINKED, begun=fact, begun_at=fact.at)
    compacted = Connection("c", base=base, compacted_until=at(20), ledger=story.connection.ledger)
    step = advance(compacted, failed(30), Context(at(30)))
    assert (step.entry.outcome, step.entry.reason) == ("no_change", "it changes nothing while authorized")
    step = advance(
        replace(compacted, base=AuthorizationHistory(), compacted_until=None), created(30), Context(at(30))
    )
    assert (step.entry.outcome, step.entry.reason) == ("applied", "the first we know of it; pending")


def test_a_look_settles_no_claim_about_the_history() -> None:
    story = Story(linked(10), read_claim(50), seen(115, LINKED), policy=ASKS)
    assert [open_claim.event_id for open_claim in story.connection.claims] == [read_claim(50).event_id]


def test_a_look_that_contradicts_an_alert_of_less_than_a_minute_before_does_not_settle_it() -> None:
    story = Story(claim(50, PENDING, LINKED), seen(109, DEAUTHORIZED), policy=ASKS)
    assert len(story.connection.claims) == 1
    story.hear(seen(110, DEAUTHORIZED))
    assert story.connection.claims == ()


def test_of_two_descriptions_of_one_time_the_later_to_arrive_wins() -> None:
    first, second = linked(10), created(10)
    assert isinstance(second, ConnectionEvent)
    other = ConnectionDetails(second.connection.id, platform_key="abcd", platform_name="Other")
    story = Story(first, replace(second, connection=other))
    assert (story.connection.platform_key, story.connection.platform_name) == ("abcd", "Other")
    older = created(9)
    assert isinstance(older, ConnectionEvent)
    story.hear(replace(older, connection=replace(other, platform_name="Older", integration_id="i-1")))
    assert (story.connection.platform_name, story.connection.integration_id) == ("Other", "i-1")


def test_the_error_of_a_failure_is_told() -> None:
    (note,) = Story(failed(10)).notes
    assert note.data["error"] == {
        "status_code": PROBLEM.status_code,
        "status_text": PROBLEM.status_text,
        "message": PROBLEM.message,
    }


def test_what_the_event_says_stands_before_what_follows_from_it() -> None:
    story = Story(linked(10), seen(100, DEAUTHORIZED))
    assert story.last is not None
    assert story.last.entry.reason == "Codat shows Deauthorized; authorized → deauthorized"


def test_a_repeated_change_is_a_twin_and_says_what_is_known() -> None:
    story = Story(linked(10), claim(2_000, PENDING, LINKED))
    assert story.last is not None
    assert (story.outcome, story.last.entry.reason) == ("twin", "PendingAuth → Linked is known already")
    story = Story(linked(10), deleted(20), deleted(30))
    assert story.last is not None
    assert (story.outcome, story.last.entry.reason) == ("twin", "this change is known already")
