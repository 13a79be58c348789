"""What a rebuild finds is recorded and not told; what happens afterwards is told."""

from dataclasses import replace

import pytest

from handlers.events import Event, LinkStatus, Source, Trigger
from tests.handlers.support.story import (
    ASKS,
    DEAUTHORIZED,
    LINKED,
    NO_KEY,
    PENDING,
    UNLINKED,
    Story,
    claim,
    dataset,
    ended,
    failed,
    history,
    linked,
    read_claim,
    read_more,
    seen,
)

QUIET = Trigger("found by a rebuild", quiet=True)


def found(second: float, status: LinkStatus) -> Event:
    """The status that a rebuild finds."""
    return replace(seen(second, status), trigger=QUIET)


def invoices_read(second: float, trigger: Trigger | None = QUIET) -> Event:
    """Codat's history with complete invoices, as a rebuild finds it."""
    row = dataset("invoices", "Complete", requested=second, completed=second)
    return replace(history(second, row), trigger=trigger)


def failure_shown(second: float) -> Event:
    """A failed attempt that Codat's API shows."""
    return replace(failed(second, known=second + 5), source=Source.CODAT_API)


def story_of(*events: Event) -> Story:
    return Story(*events, policy=ASKS)


def ledger_of(story: Story) -> list[str]:
    return [entry.kind for entry in story.connection.ledger]


def test_nothing_is_told_and_everything_is_explained() -> None:
    story = story_of(found(0, LINKED))
    assert story.last is not None
    assert story.last.entry.reason == "Codat shows Linked; pending → authorized; found by a rebuild"
    (decision,) = story.last.entry.decisions
    assert (decision.kind, decision.outcome.value) == ("connection.authorized", "known")
    assert decision.reason == "known from a first look, not from news: not told"

    story.hear(invoices_read(0))
    assert story.verdicts == [("initial_sync.completed", "known")]
    assert (story.told, story.state) == ([], "ready")
    assert ledger_of(story) == ["connection.authorized", "initial_sync.completed"]


def test_an_end_is_known_at_once_without_a_check() -> None:
    story = story_of(found(0, DEAUTHORIZED))
    assert story.last is not None
    assert (story.connection.checks, story.last.effects) == ((), ())
    assert ledger_of(story) == ["connection.deauthorized"]


def test_a_first_sync_of_long_ago_is_known_at_once_as_well() -> None:
    rows = dataset("invoices", "Complete", requested=0, completed=9)
    story = story_of(found(0, LINKED), replace(history(3_000, rows), trigger=QUIET))
    assert (story.connection.checks, story.verdicts) == ((), [("initial_sync.completed", "known")])
    assert ledger_of(story) == ["connection.authorized", "initial_sync.completed"]


def test_a_message_of_what_a_rebuild_found_is_not_told_either() -> None:
    assert story_of(found(0, LINKED), linked(-9_000, known=30)).told == []


def test_what_an_operator_asked_about_is_told() -> None:
    story = story_of(replace(seen(70, LINKED), trigger=Trigger("asked by an operator")))
    assert (story.told, story.verdicts) == (["connection.authorized"], [("connection.authorized", "told")])


def test_what_happens_after_a_rebuild_is_told() -> None:
    story = Story(found(0, LINKED), invoices_read(50, None), ended(100, UNLINKED), policy=NO_KEY)
    assert story.told == ["initial_sync.completed", "connection.unlinked"]


def test_what_waited_for_codats_word_before_is_told_when_a_rebuild_confirms_it() -> None:
    """A message told of an end; the look of a rebuild that came a second later used to swallow it."""
    early = story_of(ended(100, UNLINKED), found(101, UNLINKED))
    assert early.told == []
    assert [check.kind for check in early.connection.checks] == ["connection.unlinked"]

    confirmed = story_of(ended(100, UNLINKED), found(110, UNLINKED))
    assert (confirmed.told, confirmed.verdicts) == (
        ["connection.unlinked"],
        [("connection.unlinked", "told")],
    )


def test_an_end_that_waited_is_told_also_when_codat_gives_another_reason() -> None:
    """A quiet look used to swallow it: what waited was the very same milestone or nothing."""
    assert story_of(ended(100, UNLINKED), found(160, DEAUTHORIZED)).told == ["connection.deauthorized"]


@pytest.mark.parametrize(
    ("old", "new", "notice"),
    [(PENDING, LINKED, "connection.authorized"), (LINKED, UNLINKED, "connection.unlinked")],
)
def test_an_alert_that_waited_for_codats_word_is_told_when_a_quiet_look_gives_it(
    old: LinkStatus, new: LinkStatus, notice: str
) -> None:
    """The alert is news, though it says no time and nothing is due before Codat was asked."""
    story = story_of(found(0, old), claim(100, old, new))
    assert story.told == []
    story.hear(found(140, new))
    assert story.told == [notice]


def test_an_alert_of_a_first_sync_is_told_when_a_quiet_look_at_the_history_gives_it() -> None:
    story = story_of(found(0, LINKED), read_claim(100), invoices_read(140))
    assert story.told == ["initial_sync.completed"]


def test_data_that_came_before_its_access_is_news_of_it_also_where_a_quiet_look_shows_it() -> None:
    story = story_of(read_more(100, bills="Complete"), found(140, LINKED))
    assert story.told == ["connection.authorized"]


def test_an_alert_of_no_access_is_no_news_of_the_access_that_a_quiet_look_shows() -> None:
    story = story_of(found(0, UNLINKED), claim(100, UNLINKED, PENDING))
    assert len(story.connection.claims) == 1
    story.hear(found(140, LINKED))
    assert (story.told, ledger_of(story)) == ([], ["connection.unlinked", "connection.reauthorized"])


def test_an_alert_that_a_quiet_look_denies_makes_no_news_of_what_was_there_before() -> None:
    story = story_of(claim(100, LINKED, UNLINKED), found(140, LINKED))
    assert story.told == []
    assert ledger_of(story) == ["connection.authorized"]


def test_an_alert_that_nobody_confirmed_in_time_is_not_forgotten_by_a_quiet_look() -> None:
    story = story_of(found(0, LINKED), claim(100, LINKED, UNLINKED), invoices_read(3_000))
    assert [check.kind for check in story.connection.checks] == ["connection.unlinked"]
    story.hear(found(3_010, UNLINKED))
    assert story.told == ["connection.unlinked"]


def test_a_failure_that_codats_api_shows_and_its_message_are_one() -> None:
    """The times that they carry differ by moments."""
    shown, message = failure_shown(0), failed(1.5, known=6.5)
    assert story_of(shown, message).told == ["connection.authorization_failed"]
    assert story_of(message, shown).told == ["connection.authorization_failed"]


def test_another_attempt_that_fails_later_is_told_again() -> None:
    assert story_of(failure_shown(0), failure_shown(400)).told == ["connection.authorization_failed"] * 2
    messages = (failed(0, known=5), failed(30, known=35))
    assert story_of(*messages).told == ["connection.authorization_failed"] * 2
