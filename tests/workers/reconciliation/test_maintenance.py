"""The tasks of the maintenance, and when they are due."""

from collections import Counter

from processor.store import keys
from tests.support.counting import commands
from tests.support.truth import TruthBench


def test_where_nothing_is_due_one_command_reads_it(truth: TruthBench) -> None:
    """Each task was looked at by two commands, every second."""
    assert truth.sweep.run() > 3
    before = Counter(commands(truth.bench.client))
    assert truth.sweep.run() == 0
    sent = Counter(commands(truth.bench.client)) - before
    assert {name: count for name, count in sent.items() if name != "info"} == {"hsetnx": 1, "hmget": 1}


def test_a_task_runs_again_after_its_interval_and_not_before(truth: TruthBench) -> None:
    truth.sweep.run()
    truth.clock.forward(44)
    assert truth.sweep.run() == 0
    truth.clock.forward(1)
    assert truth.sweep.run() == 1, "the probe"
    truth.clock.forward(15)
    assert truth.sweep.run() == 4, "erasures, messages, reminders, and the first walk"


def test_a_damaged_time_means_now_and_keeps_no_other_task(truth: TruthBench) -> None:
    truth.sweep.run()
    truth.bench.client.hset(keys.sweep(), mapping={"probe_ms": "garbage", "walk_ms": "9" * 5_000})
    truth.clock.forward(1)
    assert truth.sweep.run() == 2
    assert truth.sweep.run() == 0
