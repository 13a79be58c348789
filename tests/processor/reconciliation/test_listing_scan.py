"""Walking over Codat's list: once an hour, cheap, and quiet about what was there before us."""

import random

from processor.reconciliation import poll_schedule
from processor.store import keys, unreadable
from tests.support import cells, messages
from tests.support.truth import EVERY


def test_the_first_walk_of_a_store_tells_nothing_of_what_was_there_before_it(truth):
    old = truth.connect(truth.company("Old shop"))
    truth.change(old, "authorize")
    truth.change(old, "complete-sync")
    truth.clock.forward(60)

    truth.run(for_s=600)

    assert truth.bench.state(old) == "ready"
    assert truth.bench.told() == []
    assert truth.count("missed_messages") == 0
    reasons = [line["reason"] for line in truth.bench.timeline(old)]
    assert all("it was there before this service" in reason for reason in reasons)

    truth.change(old, "unlink")
    truth.run(for_s=3700, step_s=60)
    assert truth.bench.told_types(old) == ["connection.unlinked"]  # what happens now is told


def test_a_later_walk_does_not_make_news_of_what_waits_to_be_known(truth):
    """Ten thousand looks take longer than an hour where Codat's quota is small."""
    old = truth.connect(truth.company("Old shop"))
    truth.change(old, "authorize")
    truth.clock.forward(60)
    truth.polling.scan.run()
    truth.clock.forward(3_600)
    truth.polling.scan.run()

    truth.run(for_s=300)

    assert truth.bench.state(old) == "authorized"
    assert truth.bench.told() == []


def test_the_first_walk_tells_nothing_of_an_old_company_that_a_message_named(truth):
    company = truth.company("Old shop")
    old = truth.connect(company)
    truth.change(old, "authorize")
    truth.change(old, "complete-sync")
    truth.clock.forward(60)
    truth.bench.handle(messages.other(company_id=company))

    truth.run(for_s=600)

    assert truth.bench.state(old) == "ready"
    assert truth.bench.told() == []


def test_a_message_of_an_old_connection_tells_no_first_sync_again(truth):
    """It says that data was read, Codat that access is given: all that is missing is years old."""
    company = truth.company("Old shop")
    old = truth.connect(company)
    truth.change(old, "authorize")
    truth.change(old, "complete-sync")
    truth.clock.forward(3_600)
    truth.sweep.run()
    truth.bench.handle(messages.read(company, old, at=truth.clock()))
    truth.settle(for_s=10)

    truth.run(for_s=600)

    assert truth.bench.state(old) == "ready"
    assert truth.bench.told_types(old) == ["connection.authorized"]  # by the answer to that message


def test_what_came_before_the_first_walk_and_after_the_beginning_is_told(truth):
    truth.sweep.run()
    truth.clock.forward(20)
    new = truth.connect(truth.company("New shop"))
    truth.change(new, "authorize")

    truth.run(for_s=300)

    assert truth.bench.told_types(new) == ["connection.authorized"]


def test_what_came_after_the_first_walk_is_told(truth):
    truth.run(for_s=120)
    new = truth.connect(truth.company("New shop"))
    truth.change(new, "authorize")

    truth.run(for_s=3700, step_s=60)

    assert truth.bench.told_types(new) == ["connection.authorized"]
    assert truth.count("missed_messages") == 1


def test_a_walk_over_what_agrees_is_one_request_for_two_hundred_companies(truth):
    for number in range(250):
        truth.company(f"Shop {number}")
    truth.run(for_s=900, step_s=60)
    assert cells.count(truth.bench.client, keys.looks) == 250
    before = len(truth.wire.requests)

    assert truth.polling.scan.run() == 250
    truth.monitor.run()

    assert [path for _, path in truth.wire.requests[before:]] == ["/companies", "/companies"]


def test_each_company_is_looked_at_once_a_day_spread_evenly(truth, monkeypatch):
    companies = [truth.company(f"Shop {number}") for number in range(60)]
    for company in companies:
        connection = truth.connect(company)
        truth.change(connection, "authorize")
        truth.change(connection, "unlink")
    truth.run(for_s=600, step_s=60)
    cells.delete(truth.bench.client, keys.looks, keys.looked)
    monkeypatch.setattr(
        poll_schedule, "random", random.Random(24)
    )  # chance leaves a quarter empty now and then
    truth.polling.scan.run()
    hour_s = EVERY.total_seconds() / 24
    due = [truth.next_look(company) for company in companies]
    quarters = [int(moment // (6 * hour_s)) for moment in due]
    by_quarter = [quarters.count(place) for place in range(4)]
    assert min(by_quarter) >= 4

    before = len(truth.wire.requests)
    for _ in range(26 * 4):
        truth.clock.forward(hour_s / 4)
        truth.monitor.run()
    asked = [path for _, path in truth.wire.requests[before:]]
    for company in companies:
        assert 1 <= asked.count(f"/companies/{company}/connections") <= 2


def test_a_company_that_vanished_is_looked_at_and_found_to_be_gone(truth):
    company = truth.company()
    connection = truth.connect(company)
    truth.bench.handle(messages.created(company, connection, at=truth.clock()))
    truth.settle(for_s=5)
    truth.polling.scan.run()
    truth.world.delete_company(company)
    truth.clock.forward(70)

    truth.polling.scan.run()
    truth.monitor.run()
    truth.settle()

    assert truth.bench.state(connection) == "deleted"


def test_an_interrupted_walk_draws_no_conclusions(truth):
    companies = [truth.company(f"Shop {number}") for number in range(3)]
    truth.polling.scan.run()
    truth.run(for_s=120)
    truth.fault(path="/companies", status=503, count=3)
    assert truth.polling.scan is not None

    truth.run(for_s=3800, step_s=60)

    assert not [
        company for company in companies if "deleted_at" in (truth.bench.reader.company(company) or {})
    ]


def test_an_errand_that_raises_is_told_and_does_not_keep_the_others_from_their_turn(
    truth, monkeypatch, caplog
):
    company = truth.company()
    truth.sweep.run()

    def broken(_now):
        raise LookupError("a fault of ours")

    monkeypatch.setattr(truth.silence, "check_messages", broken)
    truth.clock.forward(120)
    truth.sweep.run()

    assert truth.next_look(company) is not None, "the walk had its turn"
    (failure,) = [
        record
        for record in caplog.records
        if record.name == "workers.reconciliation.maintenance" and record.levelname == "ERROR"
    ]
    assert failure.task == "judge"


def test_what_follows_on_the_message_that_a_store_began_with_is_told(truth):
    """It told of something that had happened a second before it came, and so before the store began."""
    company = truth.company("New shop")
    new = truth.connect(company)
    truth.change(new, "authorize")
    at = truth.clock()
    truth.clock.forward(1)
    truth.bench.handle(messages.connected(company, new, at=at))
    truth.clock.forward(10)
    truth.change(new, "complete-sync")
    truth.clock.forward(5)

    truth.run(for_s=900)

    assert truth.bench.told_types(new) == ["connection.authorized", "initial_sync.completed"]


def test_damaged_companies_cost_themselves_alone(truth):
    """A key of another type ended each scan, whether Codat listed the company or no more."""
    names = ("Typed", "Numbered", "Vanished", "New")
    typed, numbered, vanished, new = companies = [truth.company(name) for name in names]
    truth.bench.handle(*(messages.created(company, f"of {company}") for company in companies[:3]))
    truth.bench.client.hset(keys.company(numbered), f"c:of {numbered}", "9" * 5_000)
    truth.world.delete_company(vanished)
    for company in (typed, vanished):
        truth.bench.client.set(keys.company(company), "garbage")
    cells.delete(truth.bench.client, keys.looks)

    assert truth.polling.scan.run() == 3

    requested = {member.decode() for member in cells.members(truth.bench.client, keys.looks)}
    assert requested == {numbered, new}
    noted = {(note.kind, note.id) for note in unreadable.noted(truth.bench.client)}
    assert noted == {("company", typed), ("company", vanished)}
