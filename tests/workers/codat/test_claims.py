"""Claims of legacy alerts are settled by Codat's answers, or by patience."""

from tests.support import messages
from tests.workers.codat.asking import PATIENCE_S, Codat, linked


def test_a_legacy_alert_becomes_a_state_by_what_codat_answers(codat: Codat) -> None:
    connection = codat.connect()
    codat.change("authorize", connection)

    codat.bench.handle(messages.status_alert(connection.company, connection.id, "PendingAuth", "Linked"))
    assert codat.bench.state(connection.id) == "pending"
    codat.settle(for_s=10)

    assert codat.bench.state(connection.id) == "authorized"
    assert codat.bench.told_types(connection.id) == ["connection.authorized"]
    assert ("codat-api.connection", "applied") in codat.sources(connection)
    assert codat.bench.timeline(connection.id)[-1]["source"] == "codat-api"
    assert codat.bench.next_question() is None


def test_a_first_sync_that_is_claimed_for_the_whole_company_is_read_from_its_history(codat: Codat) -> None:
    connection = linked(codat)
    codat.change("start-sync", connection)
    codat.bench.clock.forward(5)
    codat.change("complete-sync", connection, outcomes={"invoices": "FetchError", "bills": "Complete"})

    codat.bench.handle(messages.synchronised_alert(connection.company))
    assert codat.bench.state(connection.id) == "authorized"
    codat.settle(for_s=10)

    assert codat.bench.state(connection.id) == "ready"
    told = codat.bench.told(connection.id)[-1]
    assert told["type"] == "initial_sync.completed"
    assert told["data"]["data_types"]["failed"] == {"invoices": "FetchError"}
    assert told["data"]["data_types"]["complete"] == ["bills"]


def test_a_claim_that_codat_denies_changes_nothing(codat: Codat) -> None:
    connection = linked(codat)

    codat.bench.handle(messages.status_alert(connection.company, connection.id, "Linked", "Deauthorized"))
    codat.settle(for_s=PATIENCE_S + 10)

    assert codat.bench.state(connection.id) == "authorized"
    assert codat.bench.told_types(connection.id) == ["connection.authorized"]


def test_a_claim_that_codat_does_not_answer_is_taken_at_its_word_where_it_fits_and_not_before(
    codat: Codat,
) -> None:
    connection = linked(codat)
    codat.break_down()
    codat.bench.handle(messages.status_alert(connection.company, connection.id, "Linked", "Unlinked"))

    codat.settle(for_s=PATIENCE_S - 1)
    assert codat.bench.state(connection.id) == "authorized"
    codat.settle(for_s=2)

    assert codat.bench.state(connection.id) == "unlinked"
    assert codat.bench.told_types(connection.id)[-1] == "connection.unlinked"
    assert "codat-api.unanswered" in [name for name, _ in codat.sources(connection)]


def test_a_claim_that_does_not_fit_and_is_not_answered_is_left_as_a_doubt(codat: Codat) -> None:
    connection = linked(codat)
    codat.break_down()

    codat.bench.handle(messages.status_alert(connection.company, connection.id, "Unlinked", "Deauthorized"))
    codat.settle(for_s=PATIENCE_S + 10)

    assert codat.bench.state(connection.id) == "authorized"
    assert codat.bench.told_types(connection.id) == ["connection.authorized"]
    assert codat.sources(connection)[-1] == ("codat-api.unanswered", "doubt")


def test_a_deleted_connection_is_found_to_be_gone(codat: Codat) -> None:
    connection = linked(codat)
    codat.change("delete", connection)

    codat.bench.handle(
        messages.legacy("Sync Connection Deleted", company_id=connection.company, connection_id=connection.id)
    )
    codat.settle(for_s=70)

    assert codat.bench.state(connection.id) == "deleted"
    assert codat.bench.told_types(connection.id)[-1] == "connection.deleted"
