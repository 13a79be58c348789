"""What Codat is asked about a connection: the reason, the earliest time and the deadline."""

from datetime import timedelta

import pytest

from handlers.events import Event
from handlers.verification import remaining_lag
from tests.handlers.support.story import (
    ASKS,
    LINKED,
    PENDING,
    UNLINKED,
    Story,
    at,
    ended,
    gone,
    history,
    linked,
    read_claim,
    read_more,
    seen,
)

NOT_SHOWN = "Codat does not show the connection, of which it told less than a minute before"


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([linked(10), ended(20)], "connection.deauthorized is checked before it is told"),
        ([linked(10), seen(20, UNLINKED)], "Codat may not show the last change yet"),
        (
            [linked(10), read_claim(20), read_more(25, bills="FetchError")],
            "an alert without a time waits for Codat's word",
        ),
        ([linked(10), gone(30)], NOT_SHOWN),
    ],
)
def test_a_question_says_why_it_is_asked(events: list[Event], reason: str) -> None:
    assert [ask.reason for ask in Story(*events, policy=ASKS).asks] == [reason]


def test_a_message_about_an_unknown_company_asks_and_an_answer_of_codat_does_not() -> None:
    story = Story(policy=ASKS)
    story.hear(linked(10), company_known=False)
    assert [ask.reason for ask in story.asks] == ["the company is unknown to us"]
    for answer in (seen(80, LINKED), history(90)):
        story.hear(answer, company_known=False)
        assert story.asks == []


def test_of_two_reasons_to_ask_the_first_is_said_and_the_earliest_times_count() -> None:
    story = Story(linked(10), policy=ASKS)
    story.hear(gone(30))
    assert [(ask.not_before, ask.deadline) for ask in story.asks] == [(at(50), at(110))]
    story.hear(gone(30), company_known=False)
    assert [(ask.reason, ask.not_before, ask.deadline) for ask in story.asks] == [(NOT_SHOWN, at(30), at(90))]


def test_an_answer_that_contradicts_the_last_change_is_not_certain_for_a_minute() -> None:
    connection = Story(linked(10), seen(40, UNLINKED)).connection
    for answer, lag_s in ((seen(40, UNLINKED), 30), (seen(35, UNLINKED), 0), (seen(40, LINKED), 0)):
        assert remaining_lag(connection.history, connection, answer) == timedelta(seconds=lag_s)


def test_data_read_by_a_clock_ahead_of_ours_has_codat_asked_a_few_times() -> None:
    """It was asked every three seconds, about every such connection, until the claim was overdue."""
    story, questions = Story(read_more(300, known=10, bills="Complete"), policy=ASKS), 0
    while story.connection.claims:
        second = (story.asks[0].not_before - at(0)).total_seconds()
        story.hear(seen(second + 290, PENDING, known=second))
        questions += 1
    assert questions == 4
