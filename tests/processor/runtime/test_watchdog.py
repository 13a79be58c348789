"""Who hangs is noticed, and nobody else is blamed."""

import os
from collections.abc import Iterator

import pytest

from processor.runtime.watchdog import (
    HUNG_AFTER_S,
    PROGRESS_TIMEOUT_S,
    STARTUP_S,
    SUSPENDED_AFTER_S,
    Pulse,
    Watchdog,
)


class Time:
    """A clock that only the test moves."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def dog(time: Time) -> Iterator[Watchdog]:
    made = Watchdog(time)
    yield made
    for index in range(2):
        made.close(index)


def after(dog: Watchdog, time: Time, seconds: float) -> list[int]:
    """Who hangs, looked at every second for so long."""
    hung: list[int] = []
    for _ in range(int(seconds)):
        time.pass_s(1)
        hung = dog.hung()
    return hung


def test_one_that_falls_silent_hangs_and_the_other_does_not(dog, time) -> None:
    """A hung drain was invisible for 80 s, and nobody restarted it."""
    silent, lively = dog.open(0), dog.open(1)
    for pipe in (silent, lively):
        os.write(pipe, b".")
    hung = []
    for _ in range(int(HUNG_AFTER_S) + 2):
        os.write(lively, b".")
        hung += after(dog, time, 1)

    assert hung == [0]


def test_one_that_starts_has_longer(dog, time) -> None:
    dog.open(0)
    assert after(dog, time, STARTUP_S) == []
    assert after(dog, time, HUNG_AFTER_S + 1) == [0]


def test_a_machine_that_stood_still_blames_nobody(dog, time) -> None:
    """A stopped machine goes on with the supervisor first: it would kill every child."""
    os.write(dog.open(0), b".")
    assert after(dog, time, 1) == []
    time.pass_s(1_000 * SUSPENDED_AFTER_S)

    assert dog.hung() == []
    assert after(dog, time, HUNG_AFTER_S) == []
    assert after(dog, time, 1) == [0]


def test_one_that_ended_is_watched_no_more(dog, time) -> None:
    os.close(dog.open(0))
    dog.close(0)
    assert after(dog, time, STARTUP_S + HUNG_AFTER_S + 1) == []


def test_slow_work_that_said_so_makes_progress_as_long_as_it_said(time) -> None:
    pulse = Pulse(time)
    pulse.beat(within_s=300)
    time.pass_s(300 - PROGRESS_TIMEOUT_S)
    assert pulse.silent_s() == 0
    time.pass_s(PROGRESS_TIMEOUT_S)
    assert pulse.silent_s() == PROGRESS_TIMEOUT_S


def test_silence_is_counted_from_the_last_step(time) -> None:
    pulse = Pulse(time)
    time.pass_s(5)
    pulse.beat()
    time.pass_s(7)
    assert pulse.silent_s() == 7
