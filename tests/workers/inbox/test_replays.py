"""The two lanes of the inbox: new messages overtake replays, which go on all the same."""

from datetime import timedelta
from typing import Any

import pytest

from handlers.state import situation
from processor.alerts.replay import ReplayService
from processor.store import inbox_lanes, keys, wakeups
from processor.store.inbox import REPLAYED_AFTER
from processor.store.waker import Waker
from tests.support import messages
from tests.support.counting import Interrupted
from tests.support.workbench import company_in
from workers.inbox.drain import BATCH, REPLAY_BATCH, DrainResult

CELL = 1
COMPANY = company_in(CELL)


@pytest.fixture
def client(bench):
    return bench.client


@pytest.fixture
def one_round(bench):
    """A drain that ends after one round."""
    return bench.drain(stop=lambda: True)


def old(bench, number, company=COMPANY):
    """Messages of as many connections, older than an hour when they come."""
    at = bench.clock() - REPLAYED_AFTER - timedelta(seconds=1)
    return [messages.connected(company, f"old-{n}", at=at) for n in range(number)]


def new(bench, number, company=COMPANY):
    return [messages.connected(company, f"new-{n}", at=bench.clock()) for n in range(number)]


def depths(client):
    """How many messages wait in each lane of the cell."""
    return tuple(client.xlen(name) for name in keys.inboxes(CELL))


def test_age_at_receipt_decides_the_lane(bench, client):
    bench.fill([*old(bench, 1), messages.connected(COMPANY, "c", at=bench.clock() - REPLAYED_AFTER)])
    bench.fill([messages.status_alert(COMPANY, "c", "PendingAuth", "Linked")])  # it carries no time

    assert depths(client) == (2, 1)
    assert bench.inbox.depth() == 3


def test_a_new_message_overtakes_all_replays_and_one_batch_of_them_has_its_turn(bench, client, one_round):
    bench.fill(old(bench, 3 * REPLAY_BATCH))
    bench.fill(new(bench, 1))

    assert one_round.run(CELL) == DrainResult(1 + REPLAY_BATCH, more=True)

    assert bench.state("new-0") == "authorized"
    assert bench.told()[0]["data"]["connection_id"] == "new-0"
    assert depths(client) == (0, 2 * REPLAY_BATCH)


def test_replays_have_their_turn_however_many_new_messages_wait(bench, client, one_round):
    bench.fill(old(bench, 2 * REPLAY_BATCH))
    bench.fill(new(bench, BATCH + 1))

    one_round.run(CELL)

    assert depths(client) == (1, REPLAY_BATCH)


def test_a_replay_that_comes_after_what_is_newer_leads_to_what_comes_of_them_in_order(bench):
    """Access ended two hours ago and was given again now; the end is handled last, and is not told."""
    long_ago = bench.clock() - timedelta(days=2)
    bench.handle(messages.connected(COMPANY, "c", at=long_ago))
    ended = bench.clock() - timedelta(hours=2)
    body = messages.disconnected(COMPANY, "c", at=ended)
    bench.send(body, messages.reconnected(COMPANY, "c", at=bench.clock()))

    bench.drain_all()

    assert bench.state("c") == "authorized"
    assert [told["type"] for told in bench.told("c")] == ["connection.authorized", "connection.reauthorized"]
    assert situation(bench.reader.connection("c").connection).authorization == 2


@pytest.mark.parametrize("lane", [old, new])
def test_a_drain_that_dies_before_its_commit_loses_nothing_of_either_lane(bench, redis_url, lane):
    ids = bench.fill(lane(bench, 3))
    dying: Any = Interrupted.from_url(redis_url)

    def die():
        raise ConnectionError

    dying.meanwhile = die
    with pytest.raises(ConnectionError):
        bench.drain(dying).run(CELL)

    bench.drain_all()

    assert [bench.event(event_id)["status"] for event_id in ids] == ["processed"] * 3
    assert len(bench.told()) == 3


def test_the_clock_wakes_a_worker_for_replays_alone(bench, client):
    bench.fill(old(bench, 1))
    client.delete(keys.wake(CELL))

    assert wakeups.claim_sleeping_cells(client) == [CELL]


def test_what_is_put_again_is_a_replay_and_a_waiting_message_is_handled_once(bench, client):
    (event_id,) = bench.fill(new(bench, 1))

    ReplayService(reader=bench.reader, inbox=bench.inbox, waker=Waker(client)).replay(event_id)

    assert depths(client) == (1, 1)
    assert [
        row["event_id"] for row in bench.reader.list_events(status="pending", limit=9, cursor=None).items
    ] == [event_id]
    bench.drain_all()
    assert depths(client) == (0, 0)
    assert len(bench.timeline("new-0")) == 1


def test_a_commit_leaves_the_other_lane_alone(bench, client):
    bench.fill([*new(bench, 1), *old(bench, 1)])

    bench.drain().batch(CELL, replays=True)

    assert depths(client) == (1, 0)
    assert inbox_lanes.depths(client)[CELL] == 1


def test_new_messages_of_several_cells_overtake_replays_in_a_backlog_too(bench, client, monkeypatch):
    monkeypatch.setattr("workers.inbox.drain.RENEW_S", 600)  # a slow machine puts no cell off
    stops = iter([False, False, True])
    bench.fill(old(bench, 5 * REPLAY_BATCH))
    bench.fill(new(bench, BATCH + BATCH // 2 + 1))
    bench.fill([messages.connected(company_in(2), "other", at=bench.clock())])

    bench.drain(stop=lambda: next(stops)).run(CELL, 2)

    assert depths(client) == (0, 2 * REPLAY_BATCH)
    assert bench.state("other") == "authorized"
