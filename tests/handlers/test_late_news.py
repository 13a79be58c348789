"""Late news waits for Codat's word before it is told."""

from handlers.events import Aspect
from handlers.registry import Policy
from handlers.state import State
from tests.handlers.support.story import (
    ASKS,
    DEAUTHORIZED,
    LINKED,
    PENDING,
    UNLINKED,
    Story,
    at,
    ended,
    failed,
    gone,
    linked,
    read,
    seen,
    unanswered,
)

DEAUTHORIZED_NOTICE = "connection.deauthorized"


def test_news_that_is_ten_minutes_old_is_told_at_once() -> None:
    assert Story(linked(10, known=610), policy=ASKS).told == ["connection.authorized"]


def test_news_older_than_that_is_checked_first() -> None:
    story = Story(linked(10, known=610.5), policy=ASKS)
    assert (story.told, story.verdicts) == ([], [("connection.authorized", "checking")])
    assert [(ask.aspect, ask.not_before) for ask in story.asks] == [(Aspect.CONNECTION, at(610.5))]
    story.hear(seen(612, LINKED))
    assert story.told == ["connection.authorized"]
    assert story.notes[0].data["occurred_at"] == at(10)


def test_late_news_that_codat_denies_is_not_told() -> None:
    story = Story(linked(10, known=5000), seen(5001, UNLINKED), policy=ASKS)
    assert "connection.authorized" not in story.told
    assert ("connection.authorized", "overtaken") in story.verdicts
    assert story.state is State.UNLINKED


def test_late_news_of_a_failed_attempt_is_not_told_when_access_was_given_since() -> None:
    story = Story(failed(10, known=5000), seen(5001, LINKED), policy=ASKS)
    assert story.told == ["connection.authorized"]


def test_late_news_of_a_failed_attempt_is_told_when_codat_shows_no_access() -> None:
    story = Story(failed(10, known=5000), seen(5001, PENDING), policy=ASKS)
    assert story.told == ["connection.authorization_failed"]


def test_how_late_is_late_can_be_set() -> None:
    hurried = Policy(can_ask=True, late_after_s=5)
    assert Story(linked(10, known=16), policy=hurried).told == []
    assert Story(linked(10, known=14), policy=hurried).told == ["connection.authorized"]


def test_what_waits_holds_back_its_sequel() -> None:
    story = Story(linked(10, known=5000), read(4990, known=5001), policy=ASKS)
    assert story.told == []
    story.hear(seen(5002, LINKED))
    assert story.told == ["connection.authorized", "initial_sync.completed"]


def test_a_late_first_sync_is_checked_as_well() -> None:
    story = Story(linked(10), read(20, known=5000), policy=ASKS)
    assert story.told == ["connection.authorized"]
    story.hear(seen(5001, LINKED))
    assert story.told == ["connection.authorized", "initial_sync.completed"]


def test_news_that_becomes_due_late_is_checked_although_its_message_came_in_time() -> None:
    """A failed attempt was known for a day before the end came that it followed; it was told unchecked,
    while Codat did not know the connection any more."""
    story = Story(linked(10), failed(240), ended(200, known=90_000), policy=ASKS)
    assert "connection.authorization_failed" not in story.told
    story.hear(gone(90_001))
    assert story.told == ["connection.authorized", "connection.deleted"]


def test_a_look_from_before_the_news_was_due_confirms_nothing() -> None:
    """A look shortly after a failed attempt confirmed it half an hour later, when the end before it
    became known; by then Codat did not know the connection any more."""
    story = Story(linked(80), failed(320), seen(325, DEAUTHORIZED), policy=ASKS)
    story.hear(ended(280, known=2180))
    assert "connection.authorization_failed" not in story.told
    story.hear(unanswered(2180.5))
    assert "connection.authorization_failed" not in story.told
    story.hear(gone(2181))
    assert story.told == ["connection.authorized", DEAUTHORIZED_NOTICE, "connection.deleted"]


def test_a_look_by_which_late_news_becomes_due_confirms_it() -> None:
    story = Story(linked(10), ended(20), read(30, known=31), seen(5_000, LINKED), policy=ASKS)
    assert story.told[-1] == "initial_sync.completed"
