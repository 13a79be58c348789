"""Texts of the operators' pages: every term, times, and spans."""

from datetime import timedelta

import pytest

from handlers.effects import DecisionOutcome
from handlers.timeline import TimelineOutcome
from processor.delivery.lane import Mode
from processor.delivery.serializers import DELIVERY_STATUSES
from processor.resources.queries import STATES
from processor.resources.serializers import NOTIFICATION_STATUSES
from processor.store.message_records import EVENT_STATUSES
from processor.web.ops import copy
from tests.processor.web.v1.filling import START


@pytest.mark.parametrize(
    ("table", "terms"),
    [
        (copy.STATES, STATES),
        (copy.OUTCOMES, [outcome.value for outcome in TimelineOutcome]),
        (copy.VERDICTS, [outcome.value for outcome in DecisionOutcome]),
        (copy.EVENTS, EVENT_STATUSES),
        (copy.NOTIFICATIONS, NOTIFICATION_STATUSES),
        (copy.DELIVERIES, DELIVERY_STATUSES),
        (copy.LANES, [mode.value for mode in Mode]),
    ],
)
def test_every_term_is_explained(table: dict[str, copy.TermText], terms: list[str]) -> None:
    assert set(terms) <= set(table)
    assert all(text.meaning and text.tone in ("good", "wait", "bad", "calm") for text in table.values())


def test_a_term_that_came_later_is_shown_without_a_meaning() -> None:
    assert copy.term(copy.STATES, "brand-new") == copy.UNKNOWN


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"), (200_000, "2 d")],
)
def test_spans_are_short(seconds: float, text: str) -> None:
    assert copy.span(seconds) == text


def test_times_are_told_twice() -> None:
    assert copy.date("2026-11-22T15:04:05.123456Z") == "22 Nov 2026, 15:04:05 UTC"
    assert copy.ago(START, START) == "just now"
    assert copy.ago(START, START + timedelta(minutes=3)) == "3 min ago"
    assert copy.ago(START + timedelta(hours=5), START) == "in 5 h"
    assert (copy.date("no time"), copy.ago("no time", START)) == ("no time", "")
