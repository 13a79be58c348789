"""When legacy alerts may be switched off."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.events import Source
from handlers.migration import CLEAN_DAYS, MATCH_WITHIN, ChangeMessage, ChangeSubject, compare_generations

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LINKED, READ = ChangeSubject.LINKED, ChangeSubject.READ


def told(
    days_ago: float, generation: Source, subject: ChangeSubject = LINKED, about: str = "xero"
) -> ChangeMessage:
    """A message so many days ago."""
    return ChangeMessage(NOW - timedelta(days=days_ago), generation, subject, about)


def both(days_ago: float, subject: ChangeSubject = LINKED) -> list[ChangeMessage]:
    """A change told by both."""
    return [told(days_ago, Source.LEGACY, subject), told(days_ago - 0.01, Source.CURRENT, subject)]


def test_it_is_safe_after_enough_days_without_an_alert_alone() -> None:
    report = compare_generations([*both(CLEAN_DAYS + 0.5), *both(2)], NOW)
    assert (report.is_safe, report.obstacles) == (True, ())
    assert [(row.legacy, row.current, row.both, row.legacy_only) for row in report.rows] == [(1, 1, 1, 0)] * 2
    assert [row.day for row in report.rows] == sorted((row.day for row in report.rows), reverse=True)


def test_an_alert_alone_is_an_obstacle_that_names_the_event_types() -> None:
    report = compare_generations([*both(20), told(3, Source.LEGACY), *both(2, READ)], NOW)
    assert not report.is_safe
    assert report.safe_from == NOW - timedelta(days=3) + timedelta(days=CLEAN_DAYS)
    assert report.obstacles == (
        "access given: an alert of 2026-11-25 12:00 UTC came by no current message. Is the consumer"
        " subscribed to connection.connected and connection.reconnected?",
    )
    assert (sum(row.legacy_only for row in report.rows), sum(row.current_only for row in report.rows)) == (
        1,
        0,
    )


def test_days_and_subjects_and_obstacles_have_an_order_whatever_that_of_the_messages() -> None:
    messages = [*both(20), *(told(3, Source.LEGACY, subject) for subject in (LINKED, READ))]
    report, reversed_ = (compare_generations(given, NOW) for given in (messages, messages[::-1]))
    assert report == reversed_
    assert [row.subject for row in report.rows[:2]] == sorted((LINKED, READ))
    assert [text.split(":")[0] for text in report.obstacles] == sorted((LINKED, READ))
    alone = compare_generations([told(3, Source.LEGACY)], NOW).obstacles
    assert (alone[0], len(alone)) == ("No current message has come: register a consumer first.", 2)


@pytest.mark.parametrize(
    ("first", "then"), [(Source.LEGACY, Source.CURRENT), (Source.CURRENT, Source.LEGACY)]
)
def test_both_are_compared_since_the_later_of_them_began(first: Source, then: Source) -> None:
    began, matched = told(20, first), told(5, then)
    report = compare_generations([began, matched, told(4.99, first)], NOW)
    assert report.clean_since == matched.at
    assert report.rows[0].both == 1


def test_another_connection_or_subject_or_hour_is_no_match() -> None:
    alert = told(3, Source.LEGACY)
    later = alert.at + MATCH_WITHIN
    for other in (
        told(3, Source.CURRENT, about="stripe"),
        told(3, Source.CURRENT, READ),
        ChangeMessage(later + timedelta(seconds=1), Source.CURRENT, LINKED, "xero"),
    ):
        rows = compare_generations([alert, other], NOW).rows
        assert (sum(row.legacy_only for row in rows), sum(row.current_only for row in rows)) == (1, 1)
    just = ChangeMessage(later, Source.CURRENT, LINKED, "xero")
    assert compare_generations([alert, just], NOW).rows[0].both == 1


def test_a_fresh_alert_may_still_get_its_message() -> None:
    report = compare_generations([*both(20), told(0.01, Source.LEGACY)], NOW)
    assert report.rows[0].open == 1
    assert report.is_safe


@pytest.mark.parametrize(
    ("messages", "obstacle"),
    [
        ([told(9, Source.LEGACY)], "No current message has come"),
        (both(2), "less than 7 days"),
    ],
)
def test_too_little_is_not_safe(messages: list[ChangeMessage], obstacle: str) -> None:
    report = compare_generations(messages, NOW)
    assert not report.is_safe
    assert obstacle in report.obstacles[0]


def test_without_alerts_there_is_nothing_to_switch_off() -> None:
    report = compare_generations([told(1, Source.CURRENT)], NOW)
    assert (report.is_safe, report.safe_from, report.obstacles) == (False, None, ())


def test_an_alert_of_exactly_the_matching_time_ago_is_alone() -> None:
    report = compare_generations(
        [*both(20), ChangeMessage(NOW - MATCH_WITHIN, Source.LEGACY, LINKED, "xero")], NOW
    )
    assert [(row.open, row.legacy_only) for row in report.rows] == [(0, 1), (0, 0)]


def test_it_is_safe_from_the_very_end_of_the_clean_days_on() -> None:
    report = compare_generations([*both(20), told(CLEAN_DAYS, Source.LEGACY)], NOW)
    assert (report.is_safe, report.safe_from, report.obstacles) == (True, NOW, ())
