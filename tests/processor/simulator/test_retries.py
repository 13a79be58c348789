"""The schedules, unscaled."""

from datetime import UTC, datetime

import pytest

from processor.simulator.config import Generation
from processor.simulator.retries import ReceiverAnswer, next_delay_s, parse_retry_after

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize("generation", [Generation.CURRENT, Generation.MIGRATED])
def test_the_current_service_tries_eight_times_within_28_hours(generation: Generation) -> None:
    delays = [next_delay_s(generation, attempt, ReceiverAnswer(500), 1.0) for attempt in range(1, 9)]
    assert delays == [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000, None]
    assert sum(delay for delay in delays if delay is not None) / 3_600 == pytest.approx(27.6, abs=0.1)


@pytest.mark.parametrize("status", [300, 301, 400, 401, 410, 422, 429, 500, 503, None])
def test_the_current_service_tries_again_on_anything_but_success(status: int | None) -> None:
    assert next_delay_s(Generation.CURRENT, 1, ReceiverAnswer(status), 1.0) == 5


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success_ends_it(status: int) -> None:
    for generation in Generation:
        assert next_delay_s(generation, 1, ReceiverAnswer(status), 1.0) is None


def test_legacy_alerts_are_tried_three_times_more_within_two_minutes() -> None:
    delays = [next_delay_s(Generation.LEGACY, attempt, ReceiverAnswer(503), 1.0) for attempt in range(1, 5)]
    assert delays[3] is None
    assert sum(delay for delay in delays if delay is not None) <= 120


def test_legacy_alerts_honour_retry_after_unscaled_and_the_current_service_does_not() -> None:
    answer = ReceiverAnswer(503, retry_after_s=3.0)
    assert next_delay_s(Generation.LEGACY, 1, answer, 0.001) == 3.0
    assert next_delay_s(Generation.CURRENT, 1, answer, 0.1) == 0.5
    assert next_delay_s(Generation.LEGACY, 1, ReceiverAnswer(503, retry_after_s=9_999), 1.0) == 120
    assert next_delay_s(Generation.LEGACY, 4, answer, 1.0) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        ("Sun, 22 Nov 2026 15:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 14:00:00 GMT", 0.0),
        ("soon", None),
        ("²", None),
        ("Sun, 22 Nov 2026 99999999999999999999:00:30 GMT", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds
