"""The word and the sentence on the timeline for every delivered message."""

import pytest

from handlers.events import Event, Source, UnhandledEvent
from handlers.registry import Policy
from handlers.state import State
from tests.handlers.support.story import (
    ASKS,
    DEAUTHORIZED,
    LINKED,
    NO_KEY,
    UNLINKED,
    Story,
    claim,
    created,
    deleted,
    ended,
    failed,
    linked,
    read,
    read_claim,
    read_more,
    relinked,
    seen,
    unanswered,
)


@pytest.mark.parametrize(
    ("before", "event", "outcome"),
    [
        ([], linked(10), "applied"),
        ([linked(10)], read(20), "applied"),
        ([linked(10)], ended(20), "applied"),
        ([linked(10), ended(20)], ended(30, id="newest"), "twin"),
        ([linked(10), read(20)], read_more(30, bills="Complete"), "applied"),
        ([linked(10)], linked(10, known=50, id="again"), "twin"),
        ([linked(10)], linked(10), "twin"),
        ([linked(10), read_more(20, bills="Complete")], read_more(20, bills="Complete", id="again"), "twin"),
        ([linked(10), ended(20), relinked(30)], ended(20, known=50, id="again"), "twin"),
        ([relinked(30)], created(5, known=50), "stale"),
        ([linked(10), ended(20), relinked(30)], failed(25, known=50), "stale"),
        ([linked(10), ended(20), relinked(30)], read(15, known=50), "stale"),
        ([linked(10), read_more(20, bills="Complete")], read_more(15, known=50, bills="MapError"), "stale"),
        (
            [linked(10), read_more(20, bills="Complete"), read_more(30, items="Complete")],
            read_more(20, known=50, bills="Complete", items="Complete"),
            "stale",
        ),
        ([linked(10), ended(20), failed(30)], linked(5, known=60, id="earlier"), "stale"),
        ([linked(10)], seen(60, LINKED), "no_change"),
        ([linked(10), ended(20)], read(60), "doubt"),
        ([linked(10), read(20)], read_more(60, bills="AuthError"), "doubt"),
        ([], claim(60, LINKED, DEAUTHORIZED), "doubt"),
        ([linked(10), deleted(20)], deleted(20, known=60, id="again"), "twin"),
        ([linked(10)], unanswered(60), "no_change"),
    ],
    ids=lambda value: value.event_id if isinstance(value, Event) else None,
)
def test_the_outcome_of_a_message(before: list[Event], event: Event, outcome: str) -> None:
    story = Story(*before, event, policy=NO_KEY)
    assert story.outcome == outcome, story.last.entry.reason if story.last else ""


@pytest.mark.parametrize("policy", [NO_KEY, ASKS], ids=["without a key", "with a key"])
def test_a_doubt_changes_nothing_by_itself(policy: Policy) -> None:
    story = Story(linked(10), ended(20), policy=policy)
    before = (story.state, story.now.authorization, story.told)
    story.hear(read(60))
    assert story.outcome == "doubt"
    assert (story.state, story.now.authorization, story.told) == before


def test_every_step_says_from_where_to_where_and_why() -> None:
    story = Story(linked(10), read(20), ended(30), relinked(40), deleted(50))
    assert story.last is not None
    assert (story.last.entry.before, story.last.entry.after) == ("authorized", "deleted")
    for event in (linked(10), failed(60), seen(70, LINKED), claim(80, None, LINKED)):
        story.hear(event)
        assert story.last.entry.reason


def reason_of(story: Story) -> str:
    assert story.last is not None
    return story.last.entry.reason


def test_a_look_that_does_not_count_is_not_said_to_agree() -> None:
    """The timeline said "Codat shows Linked; what Codat shows agrees with what we know" while unlinked."""
    story = Story(linked(10), ended(100, UNLINKED), policy=ASKS)
    story.hear(seen(101, LINKED))
    assert story.state is State.UNLINKED
    assert "agrees" not in reason_of(story)
    assert "it may be from before the last change" in reason_of(story)
    story.hear(seen(200, UNLINKED))
    assert "agrees" in reason_of(story)


def test_what_is_learnt_of_the_past_of_a_deleted_connection_is_said_as_such() -> None:
    story = Story(deleted(50))
    story.hear(linked(10, known=60))
    assert story.outcome == "applied"
    assert reason_of(story) == "authorisations known: 0 → 1; still deleted"


def test_an_alert_that_an_exact_message_explains_says_so() -> None:
    story = Story(linked(10), read(20), ended(30), relinked(40), policy=NO_KEY)
    story.hear(read_claim(60))
    assert story.outcome == "twin"
    assert "a message with an exact time told of this change already" in reason_of(story)


def test_a_message_that_is_none_of_ours_is_recorded() -> None:
    event = UnhandledEvent(
        event_id="w",
        event_type="invoices.write.successful",
        source=Source.CURRENT,
        received_at=linked(10).at,
        at=linked(10).at,
        connection_id="connection-1",
    )
    story = Story(linked(5))
    before = story.connection
    story.hear(event)
    assert (story.outcome, story.connection) == ("no_change", before)
    assert reason_of(story) == "not about access or reading"
