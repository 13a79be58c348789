"""The short cut of ``make faults``: each kill once, faults of the engine for a second."""

import os

import pytest

from tests.reliability import engine_faults, failovers, fault_points, histories, kills, report
from tests.reliability.outside import judge, traffic
from tests.support.effort import in_turn
from tests.support.service import until

RATE = 6.0
"""Messages a second: as few as a small machine carries beside everything else."""

pytestmark = pytest.mark.timeout(600)


def test_no_kill_loses_a_message_or_decides_it_twice() -> None:
    killed = kills.run(1, everything=1, rate=RATE)

    assert killed.faults.total() == 0, killed.faults
    assert killed.accepted > 0
    assert set(killed.recoveries) >= set(fault_points.POINTS)
    assert all(killed.recoveries.values())


def test_no_fault_of_the_engine_loses_a_message_or_makes_another_answer_than_503() -> None:
    names = in_turn(engine_faults.FAULTS, 2)
    outages, faults = engine_faults.run(1.0, rate=RATE, names=names)

    assert faults.total() == 0, faults
    assert [outage.name for outage in outages] == names
    for outage in outages:
        assert set(outage.statuses) <= {0, 202, 503}, outage
        assert set(outage.statuses) & {0, 503}, outage


@pytest.mark.parametrize("engines", in_turn([failovers.Watched, failovers.Clustered], 2))
def test_a_primary_that_dies_costs_no_message(
    engines: type[failovers.Watched] | type[failovers.Clustered],
) -> None:
    chapter = failovers.chapter(engines, 1, rate=RATE)

    assert chapter.faults.total() == 0, chapter.faults
    assert "| accepted messages lost | 0 |" in report.text([chapter])


def test_histories_in_any_disorder_end_like_in_order_while_workers_are_killed() -> None:
    lived = histories.run(8, int(os.environ["HISTORIES_SEED"]), alerts=False)

    assert not lived.faults.total(), "\n".join([f"HISTORIES_SEED={lived.seed}", *lived.stories])
    assert lived.kills > 0


def test_the_judge_notices_what_is_missing_and_what_is_there_twice() -> None:
    with traffic() as (service, sent, subscriber):
        until(lambda: sent.connections >= 2)
        sent.stop()
        assert judge(service, sent, subscriber).total() == 0

        sent.accepted += ["never-sent-1", "never-sent-2", "never-sent-3"]
        with service.redis() as redis:
            (_, fields), *_, (newest, _) = redis.xrange("codat:notifications")
            redis.xadd("codat:notifications", fields)
            redis.xdel("codat:notifications", newest)
        faults = judge(service, sent, subscriber)

    assert faults["accepted messages lost"] == 3
    assert faults["milestones not told"] == 2
    assert faults["stream entries missing"] == 1
    assert faults["stream entries double or of nothing"] == 1
