"""The name of the business comes from Codat's company data where the connection does not have it."""

from processor.reconciliation.compare import NAME_MAY_CHANGE


def ready(truth):
    """A connection whose first sync was seen at Codat."""
    connection = truth.connect(truth.company("Bakery"))
    truth.change(connection, "authorize", business_name="North Ltd")
    truth.change(connection, "complete-sync")
    truth.reconcile()
    assert truth.bench.state(connection) == "ready"
    return connection


def name_of(truth, connection):
    """The name that we show, and the one before."""
    stored = truth.bench.reader.connection(connection).connection
    return stored.account_name, stored.previous_account_name


def test_it_is_read_once_after_the_first_sync_and_again_after_access_was_renewed(truth):
    connection = ready(truth)
    for _ in range(2):
        truth.reconcile()
    assert name_of(truth, connection) == ("North Ltd", None)
    assert len(truth.wire.paths("/data/info")) == 1

    truth.change(connection, "deauthorize")
    truth.reconcile()
    truth.change(connection, "reauthorize", business_name="South Ltd")
    truth.change(connection, "complete-sync")
    truth.reconcile()
    truth.reconcile()
    assert name_of(truth, connection) == ("South Ltd", "North Ltd")
    truth.wait(NAME_MAY_CHANGE.total_seconds())
    asked = len(truth.wire.paths("/data/info"))
    truth.reconcile()
    assert len(truth.wire.paths("/data/info")) == asked


def test_a_failure_to_read_it_changes_nothing_else(truth):
    connection = ready(truth)
    truth.simulation.faults.plan({"method": "GET", "path": "/data/info", "status": 404})
    truth.change(connection, "deauthorize")
    truth.reconcile()
    assert truth.bench.state(connection) == "deauthorized"
    assert name_of(truth, connection) == (None, None)


def test_data_that_name_no_business_are_not_asked_for_again_until_they_are_read_again(truth):
    connection = truth.connect(truth.company("Bakery"))
    truth.change(connection, "authorize")
    truth.change(connection, "complete-sync")
    for _ in range(3):
        truth.reconcile()
    assert (name_of(truth, connection), len(truth.wire.paths("/data/info"))) == ((None, None), 1)

    truth.change(connection, "deauthorize")
    truth.reconcile()
    truth.change(connection, "reauthorize", business_name="North Ltd")
    truth.change(connection, "complete-sync")
    truth.reconcile()
    truth.reconcile()
    assert name_of(truth, connection) == ("North Ltd", None)
