"""An empty store is refilled from Codat, and nobody is told anything."""

import itertools

import pytest

from processor.codat.quota import Quota
from processor.errors import CodatRateLimited, Conflict
from processor.store import keys, truth_keys
from processor.truth.budget import Rank
from tests.support import messages

STEPS = (
    (),
    ("authorize",),
    ("authorize", "start-sync"),
    ("authorize", "complete-sync"),
    ("authorize", "complete-sync", "deauthorize"),
    ("authorize", "unlink"),
    ("fail",),
)


def fill(truth, count):
    """Companies with a connection each, in every state."""
    made = []
    for number, steps in zip(range(count), itertools.cycle(STEPS), strict=False):
        company = truth.company(f"Shop {number}")
        connection = truth.connect(company)
        for step in steps:
            truth.change(connection, step)
        made.append((company, connection))
    truth.clock.forward(60)
    return made


def rebuild(truth, **how):
    parts = truth.parts(**how).rebuild
    outcomes = list(parts.run(parts.prepare()))
    truth.settle(for_s=120)
    return parts, outcomes


def test_five_hundred_companies_come_back_without_one_notification(truth):
    made = fill(truth, 500)
    began = truth.clock()

    parts, _ = rebuild(truth)

    assert (parts.done, parts.problems) == (500, [])
    assert truth.ours() == truth.truth()
    assert truth.bench.told() == []
    assert truth.bench.client.zcard(keys.outbox()) == 0
    assert truth.bench.client.zcard(keys.companies()) == 500
    assert truth.bench.reader.company_of("m-Shop 17") == made[17][0]
    assert truth.count("missed_messages") == 0
    most = _most_in_a_minute([at for at, _ in truth.wire.requests if at >= began])
    assert most <= 1_000
    decisions = [
        decision
        for _, connection in made
        for line in truth.bench.timeline(connection)
        for decision in line["decisions"]
    ]
    assert {decision["verdict"] for decision in decisions} == {"known"}
    assert not truth.bench.client.exists(truth_keys.rebuild(), truth_keys.rebuilt())


def _most_in_a_minute(moments):
    return max(sum(0 <= (one - start).total_seconds() < 60 for one in moments) for start in moments[::20])


def test_what_happens_afterwards_is_told_once(truth):
    made = dict(zip(STEPS, fill(truth, len(STEPS)), strict=True))
    rebuild(truth)
    (company, syncing), (other, ready) = made["authorize", "start-sync"], made["authorize", "complete-sync"]

    # the messages of before come again, as when Codat replays what we lost
    truth.bench.handle(
        messages.connected(company, syncing, at=truth.clock()),
        messages.connected(other, ready, at=truth.clock()),
    )
    truth.settle(for_s=120)
    assert truth.bench.told() == []

    truth.change(syncing, "complete-sync")
    truth.run(for_s=120)
    truth.change(ready, "unlink")
    at = truth.clock()
    truth.clock.forward(5)
    truth.bench.handle(messages.disconnected(other, ready, status="Unlinked", at=at))
    truth.settle(for_s=120)

    assert truth.bench.told_types(syncing) == ["initial_sync.completed"]
    assert truth.bench.told_types(ready) == ["connection.unlinked"]


@pytest.mark.parametrize("after", [1, 100, 199])
def test_an_interrupted_rebuild_goes_on_where_it_was(truth, after):
    fill(truth, 200)
    done = 0

    def stop():
        return done >= after

    parts = truth.parts(stop=stop).rebuild
    for outcome in parts.run(parts.prepare()):
        done += outcome.problem is None
        if stop():
            break  # as Ctrl-C does
    truth.settle()
    finished = truth.bench.client.scard(truth_keys.rebuilt())
    assert after <= finished <= 200
    requests = len(truth.wire.requests)

    again, outcomes = rebuild(truth)

    assert len(outcomes) == 200 - finished
    assert len(truth.wire.requests) - requests <= 1 + len(outcomes)
    assert again.done == 200
    assert truth.ours() == truth.truth()
    assert truth.bench.told() == []


def test_a_rebuild_that_codat_stops_names_the_problem_and_goes_on_later(truth):
    fill(truth, 20)
    truth.fault(path="/data/history", status=503, count=20)

    parts, _ = rebuild(truth)
    assert 0 < len(parts.problems) < 20
    assert truth.bench.client.exists(truth_keys.rebuild())

    again, _ = rebuild(truth)
    assert again.problems == []
    assert truth.ours() == truth.truth()
    assert truth.bench.told() == []


def test_a_rebuild_waits_where_the_budget_or_codat_says_so(truth):
    fill(truth, 150)
    truth.fault(path="/data/history", status=429, retry_after_s=20, count=16)

    parts, _ = rebuild(truth)

    assert parts.problems == []
    assert truth.ours() == truth.truth()
    assert max(truth.waits) == 20


def test_a_store_that_is_not_empty_is_left_alone(truth):
    truth.bench.handle(messages.connected("company-1", "connection-1", at=truth.clock()))

    with pytest.raises(Conflict, match="reconcile"):
        truth.parts().rebuild.prepare()


def test_a_rebuild_and_the_sweep_do_not_tell_each_others_news(truth):
    """The clock ticks while an operator rebuilds."""
    fill(truth, 60)
    parts = truth.parts().rebuild
    for place, _ in enumerate(parts.run(parts.prepare())):
        if place % 20 == 0:
            truth.run(for_s=60)

    truth.run(for_s=600)

    assert truth.bench.told() == []
    assert truth.ours() == truth.truth()


def test_a_rebuild_stays_within_the_quota_of_the_day(truth):
    """Background work leaves the last fifth; what is left is done another day."""
    fill(truth, 10)
    truth.budget.give(truth.budget.take(Rank.CHECK), Quota(truth.clock(), 1_000, 200))

    with pytest.raises(CodatRateLimited):
        truth.parts().rebuild.prepare()

    assert truth.wire.requests == []
