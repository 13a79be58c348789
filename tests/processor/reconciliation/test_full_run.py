"""Reconciling: what is new, changed or vanished at Codat is found, repaired, explained and counted."""

import socket
from datetime import timedelta

import pytest

from processor.codat import paging
from processor.store import keys
from tests.support import messages
from tests.support.counting import everything


def ready(truth, company, platform="gbol"):
    """A connection of which we know, by its messages, that it is ready."""
    connection = truth.connect(company, platform)
    truth.change(connection, "authorize")
    truth.bench.handle(messages.connected(company, connection, at=truth.clock()))
    truth.clock.forward(5)
    truth.change(connection, "complete-sync")
    truth.bench.handle(messages.initial_read(company, connection, at=truth.clock()))
    truth.settle(for_s=5)
    assert truth.bench.state(connection) == "ready"
    return connection


def test_what_was_never_heard_of_is_found_and_told(truth):
    truth.reconcile()
    company = truth.company("Bakery")
    connection = truth.connect(company)
    truth.change(connection, "authorize")
    truth.change(connection, "complete-sync")

    truth.reconcile()

    assert truth.ours() == truth.truth() == {connection: "ready"}
    assert truth.bench.told_types(connection) == ["connection.authorized", "initial_sync.completed"]
    assert truth.bench.reader.company(company)["merchant_id"] == "m-Bakery"
    assert truth.bench.told(connection)[0]["data"]["merchant_id"] == "m-Bakery"
    assert truth.bench.told(connection)[0]["data"]["platform_name"] == "Xero"


@pytest.mark.parametrize(
    ("change", "state", "told"),
    [
        ("unlink", "unlinked", "connection.unlinked"),
        ("deauthorize", "deauthorized", "connection.deauthorized"),
        ("delete", "deleted", "connection.deleted"),
    ],
)
def test_a_missed_end_is_repaired_told_explained_and_counted(truth, change, state, told):
    company = truth.company()
    connection = ready(truth, company)
    truth.change(connection, change)
    truth.clock.forward(60)

    (outcome,) = truth.reconcile()

    assert truth.bench.state(connection) == state
    assert truth.bench.told_types(connection)[-1] == told
    (difference,) = outcome.diff.differences
    assert (difference.connection_id, difference.before, difference.after) == (connection, "ready", state)
    line = next(line for line in reversed(truth.bench.timeline(connection)) if line["outcome"] == "applied")
    assert (line["source"], line["to"]) == ("codat-api", state)
    assert "an operator's reconcile: the message was missed" in line["reason"]
    assert truth.count("missed_messages") == 1


def test_what_agrees_leaves_no_trace(truth):
    company = truth.company()
    connection = ready(truth, company)
    truth.reconcile()
    lines = truth.bench.timeline(connection)
    before = everything(truth.bench.client)

    outcomes = truth.reconcile()

    assert truth.bench.timeline(connection) == lines
    assert [outcome.diff.events for outcome in outcomes] == [[]]
    after = everything(truth.bench.client)
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed <= {"codat:codat-calls", "codat:{rate}:pace", "codat:{rate}:quota"}


def test_a_dry_run_shows_the_same_and_changes_nothing(truth):
    company = truth.company()
    connection = ready(truth, company)
    truth.change(connection, "unlink")
    truth.clock.forward(60)
    before = everything(truth.bench.client)

    (shown,) = truth.polling.reconciler.run_all(dry_run=True)
    after = everything(truth.bench.client)
    (done,) = truth.polling.reconciler.run_all()

    assert {name for name in before if before[name] != after.get(name)} <= {
        "codat:codat-calls",
        "codat:{rate}:pace",
        "codat:{rate}:quota",
    }
    assert [difference.after for difference in shown.diff.differences] == ["unlinked"]
    assert [difference.after for difference in done.diff.differences] == ["unlinked"]


def test_a_missed_failure_is_told_once_whatever_comes_afterwards(truth):
    company = truth.company()
    connection = truth.connect(company)
    truth.bench.handle(messages.created(company, connection, at=truth.clock()))
    truth.change(connection, "fail", status_code=403)
    failed_at = truth.clock()
    truth.clock.forward(30)

    truth.reconcile()
    assert truth.bench.state(connection) == "authorization_failed"
    told = truth.bench.told(connection)
    assert [notification["type"] for notification in told] == ["connection.authorization_failed"]
    assert told[0]["data"]["error"]["status_code"] == "403"

    truth.bench.handle(messages.failed(company, connection, at=failed_at))  # late, after all
    truth.reconcile()
    assert truth.bench.told_types(connection) == ["connection.authorization_failed"]


@pytest.mark.parametrize(("resolved", "state"), [(False, "authorization_failed"), (True, "pending")])
def test_an_error_that_is_not_transient_is_found_until_it_is_resolved(truth, resolved, state):
    """Codat gives such an error no status: reconcile found nothing, and the connection stayed pending."""
    company = truth.company()
    connection = truth.connect(company)
    truth.bench.handle(messages.created(company, connection, at=truth.clock()))
    truth.change(connection, "fail", status_code=403)
    (problem,) = truth.world.find_connection(connection).problems
    problem.transient, problem.resolved = False, truth.clock() if resolved else None
    truth.clock.forward(30)

    truth.reconcile()

    assert truth.bench.state(connection) == state
    assert truth.bench.told_types(connection) == ["connection.authorization_failed"] * (not resolved)


def test_reconcile_says_what_codat_shows_against_a_time_that_is_still_to_come(truth):
    """A message with a time ahead outranked a real end: "0 differences" while Codat showed the end."""
    company = truth.company()
    connection = truth.connect(company)
    truth.change(connection, "authorize")
    ahead = truth.clock() + timedelta(minutes=4)
    truth.bench.handle(messages.connected(company, connection, at=ahead))
    truth.clock.forward(70)
    truth.change(connection, "deauthorize")
    truth.clock.forward(10)

    (outcome,) = truth.polling.reconciler.run_all()
    last = outcome.diff.differences[-1]
    assert (last.before, last.after) == ("authorized", "deauthorized")
    truth.settle(for_s=400)

    assert truth.bench.state(connection) == "deauthorized"
    assert truth.bench.told_types(connection)[-1] == "connection.deauthorized"


def test_a_failure_that_was_told_is_not_found_again(truth):
    company = truth.company()
    connection = truth.connect(company)
    truth.change(connection, "fail", status_code=500)
    truth.bench.handle(messages.failed(company, connection, at=truth.clock()))
    truth.settle(for_s=10)
    lines = len(truth.bench.timeline(connection))

    truth.reconcile()

    assert truth.bench.told_types(connection) == ["connection.authorization_failed"]
    assert len(truth.bench.timeline(connection)) == lines


def test_a_company_with_forty_connections_is_right_in_three_requests(truth):
    company = truth.company()
    connections = [truth.connect(company, "shpf") for _ in range(40)]
    for place, connection in enumerate(connections):
        if place % 4:
            truth.change(connection, "authorize")
        if place % 4 > 1:
            truth.change(connection, "complete-sync")
        if place % 4 > 2:
            truth.change(connection, "deauthorize")
    before = len(truth.wire.requests)

    truth.polling.reconciler.reconcile_company(company)
    asked = [path for _, path in truth.wire.requests[before:]]
    truth.settle(for_s=120)

    assert len(asked) <= 3
    assert truth.ours() == truth.truth()


def test_a_deleted_company_that_codat_showed_us_is_deleted_here(truth):
    company = truth.company()
    connection = ready(truth, company)
    truth.reconcile()
    truth.world.delete_company(company)

    truth.reconcile()

    assert truth.bench.state(connection) == "deleted"
    assert truth.bench.told_types(connection)[-1] == "connection.deleted"
    assert "deleted_at" in truth.bench.reader.company(company)


def test_a_company_that_our_key_was_never_shown_is_left_alone(truth):
    """Several Codat clients may share one endpoint: what we are not shown may well exist."""
    truth.bench.handle(messages.connected("a-foreign-company", "a-foreign-connection", at=truth.clock()))
    truth.settle(for_s=200)

    truth.reconcile()
    truth.run(for_s=3 * 3600, step_s=300)

    assert truth.bench.state("a-foreign-connection") == "authorized"
    assert "deleted_at" not in truth.bench.reader.company("a-foreign-company")


def test_an_erased_company_that_codat_still_has_stays_erased(truth):
    company = truth.company()
    connection = ready(truth, company)
    truth.erasure.erase(company, truth.clock())

    truth.reconcile()
    truth.run(for_s=7200, step_s=300)

    assert truth.bench.state(connection) is None
    assert truth.bench.reader.company(company) is None


def test_rows_that_come_and_go_between_pages_are_found_or_left_alone(truth, monkeypatch):
    """Each page is followed by changes that shift all later ones."""
    companies = [truth.company(f"Shop {number}") for number in range(12)]
    connections = [ready(truth, company) for company in companies]
    truth.reconcile()
    for connection in connections[::2]:
        truth.change(connection, "unlink")
    monkeypatch.setattr("processor.reconciliation.full_run.PAGE_SIZE", 3)
    doomed, gone = companies[1:6:2], []
    original = paging.rows_of

    def rows_of(answer):
        rows = original(answer)
        if doomed and len(rows) == 3:
            gone.append(doomed.pop(0))
            truth.world.delete_company(gone[-1])
            truth.company(f"New shop {len(doomed)}")
        return rows

    monkeypatch.setattr(paging, "rows_of", rows_of)
    truth.reconcile()
    monkeypatch.undo()

    assert len(gone) == 3
    shown = {item for item, owner in zip(connections, companies, strict=True) if owner not in gone}
    assert {item: truth.bench.state(item) for item in shown} == {item: truth.truth()[item] for item in shown}
    truth.reconcile()  # what was deleted behind our back, after its page was read
    assert truth.ours() == truth.truth()


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"status": 500}, {"hang_s": 600.0}, {"broken_json": True}], ids=str
)
def test_a_company_about_which_codat_does_not_answer_is_named_and_the_others_are_repaired(truth, fault):
    companies = [truth.company(f"Shop {number}") for number in range(3)]
    connections = [truth.connect(company) for company in companies]
    for connection in connections:
        truth.change(connection, "authorize")
    truth.fault(path=f"/companies/{companies[1]}/data", count=3, **fault)
    if "hang_s" in fault:
        truth.give_up_after(2.0)

    outcomes = truth.reconcile()

    problems = [outcome.company_id for outcome in outcomes if outcome.error]
    assert problems == [companies[1]]
    result = "authorized" if "broken_json" in fault else None  # it hides the reads alone
    assert [truth.bench.state(item) for item in connections] == ["authorized", result, "authorized"]
    truth.simulation.faults.clear()
    truth.reconcile()
    assert truth.bench.state(connections[1]) == "authorized"


def test_it_waits_as_long_as_codat_says_in_a_storm_of_429(truth):
    companies = [truth.company(f"Shop {number}") for number in range(6)]
    for company in companies:
        truth.change(truth.connect(company), "authorize")
    truth.fault(path="/data/history", status=429, retry_after_s=40, count=12)

    outcomes = truth.reconcile()

    assert not [outcome for outcome in outcomes if outcome.error]
    assert truth.ours() == truth.truth()
    assert 40 in truth.waits


def test_too_long_a_pause_is_told_and_not_waited_for(truth):
    company = truth.company()
    truth.change(truth.connect(company), "authorize")
    truth.fault(path="/data/history", status=429, retry_after_s=7_200, count=5)

    (outcome,) = truth.polling.reconciler.run_all()

    assert outcome.error.retry_after_s == 7_200
    assert truth.waits == []


def test_tags_and_names_that_changed_are_taken_over(truth):
    company = truth.company("Bakery")
    ready(truth, company)
    truth.reconcile()
    changed = truth.world.company(company)
    changed.name, changed.tags = "Bakery and Sons", {**changed.tags, "region": "us"}

    truth.reconcile()

    row = truth.bench.reader.company(company)
    assert row["name"] == "Bakery and Sons"
    assert '"region": "us"' in row["tags"]


def test_nothing_is_erased_or_deleted_while_nobody_answers(truth):
    """A wrong address or a broken proxy is not the end of all companies."""
    company = truth.company()
    connection = ready(truth, company)
    truth.reconcile()
    truth.server.stop()
    with socket.socket() as taken:  # nobody listens there, and nobody else can meanwhile
        taken.bind(("127.0.0.1", 0))
        for client in (truth.codat, truth.checking):
            client._http._base_url = f"http://127.0.0.1:{taken.getsockname()[1]}"

        truth.run(for_s=7200, step_s=600)

    assert truth.bench.state(connection) == "ready"
    assert truth.bench.client.exists(keys.company(company))
