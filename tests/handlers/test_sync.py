"""What the handlers of reads say: facts, doubts and what Codat is asked."""

from dataclasses import replace

import pytest

from handlers.events import Aspect, Event
from handlers.registry import Policy
from tests.handlers.support.story import (
    ASKS,
    NO_KEY,
    Story,
    dataset,
    deleted,
    ended,
    history,
    linked,
    read,
    read_claim,
    read_more,
)
from tests.handlers.test_limits import handled

REFUSED = "the platform refused access while reading items"
GIVEN = "data was read, so access was given"


@pytest.mark.parametrize(
    ("items", "doubt"),
    [("Complete", "data was read although access had ended, as far as we know"), ("AuthError", REFUSED)],
)
def test_a_read_after_access_had_ended_asks_why(items: str, doubt: str) -> None:
    result = handled(Story(linked(10), ended(20)), read_more(30, bills="Complete", items=items))
    assert result.doubt == doubt
    assert [(question.aspect, question.reason) for question in result.questions] == [
        (Aspect.CONNECTION, doubt)
    ]


def test_a_read_without_a_known_access_says_that_access_was_given() -> None:
    event = read_more(20, bills="Complete", items="AuthError")
    assert handled(Story(), event, NO_KEY).remark == GIVEN
    result = handled(Story(), event, ASKS)
    assert result.remark == f"{GIVEN}: Codat is asked"
    assert [question.reason for question in result.questions] == [REFUSED, GIVEN]


def test_two_messages_of_one_first_sync_are_one_whatever_the_order_of_their_data_types() -> None:
    story = Story(linked(10), read(20, items="Complete", bills="Complete"))
    story.hear(read(20, id="again", bills="Complete", items="Complete"))
    assert (len(story.connection.facts), story.outcome) == (2, "twin")


def test_a_first_sync_after_access_had_ended_is_a_doubt() -> None:
    result = handled(Story(linked(10), ended(20)), read(30))
    assert result.doubt == "a first sync was read although access had ended, as far as we know"


SYNCED = "the alert says that the first sync is complete: Codat is asked for the history"


@pytest.mark.parametrize(
    ("before", "whole_company", "policy", "remark", "doubt"),
    [
        ([linked(10), deleted(20)], False, ASKS, "the connection is deleted for good", None),
        ([linked(10), read(20)], False, ASKS, "the first sync is known to be complete already", None),
        ([], True, ASKS, "the alert means the linked connections of the company", None),
        ([linked(10)], False, ASKS, SYNCED, None),
        ([linked(10)], False, NO_KEY, "taken at its word; the connection was Linked", None),
        (
            [linked(10), read(20), ended(30)],
            False,
            NO_KEY,
            "taken at its word; the connection was Deauthorized",
            "a first sync is claimed although access had ended",
        ),
    ],
)
def test_an_alert_of_a_first_sync_says_what_it_means(
    before: list[Event], whole_company: bool, policy: Policy, remark: str, doubt: str | None
) -> None:
    result = handled(Story(*before), read_claim(50, whole_company=whole_company), policy)
    assert (result.remark, result.doubt) == (remark, doubt)
    asked = ["an alert says that the first sync is complete"] if remark == SYNCED else []
    assert [question.reason for question in result.questions] == asked


@pytest.mark.parametrize(
    ("status", "remark", "reasons"),
    [
        (None, "Codat's history has nothing of this authorisation yet", []),
        ("Fetching", "Codat is still reading bills, items", []),
        ("Complete", "Codat's history shows the first sync complete", []),
        (
            "AuthError",
            "Codat's history shows the first sync complete",
            ["the platform refused access while reading bills, items"],
        ),
    ],
)
def test_codats_history_says_what_it_shows(status: str | None, remark: str, reasons: list[str]) -> None:
    rows = [dataset("items", status, requested=11), dataset("bills", status, requested=12)] if status else []
    result = handled(Story(linked(10)), history(50, *rows))
    assert (result.remark, [question.reason for question in result.questions]) == (remark, reasons)
    for sync in result.facts:
        assert sync.types == (("bills", status), ("items", status))


def test_of_codats_history_the_newest_row_of_each_data_type_of_the_connection_counts() -> None:
    newer = replace(dataset("bills", "Complete", requested=31, completed=40), message="read")
    older = dataset("bills", "MapError", requested=12, completed=20)
    other = replace(dataset("items", "Complete", requested=50, completed=60), connection_id="connection-2")
    (row,) = handled(Story(linked(10)), history(70, newer, older, other)).data_types
    assert (row.status, row.message) == ("Complete", "read")


def test_what_codat_says_of_a_data_type_stays_with_it() -> None:
    event = read_more(20, bills="MapError")
    told = replace(event, reads=(replace(event.reads[0], message="Unmapped."),))  # type: ignore[attr-defined,call-arg]
    assert [row.message for row in handled(Story(linked(10)), told).data_types] == ["Unmapped."]
