"""A store that is new is refilled from Codat, and nobody is told what was there before."""

import itertools
from datetime import timedelta

import pytest

from processor.codat.http_headers import Quota
from processor.codat.rate_limit import Priority
from processor.errors import CodatError, CodatRateLimited, Conflict
from processor.reconciliation.listing_scan import PAGE_SIZE
from processor.store import keys
from tests.support import cells, messages
from tests.support.counting import everything
from tests.support.effort import IN_CI

MANY = 500 if IN_CI else PAGE_SIZE + 1
"""Companies of a client: more than a page."""

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


def test_many_companies_come_back_without_one_notification(truth):
    made = fill(truth, MANY)
    began = truth.clock()

    parts, _ = rebuild(truth)

    assert (parts.completed, parts.failures) == (MANY, [])
    assert truth.ours() == truth.truth()
    assert truth.bench.told() == []
    assert cells.count(truth.bench.client, keys.outbox) == 0
    assert cells.count(truth.bench.client, keys.companies) == MANY
    assert truth.bench.reader.current_company_id("m-Shop 17") == made[17][0]
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
    assert not truth.bench.client.exists(keys.rebuild())
    assert cells.fields(truth.bench.client, keys.look_reasons) == 0


def _most_in_a_minute(moments):
    return max(sum(0 <= (at - start).total_seconds() < 60 for at in moments) for start in moments[::20])


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


@pytest.mark.parametrize("after", [1, 9, 15])
def test_an_interrupted_rebuild_goes_on_where_it_was(truth, after):
    fill(truth, 16)
    done = 0

    def stop():
        return done >= after

    parts = truth.parts(stop=stop).rebuild
    for outcome in parts.run(parts.prepare()):
        done += outcome.error is None
        if stop():
            break  # as Ctrl-C does
    truth.settle()
    finished = 16 - cells.fields(truth.bench.client, keys.look_reasons)
    assert after <= finished <= 16
    requests = len(truth.wire.requests)

    again, outcomes = rebuild(truth)

    assert len(outcomes) == 16 - finished
    assert len(truth.wire.requests) - requests <= 1 + len(outcomes)
    assert again.completed == 16
    assert truth.ours() == truth.truth()
    assert truth.bench.told() == []


def test_a_rebuild_that_codat_stops_names_the_problem_and_goes_on_later(truth):
    fill(truth, 20)
    truth.fault(path="/data/history", status=503, count=20)

    parts, _ = rebuild(truth)
    assert 0 < len(parts.failures) < 20
    assert truth.bench.client.exists(keys.rebuild())
    assert cells.fields(truth.bench.client, keys.look_reasons) == len(parts.failures)

    again, _ = rebuild(truth)
    assert again.failures == []
    assert truth.ours() == truth.truth()
    assert truth.bench.told() == []


def test_a_rebuild_waits_where_the_budget_or_codat_says_so(truth):
    fill(truth, 150 if IN_CI else 40)
    truth.fault(path="/data/history", status=429, retry_after_s=20, count=16)

    parts, _ = rebuild(truth)

    assert parts.failures == []
    assert truth.ours() == truth.truth()
    assert max(truth.waits) == 20


@pytest.mark.parametrize(
    "went", [rebuild, lambda truth: truth.reconcile(), lambda truth: truth.run(for_s=300)]
)
def test_a_store_that_has_gone_through_codats_companies_is_left_alone(truth, went):
    fill(truth, 3)
    went(truth)

    with pytest.raises(Conflict, match="reconcile --dry-run"):
        truth.parts().rebuild.prepare()


def test_messages_that_came_first_are_no_obstacle(truth):
    """Redis was lost, and a message came within seconds: rebuild refused, and reconcile told everybody."""
    made = fill(truth, len(STEPS))
    new = truth.connect(company := truth.company("Opened today"))
    truth.change(new, "authorize")
    truth.bench.handle(messages.connected(company, new, at=truth.clock()))
    ready = dict(zip(STEPS, made, strict=True))["authorize", "complete-sync"]
    truth.bench.handle(messages.other(company_id=ready[0]))  # of a company that was there before
    truth.clock.forward(5)

    parts, _ = rebuild(truth)

    assert (parts.completed, parts.failures) == (len(STEPS) + 1, [])
    assert truth.ours() == truth.truth()
    assert [body["data"]["connection_id"] for body in truth.bench.told()] == [new]


def test_a_merchant_that_a_message_told_about_is_not_told_all_over_again(truth):
    """One connection of a company is new; what the company had before is not news."""
    company = truth.company()
    old = [truth.connect(company, "shpf") for _ in range(3)]
    for connection in old:
        truth.change(connection, "authorize")
        truth.change(connection, "complete-sync")
    truth.clock.forward(60)
    truth.bench.handle(messages.other(company_id="company-1"))  # since then this store is in use
    truth.clock.forward(5)
    new = truth.connect(company)
    truth.change(new, "authorize")
    truth.bench.handle(messages.connected(company, new, at=truth.clock()))
    truth.run(for_s=45, step_s=5)  # its first sync is watched, before there was any walk
    truth.change(new, "complete-sync")

    rebuild(truth)
    truth.run(for_s=600)

    assert truth.ours() == truth.truth()
    assert truth.bench.told_types(new) == ["connection.authorized", "initial_sync.completed"]
    assert {body["data"]["connection_id"] for body in truth.bench.told()} == {new}


def test_an_end_that_waits_for_codats_word_is_told_although_a_rebuild_sees_it_first(truth):
    """Bad news is checked for some seconds: the look of a rebuild is no reason to keep it quiet."""
    company, connection = fill(truth, 4)[3]
    at = truth.clock()
    truth.change(connection, "deauthorize")
    truth.bench.handle(messages.disconnected(company, connection, status="Deauthorized", at=at))
    assert truth.bench.told() == []
    truth.clock.forward(1)

    rebuild(truth)

    assert truth.bench.told_types() == ["connection.deauthorized"]


def test_a_rebuild_without_codats_list_leaves_nothing(truth):
    """A first rebuild with a wrong key let a later one run on a full store: it swallowed what was news."""
    (_, connection), *_ = fill(truth, 3)
    truth.fault(path="/companies", status=401)
    before = everything(truth.bench.client)

    with pytest.raises(CodatError):
        truth.parts().rebuild.prepare()

    changed = {name for name, value in everything(truth.bench.client).items() if before.get(name) != value}
    assert changed <= {"codat:codat-calls", "codat:{rate}:pace", "codat:{rate}:quota"}
    truth.reconcile()
    truth.change(connection, "authorize")
    truth.clock.forward(5)
    with pytest.raises(Conflict):
        truth.parts().rebuild.prepare()
    truth.reconcile()
    assert truth.bench.told_types(connection) == ["connection.authorized"]


def test_what_an_interrupted_rebuild_left_becomes_known_by_itself(truth):
    fill(truth, 70)
    done = 0

    def stop():
        return done >= 1

    parts = truth.parts(stop=stop).rebuild
    for _ in parts.run(parts.prepare()):
        done += 1
    assert cells.fields(truth.bench.client, keys.look_reasons) == 6

    truth.run(for_s=1_200, step_s=30)

    assert truth.ours() == truth.truth()
    assert truth.bench.told() == []
    again, outcomes = rebuild(truth)
    assert (again.completed, outcomes) == (70, [])
    with pytest.raises(Conflict):
        truth.parts().rebuild.prepare()


def test_it_goes_on_with_what_the_first_walk_of_the_clock_left(truth):
    """The clock went through the list, and its looks take their time."""
    fill(truth, 20)
    truth.polling.scan.run()

    parts, outcomes = rebuild(truth)

    assert (parts.completed, len(outcomes)) == (20, 20)
    assert truth.ours() == truth.truth()
    assert truth.bench.told() == []


def test_a_company_that_is_newer_than_the_store_is_back_as_well_and_nobody_is_told(truth):
    """A rebuild tells nobody anything, whatever a company says of its age."""
    fill(truth, 3)
    truth.bench.handle(messages.other(company_id="company-1"))
    truth.clock.forward(30)
    new = truth.connect(truth.company("New shop"))
    truth.change(new, "authorize")

    parts, outcomes = rebuild(truth)

    assert (parts.completed, len(outcomes)) == (4, 4)
    assert truth.ours() == truth.truth()
    assert truth.bench.state(new) == "authorized"
    assert truth.bench.told() == []
    truth.change(new, "complete-sync")
    truth.run(for_s=600)
    assert truth.bench.told_types() == ["initial_sync.completed"]  # what comes afterwards is told


def test_a_second_loss_is_like_the_first(truth):
    fill(truth, len(STEPS))
    rebuild(truth)
    truth.bench.client.flushall()

    rebuild(truth)

    assert truth.ours() == truth.truth()
    assert truth.bench.told() == []


def test_a_rebuild_and_the_sweep_do_not_tell_each_others_news(truth):
    """The clock ticks while an operator rebuilds."""
    fill(truth, 24)
    parts = truth.parts().rebuild
    for place, _ in enumerate(parts.run(parts.prepare())):
        if place % 8 == 0:
            truth.run(for_s=60)

    truth.run(for_s=600)

    assert truth.bench.told() == []
    assert truth.ours() == truth.truth()


def test_a_rebuild_stays_within_the_quota_of_the_day(truth):
    """Background work leaves the last fifth; what is left is done another day."""
    fill(truth, 10)
    resets = truth.clock() + timedelta(hours=12)  # by Redis's clock, so not at a midnight that may be near
    truth.rate_limiter.release(
        truth.rate_limiter.acquire(Priority.CHECK), Quota(truth.clock(), 1_000, 200, resets)
    )

    with pytest.raises(CodatRateLimited):
        truth.parts().rebuild.prepare()

    assert truth.wire.requests == []
