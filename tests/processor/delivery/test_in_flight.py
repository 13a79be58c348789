"""How many attempts may be under way at one receiver."""

from processor.delivery.in_flight import MOST_AT_ONCE, QUICK_MS, SLOW_MS, InFlightLimit
from processor.delivery.retry_schedule import AT_ONCE


def limit_after(*attempts: tuple[bool, int, bool]) -> int:
    """The limit after attempts: whether each succeeded, its milliseconds, and whether the lane was full."""
    limit = InFlightLimit()
    for succeeded, duration_ms, full in attempts:
        limit.note(succeeded=succeeded, duration_ms=duration_ms, full=full)
    return limit.value


def test_a_new_receiver_is_given_ten() -> None:
    assert limit_after() == AT_ONCE == 10


def test_a_quick_one_is_given_twice_as_much_each_round_up_to_64() -> None:
    assert limit_after(*[(True, QUICK_MS, True)] * 10) == 20
    assert limit_after(*[(True, 0, True)] * 100) == MOST_AT_ONCE == 64


def test_what_is_not_used_is_not_raised() -> None:
    assert limit_after(*[(True, 0, False)] * 100) == AT_ONCE


def test_one_that_is_neither_quick_nor_slow_keeps_what_it_has() -> None:
    quick = [(True, 0, True)] * 5
    assert limit_after(*quick, (True, QUICK_MS + 1, True), (True, SLOW_MS, True)) == 15


def test_a_slow_or_failing_one_is_given_half_and_never_less_than_ten() -> None:
    quick = [(True, 0, True)] * 54
    for bad in ((True, SLOW_MS + 1, True), (False, 0, True)):
        assert [limit_after(*quick, *[bad] * times) for times in range(5)] == [64, 32, 16, 10, 10]


def test_after_that_it_is_given_one_more_each_round() -> None:
    limit = InFlightLimit()
    limit.note(succeeded=False, duration_ms=0, full=True)
    for expected in (11, 12, 13):
        for _ in range(limit.value + 1):
            limit.note(succeeded=True, duration_ms=0, full=True)
        assert limit.value == expected
