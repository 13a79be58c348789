"""Authorisations that no first sync follows, and datasets that Codat tries again for hours."""

from dataclasses import replace

import pytest

from handlers.state import State
from tests.handlers.support.story import Story, dataset, ended, history, linked, read, relinked


def test_an_authorisation_that_no_first_sync_follows_is_said_so_once() -> None:
    """A token was brought, which starts no read: the connection stayed `authorized` for ever.

    It then looked "stuck", although Codat showed at every look that it had queued nothing.
    """
    story = Story(linked(10), history(190))
    assert (story.state, story.now.first_sync_missing) == (State.AUTHORIZED, True)
    step = story.hear(history(500))
    assert step is not None
    assert (step.before.first_sync_missing, step.after.first_sync_missing) == (True, True)
    assert step.entry.outcome == "no_change"
    assert story.told == ["connection.authorized"]


def test_the_timeline_says_so() -> None:
    """Nothing on the timeline explained why a connection did not go on."""
    story = Story(linked(10))
    step = story.hear(history(190))
    assert step is not None
    assert step.entry.outcome == "applied"
    assert "no first sync follows" in step.entry.reason


@pytest.mark.parametrize(
    "then",
    [
        [history(60)],
        [history(190, dataset("invoices", "Queued", requested=12))],
        [read(20, invoices="Complete"), history(190)],
        [history(190), ended(200)],
        [history(190), ended(200), relinked(300), history(330)],
    ],
    ids=["too early to say", "queued", "read already", "ended", "another authorisation"],
)
def test_it_is_not_said_otherwise(then: list[object]) -> None:
    """Codat's API may lag: what it does not show in the first minutes may be queued all the same."""
    story = Story(linked(10), *then)  # type: ignore[arg-type]
    assert not story.now.first_sync_missing


def test_it_ends_with_the_first_dataset() -> None:
    """Somebody had it read: what was said before is over."""
    story = Story(linked(10), history(190), history(260, dataset("invoices", "Queued", requested=250)))
    assert (story.state, story.now.first_sync_missing) == (State.SYNCING, False)


def test_a_dataset_that_is_tried_again_for_hours_has_not_failed() -> None:
    """Codat tries a dataset for 12 hours before it gives up; until then it is being read."""
    eleven_hours = 11 * 3600
    fetching = dataset("invoices", "Fetching", requested=12)
    story = Story(linked(10), history(190, fetching), history(eleven_hours, fetching))
    assert story.state is State.SYNCING
    assert story.told == ["connection.authorized"]


def test_what_is_given_up_after_a_message_that_left_it_open_is_noticed() -> None:
    """A message of the first read had one type still `Fetching`; its end was told by the history alone."""
    story = Story(linked(10), read(60, invoices="Fetching"))
    assert story.state is State.SYNCING
    story.hear(history(13 * 3600, dataset("invoices", "FetchError", requested=12, completed=12 * 3600)))
    assert story.state is State.SYNC_FAILED
    assert story.told[-1] == "initial_sync.failed"


@pytest.mark.parametrize(("has_ended", "state"), [(True, State.SYNC_FAILED), (False, State.SYNCING)])
def test_codat_decides_whether_a_dataset_with_an_unknown_status_is_still_read(
    has_ended: bool, state: State
) -> None:
    row = replace(dataset("bills", "Strange", requested=12, completed=50), ended=has_ended)
    assert Story(linked(10), history(190, row)).state is state
