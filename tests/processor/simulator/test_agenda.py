"""The list of things to do."""

import logging
import threading
import time
from functools import partial

import pytest

from processor.simulator.agenda import Agenda


def test_entries_run_in_the_order_in_which_they_are_due() -> None:
    agenda, done, begin = Agenda("test"), list[int](), threading.Event()

    def hold_up() -> None:
        begin.wait(60)

    agenda.add(hold_up)
    agenda.add(partial(done.append, 50))
    for number in range(50):
        agenda.add(partial(done.append, number), in_s=-3_600)
    begin.set()
    assert agenda.wait_until_idle(60)
    assert done == list(range(51))
    agenda.stop()


def test_an_entry_does_not_run_before_it_is_due() -> None:
    agenda, ran_at = Agenda("test"), list[float]()
    before = time.monotonic()
    agenda.add(lambda: ran_at.append(time.monotonic()), in_s=0.05)
    assert agenda.wait_until_idle(60)
    assert ran_at[0] - before >= 0.05
    agenda.stop()


def test_an_entry_that_raises_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    agenda, done = Agenda("test"), threading.Event()

    def raise_something() -> None:
        raise ValueError("on purpose")

    with caplog.at_level(logging.ERROR):
        agenda.add(raise_something)
        agenda.add(done.set)
        assert done.wait(60)
    assert "on purpose" in caplog.text
    agenda.stop()


def test_what_an_entry_adds_counts_before_it_is_idle() -> None:
    agenda, done = Agenda("test"), threading.Event()
    agenda.add(lambda: agenda.add(done.set, in_s=0.05))
    assert agenda.wait_until_idle(60)
    assert done.is_set()
    agenda.stop()


def test_nothing_runs_after_the_stop() -> None:
    agenda, done = Agenda("test"), threading.Event()
    agenda.add(done.set, in_s=60)
    assert agenda.size() == 1
    agenda.stop()
    agenda.add(done.set)
    assert agenda.size() == 0
    assert not done.is_set()


def test_several_threads_run_entries_side_by_side() -> None:
    agenda, meeting = Agenda("test", threads=3), threading.Barrier(3, timeout=60)

    def meet() -> None:
        meeting.wait()

    for _ in range(3):
        agenda.add(meet)
    assert agenda.wait_until_idle(60)
    assert not meeting.broken
    agenda.stop()
