"""What the operators' pages say: every term, times, and spans."""

from datetime import timedelta

import pytest

from handlers.effects import Verdict
from handlers.explain import Outcome
from processor.delivery.lane import Mode
from processor.delivery.told import DELIVERY_STATUSES
from processor.lookups import STATES
from processor.store.decoding import EVENT_STATUSES
from processor.views import NOTIFICATION_STATUSES
from processor.web.ops import words
from tests.processor.web.v1.filling import START


@pytest.mark.parametrize(
    ("table", "terms"),
    [
        (words.STATES, STATES),
        (words.OUTCOMES, [one.value for one in Outcome]),
        (words.VERDICTS, [one.value for one in Verdict]),
        (words.EVENTS, EVENT_STATUSES),
        (words.NOTIFICATIONS, NOTIFICATION_STATUSES),
        (words.DELIVERIES, DELIVERY_STATUSES),
        (words.LANES, [one.value for one in Mode]),
    ],
)
def test_every_term_is_explained(table: dict[str, words.Word], terms: list[str]) -> None:
    assert set(terms) <= set(table)
    assert all(word.meaning and word.tone in ("good", "wait", "bad", "calm") for word in table.values())


def test_a_term_that_came_later_is_shown_without_a_meaning() -> None:
    assert words.word(words.STATES, "brand-new") == words.UNKNOWN


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"), (200_000, "2 d")],
)
def test_spans_are_short(seconds: float, text: str) -> None:
    assert words.span(seconds) == text


def test_times_are_told_twice() -> None:
    assert words.date("2026-11-22T15:04:05.123456Z") == "22 Nov 2026, 15:04:05 UTC"
    assert words.ago(START, START) == "just now"
    assert words.ago(START, START + timedelta(minutes=3)) == "3 min ago"
    assert words.ago(START + timedelta(hours=5), START) == "in 5 h"
    assert (words.date("no time"), words.ago("no time", START)) == ("no time", "")
