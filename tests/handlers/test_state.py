"""The public state: what the facts and the data types make of a connection."""

from dataclasses import replace
from typing import Any

import pytest

from handlers.connection import Connection
from handlers.effects import CompareCompany
from handlers.events import Aspect, InitialReadCompleted
from handlers.reads import DataTypeRead
from handlers.registry import Policy
from handlers.state import State, situation
from tests.handlers.support.codat_messages import COMPANY
from tests.handlers.support.story import (
    ASKS,
    NO_KEY,
    UNLINKED,
    Story,
    alert_of_reads,
    at,
    created,
    dataset,
    ended,
    failed,
    history,
    linked,
    read,
    read_more,
    relinked,
    unanswered,
)


def test_a_connection_of_which_nothing_is_known_is_pending() -> None:
    assert situation(Connection(id="c")).state is State.PENDING
    assert situation(Connection(id="c")).authorized_at is None


def test_a_linked_connection_that_was_not_read_is_authorized() -> None:
    assert Story(linked(10)).state is State.AUTHORIZED


@pytest.mark.parametrize("status", ["Complete", "FetchError", "Fetching", "Queued", "SomethingNew"])
def test_it_is_syncing_once_a_data_type_of_this_authorisation_was_read_or_is_being_read(status: str) -> None:
    assert Story(linked(10), read_more(20, invoices=status)).state is State.SYNCING


def test_what_was_read_in_the_authorisation_before_does_not_make_it_syncing() -> None:
    story = Story(linked(10), read_more(20, invoices="Complete"), ended(30), relinked(40))
    assert story.state is State.AUTHORIZED


@pytest.mark.parametrize(
    ("types", "state"),
    [
        ({"invoices": "Complete"}, State.READY),
        ({"invoices": "Complete", "bills": "FetchError"}, State.READY),
        ({"invoices": "Complete", "bills": "NotSupported"}, State.READY),
        ({"invoices": "FetchError", "bills": "Cancelled"}, State.SYNC_FAILED),
        ({"invoices": "FetchError", "bills": "NotSupported"}, State.SYNC_FAILED),
    ],
)
def test_the_first_sync_is_ready_when_something_is_complete_and_failed_when_all_that_counts_failed(
    types: dict[str, Any], state: State
) -> None:
    assert Story(linked(10), read(20, **types)).state is state


def test_reads_of_several_products_count_together() -> None:
    story = Story(linked(10), read(20, bills="MapError"))
    assert story.state is State.SYNC_FAILED
    story.hear(read(30, invoices="Complete"))
    assert story.state is State.READY
    assert story.told == ["connection.authorized", "initial_sync.failed", "initial_sync.completed"]


def test_an_ordinary_read_does_not_change_the_outcome_of_the_first_sync() -> None:
    story = Story(linked(10), read(20, invoices="MapError"), read_more(50, invoices="Complete"))
    assert story.state is State.SYNC_FAILED
    assert story.connection.data_types["invoices"].status == "Complete"


def test_the_state_after_an_end_names_its_reason() -> None:
    assert Story(linked(10), read(20), ended(30)).state is State.DEAUTHORIZED
    assert Story(linked(10), read(20), ended(30, UNLINKED)).state is State.UNLINKED


def test_authorization_failed_lasts_until_something_else_happens() -> None:
    assert Story(created(5), failed(10), failed(12)).state is State.AUTHORIZATION_FAILED
    assert Story(failed(10), linked(20)).state is State.AUTHORIZED
    assert Story(linked(10), failed(20)).state is State.AUTHORIZED


def test_the_number_of_the_authorisation_rises_each_time_access_is_given_again() -> None:
    story = Story(linked(10), ended(20), relinked(30), ended(40, UNLINKED), relinked(50))
    assert (story.now.authorization, story.now.authorized_at) == (3, at(50))


def test_a_late_message_corrects_number_and_time_of_the_authorisation() -> None:
    story = Story(relinked(50))
    assert (story.now.authorization, story.now.authorized_at) == (1, at(50))
    story.hear(linked(10, known=60), ended(20, known=61))
    assert (story.now.authorization, story.now.authorized_at) == (2, at(50))


def test_a_message_without_a_readable_time_has_the_time_of_its_arrival() -> None:
    story = Story(linked(10), read_more(20, invoices="FetchError"), alert_of_reads(500, invoices="Complete"))
    outcome = story.connection.data_types["invoices"]
    assert (outcome.status, outcome.at, outcome.timed) == ("Complete", at(500), False)


def test_each_data_type_keeps_its_newest_outcome() -> None:
    story = Story(
        linked(10), read_more(30, invoices="Complete"), read_more(20, known=40, invoices="MapError")
    )
    assert story.connection.data_types["invoices"].status == "Complete"
    assert story.outcome == "stale"
    story.hear(read_more(50, invoices="FetchError", bills="Complete"))
    assert {name: kind.status for name, kind in story.connection.data_types.items()} == {
        "invoices": "FetchError",
        "bills": "Complete",
    }


def test_a_timed_outcome_replaces_the_untimed_alert_of_the_same_read() -> None:
    story = Story(linked(10), alert_of_reads(110, invoices="Complete"), read(20, known=200))
    outcome = story.connection.data_types["invoices"]
    assert (outcome.at, outcome.timed) == (at(20), True)


def test_an_untimed_alert_does_not_replace_the_timed_outcome_that_may_be_its_twin() -> None:
    story = Story(linked(10), read_more(100, invoices="Complete"), alert_of_reads(215, invoices="FetchError"))
    assert story.connection.data_types["invoices"].status == "Complete"
    assert story.outcome == "stale"


def test_an_untimed_alert_replaces_what_lies_long_before_it() -> None:
    story = Story(linked(10), read_more(100, invoices="Complete"), alert_of_reads(500, invoices="FetchError"))
    assert story.connection.data_types["invoices"].status == "FetchError"


def test_the_history_shows_how_far_reading_has_come() -> None:
    story = Story(linked(10), policy=ASKS)
    story.hear(
        history(
            30,
            dataset("invoices", "Fetching", requested=11, progress=40),
            dataset("bills", "Complete", requested=11, completed=25),
            dataset("items", "Mapping", requested=11, progress=400),
        )
    )
    types = story.connection.data_types
    assert story.state is State.SYNCING
    assert {name: (kind.status, kind.progress) for name, kind in types.items()} == {
        "invoices": ("Fetching", 40),
        "bills": ("Complete", 100),
        "items": ("Mapping", 99),
    }


def test_the_history_completes_the_first_sync_when_nothing_runs_any_more() -> None:
    story = Story(linked(10), policy=ASKS)
    story.hear(
        history(
            60,
            dataset("invoices", "Complete", requested=11, completed=40),
            dataset("bills", "FetchError", requested=11, completed=50),
        )
    )
    assert story.state is State.READY
    assert story.told == ["connection.authorized", "initial_sync.completed"]
    assert story.notes[-1].data["data_types"] == {
        "complete": ["invoices"],
        "failed": {"bills": "FetchError"},
    }


def test_the_history_of_an_authorisation_before_says_nothing_of_this_one() -> None:
    story = Story(linked(10), ended(30), relinked(100), policy=ASKS)
    story.hear(history(110, dataset("invoices", "Complete", requested=11, completed=20)))
    assert story.state is State.AUTHORIZED


def test_what_the_history_showed_of_an_authorisation_before_is_dropped_when_its_end_comes_late() -> None:
    """The history was asked while an end and a return were on their way: a data type that was read before
    them was taken for a part of the first sync for good."""
    story = Story(linked(10), policy=ASKS)
    before = dataset("payments", "Complete", requested=20, completed=25)
    failed_now = dataset("invoices", "FetchError", requested=100, completed=140)
    story.hear(history(150, before, failed_now))
    assert story.state is State.READY
    story.hear(relinked(100, known=160), ended(60, known=170))
    assert story.state is State.SYNC_FAILED
    assert story.notes[-1].data["data_types"] == {"complete": [], "failed": {"invoices": "FetchError"}}


def test_a_history_that_showed_only_an_authorisation_before_completes_nothing() -> None:
    story = Story(linked(10), policy=ASKS)
    story.hear(history(150, dataset("invoices", "Complete", requested=11, completed=140)))
    story.hear(relinked(100, known=160), ended(60, known=170))
    assert story.state is State.SYNCING
    assert story.now.outcome is None


def test_what_is_still_being_read_keeps_the_first_sync_open_when_the_end_before_was_missed() -> None:
    """What Codat queued at the moment of a relinking was thrown away with the authorisation before,
    and one ordinary read was taken for the whole first sync."""
    story = Story(linked(10), read(20), relinked(300), policy=ASKS)
    running = dataset("invoices", "Fetching", requested=300)
    story.hear(history(360, running, dataset("payments", "Complete", requested=330, completed=331)))
    assert story.state is State.SYNCING
    assert story.told[-1] == "connection.reauthorized"


def test_of_a_message_about_several_connections_each_takes_what_is_its_own() -> None:
    event = read(20, invoices="MapError")
    assert isinstance(event, InitialReadCompleted)
    event = replace(event, reads=(*event.reads, DataTypeRead("connection-2", "invoices", "Complete")))
    assert event.connection_ids == ("connection-1", "connection-2")
    story = Story(linked(10), event)
    assert story.state is State.SYNC_FAILED
    assert story.connection.data_types["invoices"].status == "MapError"


@pytest.mark.parametrize("initial", [True, False])
def test_a_refused_reading_is_a_doubt_and_asks_codat(initial: bool) -> None:
    event = (read if initial else read_more)(20, invoices="AuthError", bills="Complete")
    story = Story(linked(10), event, policy=ASKS)
    assert story.state is (State.READY if initial else State.SYNCING)
    assert [ask.aspect for ask in story.asks] == [Aspect.CONNECTION]


# What a read proves, and what it does not say


@pytest.mark.parametrize(
    ("types", "state", "complete", "failed"),
    [
        ({"bills": "Error"}, State.SYNC_FAILED, [], {"bills": "Error"}),
        ({"bills": "Unknown", "items": "NotSupported"}, State.SYNC_FAILED, [], {"bills": "Unknown"}),
        ({"bills": "Error", "items": "Complete"}, State.READY, ["items"], {"bills": "Error"}),
        ({"bills": "Error", "items": "Fetching"}, State.SYNCING, [], {}),
    ],
)
def test_an_unknown_status_in_a_message_that_says_completed_is_a_bad_end(
    types: dict[str, Any], state: State, complete: list[str], failed: dict[str, str]
) -> None:
    """A first read whose types all ended in ``Error``, or had no status, counted as still running: the
    connection stayed ``syncing`` for ever, and nobody was told.
    """
    story = Story(linked(10), read(20, **types), policy=NO_KEY)
    assert story.state is state
    if state is not State.SYNCING:
        (reported,) = [
            note.data["data_types"] for note in story.notes if note.type.startswith("initial_sync")
        ]
        assert reported == {"complete": complete, "failed": failed}
    running = [name for name, status in types.items() if status == "Fetching"]
    progress = {name: kind.progress for name, kind in story.connection.data_types.items()}
    assert progress == {name: 0 if name in running else 100 for name in types}


@pytest.mark.parametrize("policy", [NO_KEY, ASKS])
def test_a_read_proves_access_though_nothing_was_heard_before(policy: Policy) -> None:
    """``read.completed`` of a connection that was never heard of, with Codat silent, left it ``pending``."""
    story = Story(read_more(20, invoices="Complete", bills="MapError"), policy=policy)
    if policy.can_ask:
        assert (story.state, [ask.aspect for ask in story.asks]) == (State.PENDING, [Aspect.CONNECTION])
        story.hear(unanswered(81))
    assert (story.state, story.now.authorized_at) == (State.READY, at(20))
    assert story.told == ["connection.authorized", "initial_sync.completed"]
    assert story.notes[-1].data["data_types"] == {"complete": ["invoices"], "failed": {"bills": "MapError"}}
    story.hear(linked(10, known=90))
    assert (story.now.authorization, story.now.authorized_at) == (1, at(10))
    assert len(story.told) == 2


def test_the_first_ordinary_read_after_a_linking_asks_for_the_first_sync_at_once() -> None:
    """Where messages of first reads are not subscribed, only the monitor found out that the first
    sync was over.
    """
    story = Story(linked(10), read_more(20, invoices="Complete"), policy=ASKS)
    assert story.state is State.SYNCING
    assert story.last is not None
    assert story.last.effects == (CompareCompany(COMPANY.id),)
    story = Story(linked(10), read(20), read_more(30, invoices="Complete"), policy=ASKS)
    assert story.last is not None
    assert story.last.effects == ()


def test_a_read_after_an_end_asks_whether_access_was_given_again() -> None:
    story = Story(linked(10), ended(20), read_more(30, invoices="Complete"), policy=ASKS)
    assert (story.state, story.outcome) == (State.DEAUTHORIZED, "doubt")
    assert Aspect.CONNECTION in {ask.aspect for ask in story.asks}


@pytest.mark.parametrize("policy", [NO_KEY, ASKS])
def test_an_alert_of_a_read_is_taken_at_its_word_where_codat_says_nothing(policy: Policy) -> None:
    """The legacy alert of a complete read left a connection ``pending`` of which nothing else was heard."""
    story = Story(alert_of_reads(20, invoices="Complete"), policy=policy)
    if policy.can_ask:
        assert story.state is State.PENDING
        assert [ask.aspect for ask in story.asks] == [Aspect.CONNECTION]
        story.hear(unanswered(81))
    assert story.state is State.READY
    assert story.told == ["connection.authorized", "initial_sync.completed"]
    assert story.notes[-1].data["data_types"]["complete"] == ["invoices"]
