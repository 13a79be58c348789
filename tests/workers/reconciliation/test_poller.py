"""First syncs are watched with a growing pause, once per company, until the message comes or they end."""

from itertools import pairwise

import pytest

from processor.conditions import evaluation
from processor.reconciliation.poll_schedule import MAX_BACKOFF_S
from processor.store import keys
from tests.support import messages
from tests.support.truth import EVERY, truth_bench


def authorised(truth, company, platform="gbol"):
    """A connection of which the message came that it is authorised."""
    connection = truth.connect(company, platform)
    truth.change(connection, "authorize")
    truth.bench.handle(messages.connected(company, connection, at=truth.clock()))
    truth.settle(for_s=5)
    return connection


def due(truth, company):
    """Move to the next look and make it; how long that was, in seconds."""
    waited_s = max(0.0, truth.next_look(company))
    truth.clock.forward(waited_s + 0.01)
    truth.monitor.run()
    truth.settle()
    return waited_s


def test_the_pause_grows_from_fifteen_seconds_to_five_minutes(truth):
    company = truth.company()
    authorised(truth, company)

    pauses = [due(truth, company) for _ in range(14)]

    assert 7.5 <= pauses[0] <= 17.5  # five seconds went by before
    assert all(later > earlier * 1.1 for earlier, later in pairwise(pauses[1:7]))
    assert all(0.84 * MAX_BACKOFF_S <= pause <= 1.16 * MAX_BACKOFF_S for pause in pauses[-4:])
    assert max(pauses[-4:]) - min(pauses[-4:]) > 0.1  # jittered


def test_a_company_is_asked_once_however_many_connections_it_has(truth):
    company = truth.company()
    connections = [authorised(truth, company)] + [authorised(truth, company, "shpf") for _ in range(39)]
    for connection in connections:
        truth.change(connection, "start-sync")
    before = len(truth.wire.requests)

    due(truth, company)

    asked = [path.removeprefix(f"/companies/{company}") for _, path in truth.wire.requests[before:]]
    assert asked == ["/connections", "/dataStatus", "/data/history"]
    assert {truth.bench.state(item) for item in connections} == {"syncing"}

    for connection in connections:
        truth.change(connection, "complete-sync")
    due(truth, company)
    assert {truth.bench.state(item) for item in connections} == {"ready"}
    assert truth.bench.told_types().count("initial_sync.completed") == 40


def test_progress_per_data_type_is_shown(truth):
    company = truth.company()
    connection = authorised(truth, company)
    truth.change(connection, "start-sync")
    for dataset in truth.world.find_connection(connection).datasets:
        dataset.status, dataset.progress = "Fetching", 40

    due(truth, company)

    known = truth.bench.reader.connection(connection).connection
    assert {(value.status, value.progress) for value in known.data_types.values()} == {("Fetching", 40)}
    lines = len(truth.bench.timeline(connection))
    due(truth, company)
    assert len(truth.bench.timeline(connection)) == lines  # nothing new, nothing to say


def test_it_stops_as_soon_as_the_message_comes(truth):
    company = truth.company()
    connection = authorised(truth, company)
    truth.change(connection, "complete-sync")
    truth.clock.forward(4)
    truth.bench.handle(messages.initial_read(company, connection, at=truth.clock()))
    assert truth.bench.state(connection) == "ready"
    before = len(truth.wire.requests)

    due(truth, company)

    assert len(truth.wire.requests) == before
    assert truth.next_look(company) > 0.9 * EVERY.total_seconds()


@pytest.mark.parametrize(
    ("outcomes", "state", "told"),
    [
        (None, "ready", "initial_sync.completed"),
        ({"invoices": "FetchError", "bills": "InternalError"}, "sync_failed", "initial_sync.failed"),
    ],
)
def test_an_end_that_nobody_tells_is_found_and_told(truth, outcomes, state, told):
    """A legacy client is told of no first sync that failed altogether."""
    company = truth.company()
    connection = authorised(truth, company)
    truth.change(connection, "start-sync")
    due(truth, company)
    options = {} if outcomes is None else {"outcomes": outcomes}
    truth.change(connection, "complete-sync", **options)

    due(truth, company)

    assert truth.bench.state(connection) == state
    assert truth.bench.told_types(connection)[-1] == told
    assert truth.bench.timeline(connection)[-1]["reason"].endswith("its first sync is watched")
    assert truth.count("missed_messages") == 0  # it may still come


def test_access_that_ends_meanwhile_is_an_end_and_no_failed_sync(truth):
    company = truth.company()
    connection = authorised(truth, company)
    truth.change(connection, "start-sync")
    truth.change(connection, "deauthorize")

    due(truth, company)
    truth.settle(for_s=70)

    assert truth.bench.state(connection) == "deauthorized"
    assert truth.bench.told_types(connection)[-1] == "connection.deauthorized"


def test_a_new_authorisation_is_watched_from_the_beginning(truth):
    company = truth.company()
    connection = authorised(truth, company)
    for _ in range(8):
        due(truth, company)
    truth.change(connection, "unlink")
    truth.bench.handle(messages.disconnected(company, connection, status="Unlinked", at=truth.clock()))
    truth.clock.forward(10)
    truth.change(connection, "reauthorize")

    truth.bench.handle(messages.reconnected(company, connection, at=truth.clock()))

    assert truth.next_look(company) <= 17.5


def test_after_a_day_it_is_watched_hourly(truth):
    company = truth.company()
    authorised(truth, company)
    for _ in range(3):
        due(truth, company)
    truth.clock.forward(24 * 3600)
    due(truth, company)

    assert truth.next_look(company) == pytest.approx(3600, abs=60)


def test_what_is_pending_for_an_hour_looks_stuck_and_is_asked_for_hourly_for_a_day(truth):
    company = truth.company()
    connection = truth.connect(company)
    truth.bench.handle(messages.created(company, connection, at=truth.clock()))
    truth.settle(for_s=5)
    assert truth.next_look(company) == pytest.approx(3600, abs=10)
    truth.change(connection, "authorize")  # whose message is lost

    due(truth, company)

    assert truth.bench.state(connection) == "authorized"
    assert truth.count("missed_messages") == 1
    assert "looked stuck" in truth.bench.timeline(connection)[-1]["reason"]


def test_what_stays_pending_is_left_to_the_daily_sweep_in_the_end(truth):
    company = truth.company()
    connection = truth.connect(company)
    truth.bench.handle(messages.created(company, connection, at=truth.clock()))
    truth.settle(for_s=5)

    waits = [due(truth, company) for _ in range(26)]

    assert waits[1:24] == pytest.approx([3600] * 23, abs=60)
    assert truth.next_look(company) > 0.9 * EVERY.total_seconds()


def test_an_authorisation_without_a_sync_for_a_quarter_of_an_hour_counts_as_missed(truth):
    company = truth.company()
    connection = authorised(truth, company)
    truth.clock.forward(16 * 60)
    truth.change(connection, "complete-sync")

    due(truth, company)

    assert truth.bench.state(connection) == "ready"
    assert truth.count("missed_messages") == 1


def test_while_codat_is_down_nothing_changes_and_it_is_asked_again(truth):
    company = truth.company()
    connection = authorised(truth, company)
    truth.change(connection, "complete-sync")
    truth.fault(status=503, count=3)

    due(truth, company)
    assert truth.bench.state(connection) == "authorized"
    assert truth.next_look(company) == pytest.approx(60, abs=1)
    due(truth, company)

    assert truth.bench.state(connection) == "ready"


@pytest.mark.parametrize("fault", [{"hang_s": 600.0}, {"broken_json": True}, {"status": 500}], ids=str)
def test_an_answer_that_cannot_be_used_changes_nothing(truth, fault):
    company = truth.company()
    connection = authorised(truth, company)
    truth.change(connection, "complete-sync")
    truth.fault(path=f"/companies/{company}/data/history", count=3, **fault)
    if "hang_s" in fault:
        truth.give_up_after(2.0)

    due(truth, company)

    assert truth.bench.state(connection) == "authorized"
    assert truth.next_look(company) <= 60


def test_in_a_storm_of_429_the_rest_waits_and_nothing_hammers(truth):
    companies = [truth.company(f"Shop {number}") for number in range(30)]
    connections = [authorised(truth, company) for company in companies]
    for connection in connections:
        truth.change(connection, "complete-sync")
    truth.clock.forward(60)
    truth.fault(status=429, retry_after_s=30, count=8)
    before = len(truth.wire.requests)

    truth.monitor.run()
    storm = len(truth.wire.requests) - before
    for _ in range(20):
        truth.monitor.run()  # the clock rings again and again
    assert storm <= 4  # those that were under way together
    assert len(truth.wire.requests) - before == storm

    truth.run(for_s=400)
    assert {truth.bench.state(item) for item in connections} == {"ready"}


@pytest.mark.parametrize("offset_s", [600, -600], ids=["ahead", "behind"])
def test_a_clock_of_codats_that_is_ten_minutes_wrong_delays_and_does_not_mislead(truth, offset_s):
    company = truth.company()
    connection = authorised(truth, company)
    truth.fault(date_offset_s=offset_s)
    truth.change(connection, "complete-sync")
    due(truth, company)
    assert truth.bench.state(connection) == "ready"
    truth.change(connection, "unlink")  # whose message is lost

    truth.polling.reconciler.reconcile_company(company)
    truth.run(for_s=1800)
    list(truth.polling.reconciler.run_all())
    truth.settle(for_s=120)

    assert truth.bench.state(connection) == "unlinked"
    assert truth.bench.told_types(connection).count("connection.unlinked") == 1


def test_an_authorisation_during_a_look_is_not_forgotten(truth):
    """A look ends with the next one planned; what was authorised meanwhile wants an earlier one."""
    company = truth.company()
    connection = truth.connect(company)
    truth.bench.handle(messages.created(company, connection, at=truth.clock()))
    truth.settle(for_s=5)
    truth.clock.forward(3600)
    (taken,) = truth.monitor._queue.lease(truth.clock(), 4)
    truth.change(connection, "authorize")
    truth.bench.handle(messages.connected(company, connection, at=truth.clock()))

    truth.monitor._poll(taken)

    assert truth.next_look(company) <= 17.5


def test_an_erased_company_is_not_looked_at_any_more(truth):
    company = truth.company()
    authorised(truth, company)
    truth.erasure.erase(company, truth.clock())
    truth.bench.client.zadd(keys.looks(keys.cell_of(company)), {company: 0})
    before = len(truth.wire.requests)

    truth.monitor.run()

    assert len(truth.wire.requests) == before
    assert truth.next_look(company) is None


def test_without_any_message_everything_goes_its_way_only_later(redis_url):
    """Done when: a machine with every webhook blocked gets every connection right, tells it, and says why."""
    with truth_bench(redis_url, PUBLIC_URL="https://us.example") as truth:
        truth.run(for_s=120)
        company = truth.company("Bakery")
        connection = truth.connect(company)
        truth.run(for_s=3700, step_s=60)
        assert truth.bench.state(connection) == "pending"
        truth.change(connection, "authorize")
        truth.run(for_s=3700, step_s=60)
        assert truth.bench.state(connection) == "authorized"
        truth.change(connection, "complete-sync")
        truth.run(for_s=400)
        assert truth.bench.state(connection) == "ready"
        truth.change(connection, "deauthorize")
        truth.run(for_s=3700, step_s=60)
        truth.change(connection, "reauthorize")
        truth.change(connection, "complete-sync")
        truth.run(for_s=3700, step_s=60)
        truth.world.delete_company(company)
        truth.run(for_s=3700, step_s=60)

        assert truth.bench.told_types(connection) == [
            "connection.authorized",
            "initial_sync.completed",
            "connection.deauthorized",
            "connection.reauthorized",
            "initial_sync.completed",
            "connection.deleted",
        ]
        result = evaluation.current(truth.bench.client, truth.settings, now=truth.clock())
        (silent,) = [item for item in result if item.code == "codat_silent"]
        assert "none ever came" in silent.sentence
        assert "webhooks register --url https://us.example/webhooks/codat" in silent.advice
