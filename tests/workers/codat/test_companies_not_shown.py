"""Companies that Codat does not show: new ones, foreign ones, samples; and doubts that it settles."""

from datetime import timedelta

import pytest

from processor.store import visibility
from tests.support import messages
from tests.workers.codat.asking import PATIENCE_S, Codat, linked


def test_a_refused_read_is_a_doubt_that_codat_settles(codat: Codat) -> None:
    connection = linked(codat)
    codat.change("deauthorize", connection)  # the message of which is lost
    codat.bench.clock.forward(5)

    codat.bench.handle(
        messages.read(connection.company, connection.id, {"invoices": "AuthError"}, at=codat.bench.clock())
    )
    assert codat.bench.state(connection.id) != "deauthorized"
    codat.settle(for_s=PATIENCE_S)

    assert codat.bench.state(connection.id) == "deauthorized"
    assert codat.bench.told_types(connection.id)[-1] == "connection.deauthorized"


def test_a_company_that_our_key_is_not_shown_deletes_nothing(codat: Codat) -> None:
    """Several Codat clients may share one endpoint: what we are not shown may well exist."""
    codat.bench.handle(
        messages.connected("a-foreign-company", "a-foreign-connection", at=codat.bench.clock())
    )
    codat.settle(for_s=2 * PATIENCE_S)

    assert codat.bench.state("a-foreign-connection") == "authorized"


@pytest.mark.parametrize("old", [True, False], ids=["sample of 2024", "sample of today"])
def test_nothing_is_told_of_a_company_that_codat_does_not_know_and_never_showed_us(
    codat: Codat, old: bool
) -> None:
    """Codat's "Send example" was told to subscribers after the patience, without a merchant, and the
    timeline said that Codat had not answered in time."""
    company, connection = "a9a9f1b4-0000-4000-8000-000000000001", "a9a9f1b4-0000-4000-8000-000000000002"
    at = codat.bench.clock() - timedelta(days=700 if old else 0)
    codat.bench.handle(
        messages.connected(company, connection, at=at), messages.initial_read(company, connection, at=at)
    )

    codat.settle(for_s=3 * PATIENCE_S)

    assert codat.bench.told_types() == []
    last = codat.bench.timeline(connection)[-1]
    assert (last["event_type"], last["decisions"][0]["verdict"]) == ("codat-api.company.unknown", "not_told")
    assert "does not know this company" in last["reason"]
    assert [item for item, _ in visibility.not_shown(codat.bench.client)] == [company]
    assert codat.bench.next_question() is None


def test_an_alert_about_a_company_that_codat_does_not_know_is_dropped(codat: Codat) -> None:
    """The signed samples of the older generation became states, and were told."""
    codat.bench.handle(messages.status_alert("company", "connection", "PendingAuth", "Linked"))

    codat.settle(for_s=3 * PATIENCE_S)

    assert (codat.bench.state("connection"), codat.bench.told_types()) == ("pending", [])


def test_a_company_that_codat_shows_only_later_is_told_then(codat: Codat) -> None:
    """A company is so new that Codat's API does not show it yet: its news waits, and is not lost."""
    connection = codat.connect()
    at = codat.change("authorize", connection)
    codat.break_down(404, path=f"/companies/{connection.company}")
    codat.bench.handle(messages.connected(connection.company, connection.id, at=at))
    codat.settle(for_s=PATIENCE_S / 2)
    assert codat.bench.told_types() == []
    codat.answer_again()

    codat.settle(for_s=PATIENCE_S / 2)

    assert codat.bench.told_types() == ["connection.authorized"]
    assert visibility.not_shown(codat.bench.client) == []


def test_news_of_a_foreign_client_is_told_unchecked(codat: Codat) -> None:
    """Two Codat clients share one endpoint: our key never sees the companies of the other."""
    for mark in visibility.foreign_marks(["theirs"]):
        codat.bench.client.execute_command(*mark)
    at = codat.bench.clock() - timedelta(days=3)
    codat.bench.handle(
        messages.connected("theirs", "connection", at=at),
        messages.disconnected("theirs", "connection", at=at),
    )

    assert codat.bench.told_types() == ["connection.authorized", "connection.deauthorized"]
    assert codat.bench.next_question() is None
