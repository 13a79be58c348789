"""What one step gives beside the new facts: the situation after it, what is known still, and who waits."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.connection import Connection
from handlers.facts import QUEUED_WITHIN, FactKind
from handlers.fold import AuthorizationHistory, Link
from handlers.machine import advance
from handlers.past import RecordedDecision, RecordedEntry, believed_at
from handlers.registry import Context, Policy
from handlers.state import State, situation
from handlers.verification import contradicting_observation
from tests.handlers.support.codat_messages import CONNECTION_ID
from tests.handlers.support.story import (
    ASKS,
    LINKED,
    PENDING,
    UNLINKED,
    Story,
    at,
    claim,
    ended,
    history,
    linked,
    read,
    read_more,
    seen,
    unanswered,
)
from tests.handlers.test_facts import alert, fact

HOLDS = timedelta(microseconds=1)


def test_data_types_alone_change_the_situation() -> None:
    step = Story(linked(10), read_more(20, bills="Complete")).last
    assert step is not None
    assert (step.before.state, step.after.state) == (State.AUTHORIZED, State.SYNCING)
    assert (step.entry.before, step.entry.after) == ("authorized", "syncing")


def test_that_nothing_is_queued_stays_known_whatever_comes_next() -> None:
    due = 10 + QUEUED_WITHIN.total_seconds()
    story = Story(linked(10), history(due), unanswered(due + 1))
    assert story.connection.nothing_queued_at == at(due)
    assert story.now.first_sync_missing


def test_news_of_a_foreign_company_waits_and_is_not_dropped() -> None:
    context = Context(at(10), ASKS, company_shown=False)
    step = advance(Connection(CONNECTION_ID), linked(10), context)
    assert [decision.outcome.value for decision in step.entry.decisions] == ["checking"]
    assert [check.kind for check in step.connection.checks] == ["connection.authorized"]


@pytest.mark.parametrize(("patience_s", "checks"), [(0, False), (0.5, True), (1, True)])
def test_any_patience_is_one(patience_s: float, checks: bool) -> None:
    assert Policy(can_ask=True, patience_s=patience_s).checks is checks
    assert not Policy(can_ask=False, patience_s=patience_s).checks


def test_of_what_codat_showed_the_newest_observation_contradicts() -> None:
    story = Story(linked(10), seen(15, LINKED), seen(20, UNLINKED), read(30))
    observation = contradicting_observation(story.connection)
    assert observation is not None
    assert observation.at == at(20)
    alerted = story.connection.with_facts([alert(25, LINKED)])
    assert contradicting_observation(alerted) == observation
    assert contradicting_observation(Story(linked(10), read(30)).connection) is None


# What was believed


def recorded(story: Story, event_id: str, second: float) -> RecordedEntry:
    """The line of the last step, which was committed at once."""
    assert story.last is not None
    entry = story.last.entry
    decisions = tuple(
        RecordedDecision(decision.kind, decision.outcome, decision.notification_id or None)
        for decision in entry.decisions
    )
    return RecordedEntry(event_id, at(second), at(second), entry.before, entry.after, decisions)


def test_a_check_is_open_from_the_moment_of_its_line_until_that_of_its_answer() -> None:
    story = Story(linked(10), policy=ASKS)
    entries = [recorded(story, "linked", 10)]
    story.hear(end := ended(20))
    entries.append(recorded(story, end.event_id, 20))
    (check,) = story.connection.checks
    story.hear(answer := seen(90, UNLINKED))
    entries.append(recorded(story, answer.event_id, 90))
    state = story.state.value

    for moment, open_checks in (
        (at(20) - HOLDS, ()),
        (at(20), (check.kind,)),
        (at(90) - HOLDS, (check.kind,)),
        (at(90), ()),
    ):
        belief = believed_at(story.connection, state, entries, moment)
        assert tuple(check.kind for check in belief.connection.checks) == open_checks
    waiting = believed_at(story.connection, state, entries, at(30)).connection.checks
    assert [(check.at, check.since, check.previous_state) for check in waiting] == [
        (at(20), at(20), "authorized")
    ]


def test_a_claim_is_believed_from_the_moment_it_came() -> None:
    alert = claim(20, PENDING, LINKED)
    story = Story(alert, policy=ASKS)
    entries = [recorded(story, alert.event_id, 20)]
    (open_claim,) = story.connection.claims

    assert believed_at(story.connection, "pending", entries, at(20)).connection.claims == (open_claim,)
    assert believed_at(story.connection, "pending", entries, at(20) - HOLDS).connection.claims == ()
    late = [replace(entry, handled_at=at(60)) for entry in entries]
    assert believed_at(story.connection, "pending", late, at(30)).connection.claims == ()


def test_a_belief_is_complete_only_where_the_recorded_state_follows_from_it() -> None:
    story = Story(linked(10), read(20, bills="Complete"))
    first, second = linked(10).event_id, read(20).event_id
    entries = [
        RecordedEntry(first, at(10), at(10), "pending", "authorized"),
        RecordedEntry(second, at(20), at(20), "authorized", "ready"),
    ]
    for moment, state in ((at(9), "pending"), (at(10), "authorized"), (at(20), "ready")):
        belief = believed_at(story.connection, "ready", entries, moment)
        assert (belief.state, belief.complete) == (state, True)
        assert situation(belief.connection).state.value == state
    assert not believed_at(story.connection, "unlinked", entries, at(20)).complete


def test_a_belief_is_complete_only_where_what_was_summed_up_was_known_by_then() -> None:
    begun = fact(FactKind.LINKED, 10)
    base = AuthorizationHistory(Link.LINKED, 1, begun, begun.at)
    connection = Connection(CONNECTION_ID, base=base, compacted_until=at(10))
    for handled_at, moment, complete in (
        (10, at(10), True),
        (10, at(10) - HOLDS, False),
        (60, at(30), False),
    ):
        line = RecordedEntry(begun.event_id, at(10), at(handled_at), "authorized", "authorized")
        assert believed_at(connection, "authorized", [line], moment).complete is complete
