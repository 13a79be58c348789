"""Draining: messages become states, timelines and notifications, in few round trips, each once."""

import threading
from typing import Any

import pytest
from redis import Redis, ResponseError

from processor.store import keys, records
from processor.store.metrics import Metrics
from tests.support import cells, messages
from tests.support.counting import Interrupted, RoundTrips, commands, everything
from tests.support.workbench import Workbench, company_in
from tests.workers.inbox.company import CELL, COMPANY, CONNECTION, at
from workers.inbox.batch import BatchHandler
from workers.inbox.drain import BATCH, DrainResult


class RecordedLags(Metrics):
    """Metrics that keep each lag."""

    def __init__(self):
        super().__init__()
        self.lags = []

    def handled(self, lags_s, **counts):
        self.lags += lags_s
        super().handled(lags_s, **counts)


def test_a_message_becomes_a_state_a_line_on_the_timeline_and_a_notification(bench):
    bench.send(messages.connected(COMPANY, CONNECTION, merchant_id="m-1"), event_id="msg_1")
    bench.clock.forward(1.5)

    assert bench.drain().run(CELL) == DrainResult(1, more=False)

    assert bench.state(CONNECTION) == "authorized"
    (line,) = bench.timeline(CONNECTION)
    assert line["reason"]
    assert {
        name: line[name] for name in ("at", "event_id", "event_type", "source", "from", "to", "outcome")
    } == {
        "at": "2026-03-04T12:00:00.000000Z",
        "event_id": "msg_1",
        "event_type": "connection.connected",
        "source": "current",
        "from": "pending",
        "to": "authorized",
        "outcome": "applied",
    }
    (told,) = bench.told()
    assert told["id"].startswith("ntf_")
    assert told == {
        "id": told["id"],
        "type": "connection.authorized",
        "timestamp": "2026-03-04T12:00:01.500000Z",
        "data": {
            "merchant_id": "m-1",
            "company_id": COMPANY,
            "connection_id": CONNECTION,
            "account_name": None,
            "platform_key": "gbol",
            "platform_name": "Xero",
            "source_type": "Accounting",
            "state": "authorized",
            "previous_state": "pending",
            "authorization": 1,
            "authorized_at": "2026-03-04T12:00:00.000000Z",
            "occurred_at": "2026-03-04T12:00:00.000000Z",
            "event_id": "msg_1",
            "expected": False,
            "data_types": {"complete": [], "failed": {}},
            "error": None,
        },
    }
    assert line["decisions"] == [
        {
            "type": "connection.authorized",
            "verdict": "told",
            "reason": line["decisions"][0]["reason"],
            "notification_id": told["id"],
        }
    ]
    assert bench.reader.notification(told["id"])["body"] == told
    event = bench.event("msg_1")
    assert (event["status"], event["processed_at"]) == ("processed", "2026-03-04T12:00:01.500000Z")
    assert bench.reader.company(COMPANY)["merchant_id"] == "m-1"
    assert bench.reader.current_company_id("m-1") == COMPANY
    assert bench.waiting() == []


def test_the_indexes_follow_the_state(bench):
    bench.handle(messages.created(COMPANY, CONNECTION, at=at(0)))
    assert cells.members(bench.client, keys.connections_in, "pending") == [CONNECTION.encode()]
    heard = cells.score(bench.client, keys.connections_in, CONNECTION, "pending")

    bench.clock.forward(60)
    bench.handle(
        messages.connected(COMPANY, CONNECTION, at=at(10)),
        messages.initial_read(COMPANY, CONNECTION, at=at(20)),
    )

    index = keys.connections_in(CELL, "ready")
    assert bench.client.zrange(index, 0, -1, withscores=True) == [(CONNECTION.encode(), heard)]
    assert records.read_members(bench.client, [COMPANY]) == [{CONNECTION: heard}]
    for state in ("pending", "authorized", "syncing"):
        assert cells.count(bench.client, keys.connections_in, state) == 0
    assert bench.told_types() == ["connection.authorized", "initial_sync.completed"]


def test_a_message_that_changes_nothing_or_is_none_of_ours_is_processed_as_well(bench):
    bodies = [
        messages.connected(COMPANY, CONNECTION),
        messages.connected(COMPANY, CONNECTION),
        messages.other(company_id=COMPANY, connection_id=CONNECTION),
        messages.other("client.news"),
        messages.legacy("Push Operation Status Changed", company_id=COMPANY),
        messages.company("company.created", COMPANY),
        messages.current("client.rateLimit.reset", {}),
    ]

    ids = bench.handle(*bodies)

    assert [bench.status(event_id) for event_id in ids] == ["processed"] * len(bodies)
    assert [line["outcome"] for line in bench.timeline(CONNECTION)] == ["applied", "twin", "no_change"]


def test_what_is_none_of_our_business_makes_no_connection_known(bench):
    bench.handle(messages.other(company_id=COMPANY, connection_id="never-heard-of"))

    assert bench.reader.connection("never-heard-of") is None
    assert bench.timeline("never-heard-of") == []
    assert bench.client.exists(*(index for cell in keys.cells() for index in keys.connections(cell))) == 0


def test_a_legacy_alert_that_is_none_of_our_business_makes_none_known_either(bench):
    alert = messages.legacy("Push Operation timed out", company_id=COMPANY, connection_id="never-heard-of")
    bench.handle(alert)

    assert bench.reader.connection("never-heard-of") is None


# What it costs


def test_a_backlog_costs_a_small_fraction_of_a_round_trip_for_each_message(bench, redis_url, monkeypatch):
    monkeypatch.setattr("workers.inbox.drain.RENEW_S", 600)  # a slow machine renews no more leases
    bench.fill(
        messages.connected(f"company-{number % 40}", f"connection-{number % 400}", at=at(number))
        for number in range(2_000)
    )
    trips = RoundTrips()
    client = trips.client(redis_url)
    drain = Workbench(client).drain()

    handled = 0
    while bench.waiting():
        handled += drain.run().handled

    assert handled == 2_000
    assert trips.count <= 2_000 / 15
    assert len(bench.told_types()) == 400


def test_messages_are_committed_in_batches(bench):
    bench.fill(messages.connected(COMPANY, f"connection-{number % 10}") for number in range(2 * BATCH + 1))
    before = commands(bench.client)

    while bench.drain().run(CELL).more:
        pass

    assert bench.client.get(keys.cursor(CELL)) == b"3"
    assert commands(bench.client)["exec"] - before.get("exec", 0) == 3


# Once


def test_a_drain_that_was_overtaken_writes_nothing(bench, redis_url):
    bench.send(messages.connected(COMPANY, CONNECTION), event_id="msg_1")
    slow: Any = Interrupted.from_url(redis_url)
    afterwards = []

    def overtake():
        assert bench.drain().run(CELL).handled == 1
        afterwards.append(everything(bench.client))

    slow.meanwhile = overtake
    assert bench.drain(slow).run(CELL) == DrainResult(0, more=False)

    assert [everything(bench.client)] == afterwards
    assert bench.told_types() == ["connection.authorized"]
    assert len(bench.timeline(CONNECTION)) == 1


def test_two_drains_at_once_handle_each_message_once(bench, redis_url):
    ids = bench.fill(
        messages.connected(COMPANY, f"connection-{number % 7}", at=at(number)) for number in range(1_500)
    )
    together = threading.Barrier(3)

    def work():
        with Redis.from_url(redis_url) as container:
            drain = bench.drain(container)
            together.wait()
            while bench.client.xlen(keys.inbox(CELL)):
                drain.run(CELL)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    lines = [line["event_id"] for number in range(7) for line in bench.timeline(f"connection-{number}")]
    assert sorted(lines) == sorted(ids)
    assert {bench.status(event_id) for event_id in ids} == {"processed"}
    assert cells.counter(bench.client, "processed") == 1500
    assert len(bench.told_types()) == 7


def test_a_message_that_waits_twice_is_handled_once(bench):
    bench.send(messages.connected(COMPANY, CONNECTION), event_id="msg_1")
    bench.inbox.requeue("msg_1", status="pending", cell=CELL)

    bench.drain_all()

    assert len(bench.timeline(CONNECTION)) == 1
    assert bench.client.xlen(keys.inbox(CELL)) == 0
    assert cells.counter(bench.client, "processed") == 1


def test_a_processed_message_that_is_replayed_tells_nothing_again(bench):
    (event_id,) = bench.handle(messages.connected(COMPANY, CONNECTION))
    bench.clock.forward(3600)
    bench.inbox.requeue(event_id, status="processed", cell=CELL)

    bench.drain_all()

    assert bench.told_types() == ["connection.authorized"]
    assert [line["outcome"] for line in bench.timeline(CONNECTION)] == ["applied", "twin"]
    assert bench.status(event_id) == "processed"
    assert bench.waiting() == []


def test_a_message_that_expired_while_it_waited_is_forgotten(bench):
    bench.send(messages.connected(COMPANY, CONNECTION), event_id="msg_1")
    bench.send(messages.connected(COMPANY, "connection-2"))
    cells.forget_message(bench.client, "msg_1")

    bench.drain_all()

    assert bench.client.xlen(keys.inbox(CELL)) == 0
    assert not cells.message(bench.client, "msg_1")
    assert (bench.state(CONNECTION), bench.state("connection-2")) == (None, "authorized")


# A company is in one hand


@pytest.mark.parametrize("names", ["no company", "another company"])
def test_news_that_names_a_connection_of_another_cell_does_not_undo_what_that_cell_commits(
    bench, redis_url, names
):
    """Two cells wrote the same connection: the slower one put back what it had read before."""
    bench.handle(messages.created(COMPANY, CONNECTION, at=at(0)))
    company_id = None if names == "no company" else company_in(0)
    bench.send(messages.other(company_id=company_id, connection_id=CONNECTION, at=at(5)))
    bench.send(messages.connected(COMPANY, CONNECTION, at=at(10)))
    slow: Any = Interrupted.from_url(redis_url)
    slow.meanwhile = lambda: bench.drain().run(CELL)

    bench.drain(slow).run(0)
    bench.drain_all()

    assert bench.state(CONNECTION) == "authorized"
    assert bench.told_types() == ["connection.authorized"]
    assert len(bench.timeline(CONNECTION)) == 3


# Small


def test_the_timeline_of_a_connection_is_trimmed_to_about_a_thousand_lines(bench):
    for _ in range(5):
        bench.fill([messages.connected(COMPANY, CONNECTION)] * BATCH)
        bench.drain_all()

    assert bench.client.llen(cells.where(bench.client, keys.timeline, CONNECTION)) == 1_000


def test_a_connection_that_changes_for_ever_stays_small(bench):
    for turn in range(300):
        bench.clock.now = at(turn * 100 + 50)
        ended = messages.disconnected(COMPANY, CONNECTION, at=at(turn * 100))
        bench.fill([ended, messages.reconnected(COMPANY, CONNECTION, at=at(turn * 100 + 50))])
    bench.drain_all()

    stored = bench.reader.connection(CONNECTION)
    assert stored.state == "authorized"
    assert stored.connection.history.authorization == 301
    assert bench.client.strlen(cells.where(bench.client, keys.connection, CONNECTION)) < 50_000


def test_every_line_about_a_message_names_it(bench, caplog):
    """Support asked what became of a message: no line after its acceptance named it."""
    caplog.set_level("INFO")
    bench.send(messages.connected(COMPANY, CONNECTION, merchant_id="m-1"), event_id="msg_1")
    bench.clock.forward(1.5)
    bench.drain().run(CELL)
    lines = [record for record in caplog.records if record.name == "workers.inbox.reporting"]
    assert [record.message for record in lines] == ["a message was handled", "a notification was decided"]
    assert {record.event_id for record in lines} == {"msg_1"}
    assert lines[0].outcomes == ["applied"]
    assert lines[1].notification_id == bench.told()[0]["id"]


def test_a_message_that_ends_every_process_holds_up_its_own_cell_alone(bench, monkeypatch):
    bench.fill(
        [
            messages.connected(company_in(1), "deadly", at=bench.clock()),
            messages.connected(company_in(2), "other", at=bench.clock()),
        ]
    )
    learn = BatchHandler.learn

    def die(handler, event):
        if "deadly" in event.connection_ids:
            raise SystemExit
        return learn(handler, event)

    monkeypatch.setattr(BatchHandler, "learn", die)
    for _ in range(30):  # each begins with either cell
        with pytest.raises(SystemExit):
            bench.drain(stop=lambda: True).run(1, 2)

    assert bench.state("other") == "authorized"


def test_news_that_the_fan_out_refuses_is_decided_again(bench):
    """The ledger said that it was told, and nobody was ever told."""
    (id_,) = bench.fill([messages.connected(COMPANY, CONNECTION)])
    bench.client.set(keys.fan_out(CELL), "garbage")

    with pytest.raises(ResponseError, match="WRONGTYPE"):
        bench.drain().run(CELL)
    assert (bench.status(id_), bench.state(CONNECTION)) == ("pending", None)
    assert bench.client.zcard(keys.outbox_of(CELL, CONNECTION)) == 0

    bench.client.delete(keys.fan_out(CELL))
    bench.drain().run(CELL)
    bench.publish()
    assert [body["type"] for body in bench.published()] == ["connection.authorized"]


def test_a_refused_cell_is_neither_counted_nor_reported(bench):
    metrics = RecordedLags()
    bench.fill(
        [
            messages.connected(company_in(1), "refused", at=bench.clock()),
            messages.connected(company_in(2), "other", at=bench.clock()),
        ]
    )
    bench.client.set(keys.cursor(1), "not a number")

    with pytest.raises(ResponseError):
        bench.drain(metrics=metrics).run(1, 2)

    assert cells.counter(bench.client, "processed") == 1
    assert len(metrics.lags) == 1
