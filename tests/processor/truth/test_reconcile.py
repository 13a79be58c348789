"""After one reconcile every state is Codat's, whatever was lost."""


def linked(truth, company=None, platform="gbol"):
    """A connection of which we know that it is ready."""
    company = company or truth.company()
    connection = truth.connect(company, platform)
    truth.change(connection, "authorize")
    truth.change(connection, "complete-sync")
    truth.reconcile()
    return company, connection


def test_what_was_never_heard_of_is_found_and_told(truth):
    company = truth.company("Bakery")
    connection = truth.connect(company)
    truth.change(connection, "authorize")
    truth.change(connection, "complete-sync")

    truth.reconcile()

    assert truth.ours() == truth.truth() == {connection: "ready"}
    assert truth.bench.told_types(connection) == ["connection.authorized", "initial_sync.completed"]
    assert truth.bench.reader.company(company)["merchant_id"] == "m-Bakery"
    assert truth.bench.told(connection)[0]["data"]["merchant_id"] == "m-Bakery"
