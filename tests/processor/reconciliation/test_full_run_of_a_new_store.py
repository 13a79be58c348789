"""A full run of a store that is new learns what was there, and tells nothing of it again."""

from datetime import timedelta

import pytest

from processor.clock import to_iso
from processor.store import keys
from tests.support import messages
from tests.support.counting import everything


def lived(truth, name):
    """A company that was authorised and read before this store began."""
    company = truth.company(name)
    connection = truth.connect(company)
    truth.change(connection, "authorize")
    truth.change(connection, "complete-sync")
    truth.clock.forward(60)
    return company, connection


def test_a_store_that_is_new_learns_what_was_there_without_telling_it_again(truth):
    """After Redis was lost, reconcile told every merchant everything once more."""
    made = [lived(truth, f"Shop {number}") for number in range(5)]
    truth.bench.handle(messages.other(company_id=made[0][0]))
    before = everything(truth.bench.client)
    shown = list(truth.polling.reconciler.run_all(dry_run=True))
    assert sum(len(item.diff.differences) for item in shown) >= 10
    unchanged = {"codat:codat-calls", "codat:{rate}:pace", "codat:{rate}:quota"}
    after = everything(truth.bench.client)
    assert {name for name in after if before.get(name) != after[name]} <= unchanged

    truth.reconcile()

    assert truth.ours() == truth.truth()
    assert {notification["data"]["connection_id"] for notification in truth.bench.told()} == {made[0][1]}, (
        "it was heard of"
    )
    told_before = len(truth.bench.told())

    truth.change(made[1][1], "unlink")
    truth.clock.forward(5)
    truth.reconcile()
    assert truth.bench.told_types()[told_before:] == ["connection.unlinked"]


def test_what_was_missed_of_a_company_that_was_heard_of_is_told_by_the_very_first_reconcile(truth):
    """However old Codat says that the connection is: an operator asked, and its messages were missed."""
    company, connection = lived(truth, "Bakery")
    truth.bench.handle(messages.other(company_id=company))

    truth.reconcile()

    assert truth.bench.told_types(connection) == ["connection.authorized", "initial_sync.completed"]


@pytest.mark.parametrize("minutes", [-10, 10])
def test_whether_a_company_is_new_is_judged_by_codats_clock(truth, minutes):
    """Ours was ten minutes off, and a merchant who had just signed up was taken for an old one."""
    ours = truth.clock
    for part in (truth.polling.comparer, truth.polling.scan):
        part._clock = lambda: ours() + timedelta(minutes=minutes)
        part._baseline._clock = part._clock
    truth.polling.scan._baseline._client.hset(
        keys.sweep(), "began", to_iso(ours() + timedelta(minutes=minutes))
    )
    truth.clock.forward(30)
    new = truth.connect(truth.company("New shop"))
    truth.change(new, "authorize")

    truth.polling.scan.run()
    truth.reconcile()

    assert truth.bench.told_types(new) == ["connection.authorized"]


def test_one_company_of_a_new_store_is_not_told_again_either(truth):
    company, connection = lived(truth, "Bakery")

    truth.polling.reconciler.reconcile_company(company)
    truth.settle(for_s=120)

    assert truth.bench.state(connection) == "ready"
    assert truth.bench.told() == []
    assert truth.polling.reconciler.is_first


def test_it_tells_nothing_of_companies_that_wait_for_their_first_look(truth):
    """The first walk is over, its looks are not."""
    made = [lived(truth, f"Shop {number}") for number in range(5)]
    truth.polling.scan.run()
    assert not truth.polling.reconciler.is_first

    truth.reconcile()

    assert truth.ours() == truth.truth()
    assert truth.bench.told() == []
    truth.change(made[0][1], "unlink")
    truth.clock.forward(5)
    truth.reconcile()
    assert truth.bench.told_types() == ["connection.unlinked"]


def test_a_new_store_of_which_a_part_was_not_compared_stays_quiet_about_it(truth):
    made = [lived(truth, f"Shop {number}") for number in range(3)]
    truth.fault(path=f"/companies/{made[1][0]}/data", status=503, count=3)
    assert [item.company_id for item in truth.reconcile() if item.error] == [made[1][0]]
    assert truth.polling.reconciler.is_first

    truth.simulation.faults.clear()
    truth.reconcile()

    assert truth.ours() == truth.truth()
    assert truth.bench.told() == []
    assert not truth.polling.reconciler.is_first
