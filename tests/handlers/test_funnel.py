"""How far a connection came, where it stopped, and what is counted of it."""

from dataclasses import replace

import pytest

from handlers.connection import Connection
from handlers.events import ConnectionFailed, Event, Problem
from handlers.funnel import LEFT_WITHOUT_CHOICE, Step, opened, progress_of, summary
from tests.handlers.support.story import (
    DEAUTHORIZED,
    LINKED,
    Story,
    at,
    created,
    ended,
    failed,
    history,
    linked,
    read,
    read_claim,
    read_more,
    seen,
)


def connection_after(*events: Event) -> Connection:
    return Story(*events).connection


def cancelled(second: float, code: str | None) -> Event:
    event = failed(second)
    assert isinstance(event, ConnectionFailed)
    return replace(event, problem=Problem(code, "status", "message") if code else None)


def test_each_step_has_the_time_at_which_it_was_reached_first() -> None:
    connection = connection_after(created(5), failed(10), linked(20), read(30, bills="MapError"), read(40))
    progress = progress_of(connection, at(5))
    assert progress.times == {
        Step.CHOSEN: at(5),
        Step.AT_CODAT: at(10),
        Step.AUTHORIZED: at(20),
        Step.READ: at(30),
        Step.READY: at(40),
    }
    assert (progress.stop, progress.reason) == ("", "")
    assert progress_of(connection, at(5), at(7)).times[Step.AT_CODAT] == at(7)
    assert (progress.platform, progress.source_type) == (connection.platform_name, connection.source_type)
    unnamed = replace(connection, platform_name=None, platform_key=None, source_type=None)
    assert (progress_of(unnamed, at(5)).platform, progress_of(unnamed, at(5)).source_type) == (
        "unknown",
        "unknown",
    )
    assert progress_of(replace(unnamed, platform_key="gbol"), at(5)).platform == "gbol"


def test_access_that_was_only_seen_was_given() -> None:
    assert progress_of(connection_after(seen(20, LINKED)), at(5)).times[Step.AUTHORIZED] == at(20)


def test_what_was_summed_up_counts() -> None:
    for connection in (connection_after(linked(20), read(30), ended(40)), connection_after(ended(40))):
        summed_up = replace(connection, facts=(), base=connection.history)
        assert progress_of(summed_up, at(5)).times == progress_of(connection, at(5)).times


def test_a_first_sync_of_an_alert_was_ready_and_what_came_before_the_choice_took_no_time() -> None:
    progress = progress_of(connection_after(linked(1), read_claim(20.123_456)), at(5))
    assert progress.times[Step.READY] == at(20.123_456)
    assert summary([progress]).median_s == {
        Step.AT_CODAT: 0.0,
        Step.AUTHORIZED: 0.0,
        Step.READ: 15.123,
        Step.READY: 15.123,
    }


@pytest.mark.parametrize(
    ("events", "sent", "is_back", "stop", "reason"),
    [
        ([created(5)], False, False, "left before Codat", ""),
        ([created(5)], True, False, "never came back", ""),
        ([created(5)], True, True, "left Codat without authorising", ""),
        ([cancelled(10, "403")], False, False, "cancelled", ""),
        ([cancelled(10, "500")], False, False, "error while authorising", "500"),
        ([cancelled(10, "<b>")], False, False, "error while authorising", ""),
        ([cancelled(10, None)], False, False, "error while authorising", ""),
        ([linked(10)], False, False, "first sync under way", ""),
        ([linked(10), history(500)], False, False, "nothing is read", ""),
        ([linked(10), read(20, bills="MapError", items="MapError")], False, False, "sync failed", "MapError"),
        (
            [
                linked(10),
                read(20, a="MapError", b="FetchError", c="Cancelled", d="RateLimitError", e="AuthError"),
            ],
            False,
            False,
            "sync failed",
            "AuthError, Cancelled, FetchError, MapError, RateLimitError",
        ),
        ([linked(10), read_more(20, bills="Complete")], False, False, "first sync under way", ""),
        ([linked(10), ended(20, DEAUTHORIZED)], False, False, "deauthorized before the first sync", ""),
    ],
)
def test_a_connection_that_is_not_ready_stopped_somewhere(
    events: list[Event], sent: bool, is_back: bool, stop: str, reason: str
) -> None:
    progress = progress_of(connection_after(*events), at(5), at(6) if sent else None, is_back=is_back)
    assert (progress.stop, progress.reason) == (stop, reason)


def test_a_summary_counts_and_takes_medians() -> None:
    members = [
        progress_of(connection_after(linked(10), read(40)), at(5)),
        progress_of(connection_after(linked(20)), at(5)),
        progress_of(connection_after(cancelled(30, "500")), at(5)),
        progress_of(connection_after(linked(1)), at(5)),
    ]
    companies = [opened(at(0), at(8)), opened(at(0), None)]
    assert companies[1].stop == LEFT_WITHOUT_CHOICE
    row = summary(members, companies)
    assert row.counts == {
        Step.OPENED: 2,
        Step.CHOSEN: 4,
        Step.AT_CODAT: 4,
        Step.AUTHORIZED: 3,
        Step.READ: 1,
        Step.READY: 1,
    }
    assert row.median_s == {
        Step.CHOSEN: 8.0,
        Step.AT_CODAT: 10.0,
        Step.AUTHORIZED: 5.0,
        Step.READ: 35.0,
        Step.READY: 35.0,
    }
    assert row.stops == {
        "error while authorising": 1,
        "first sync under way": 2,
        LEFT_WITHOUT_CHOICE: 1,
    }
    assert row.reasons == {"error while authorising: 500": 1}
    assert list(row.stops) == sorted(row.stops)
    others = [progress_of(connection_after(cancelled(30, code)), at(5)) for code in ("502", "500")]
    assert [reason[-3:] for reason in summary(others).reasons] == ["500", "502"]
    assert (companies[1].platform, companies[1].source_type) == ("", "")
    assert summary([]).median_s == {}
    assert companies[1].day == at(0).date()


def test_a_read_after_the_end_counts_also_when_facts_were_summed_up() -> None:
    """A first sync whose message came after the end was left out once it was summed up: the step was lost."""
    few = connection_after(linked(10), ended(20, DEAUTHORIZED), read(30))
    many = connection_after(
        linked(10), ended(20, DEAUTHORIZED), read(30), *(failed(100 + number) for number in range(70))
    )
    assert many.compacted_until is not None
    assert progress_of(many, at(5)).times == progress_of(few, at(5)).times
    assert progress_of(many, at(5)).times[Step.READ] == at(30)
