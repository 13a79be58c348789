"""Questions for the workers: when a connection may be called gone, and when not."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from handlers.events import ConnectionGone, ConnectionSeen, HistorySeen, LinkStatus
from processor.codat.errors import CodatFailing, CompanyUnseen
from processor.codat.questions import QuestionClient
from processor.errors import CodatError, CodatRateLimited, CodatRefused, CodatUnavailable

LATER = datetime(2026, 11, 22, 15, 0, 3, tzinfo=UTC)


@pytest.fixture
def asker(bench):
    return QuestionClient(bench.client, clock=lambda: LATER)


@pytest.fixture
def answers(bench):
    """Sets what Codat answers about the connection and about the company."""

    def set_answers(connection, company=None):
        path = f"/companies/{bench.company_id}"
        bench.answers("GET", f"{path}/connections/{bench.connection_id}", connection)
        if company is not None:
            bench.answers("GET", path, company)

    return set_answers


@pytest.fixture
def ask(bench, asker):
    return lambda **more: asker.ask_connection(bench.company_id, bench.connection_id, **more)


def test_a_connection_that_codat_shows_is_seen(bench, ask, answers):
    answers(bench.json(bench.connection(status="Deauthorized")))

    event = ask()

    assert isinstance(event, ConnectionSeen)
    assert event.status is LinkStatus.DEAUTHORIZED
    assert (event.at, event.received_at) == (bench.theirs, LATER)
    assert event.company is not None
    assert event.company.id == bench.company_id


def test_codats_404_in_a_company_that_it_shows_means_gone(bench, ask, answers):
    answers(bench.error(404), bench.json(bench.company(dataConnections=[])))

    event = ask()

    assert isinstance(event, ConnectionGone)
    assert (event.at, event.connection_ids) == (bench.theirs, (bench.connection_id,))
    assert event.company is not None
    assert event.company.merchant_id == "m-1"


def test_where_the_company_is_unknown_too_only_what_was_seen_before_is_gone(bench, ask, answers):
    answers(bench.error(404), bench.error(404))

    with pytest.raises(CompanyUnseen) as caught:
        ask()
    assert caught.value.correlation_id == "corr-1"

    event = ask(seen_before=True)
    assert isinstance(event, ConnectionGone)


def test_a_connection_that_its_company_still_shows_is_not_gone(bench, ask, answers):
    answers(bench.error(404), bench.json(bench.company()))

    with pytest.raises(CodatUnavailable):
        ask(seen_before=True)


@pytest.mark.parametrize("seen_before", [False, True])
@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_without_a_word_about_the_company_nothing_is_gone(bench, ask, answers, status, seen_before):
    answers(bench.error(404), bench.error(status))

    with pytest.raises(CodatError):
        ask(seen_before=seen_before)


@pytest.mark.parametrize("seen_before", [False, True])
@pytest.mark.parametrize("content", [b"{}", b"<html></html>", b'{"id": "another"}', b""])
def test_a_company_that_cannot_be_read_does_not_make_its_connection_gone(
    bench, ask, answers, content, seen_before
):
    answers(bench.error(404), httpx.Response(200, content=content))

    with pytest.raises(CodatError):
        ask(seen_before=seen_before)


@pytest.mark.parametrize("seen_before", [False, True])
def test_a_proxys_404_makes_nothing_gone(bench, ask, answers, seen_before):
    answers(httpx.Response(404, html="<h1>404</h1>"), bench.json(bench.company(dataConnections=[])))

    with pytest.raises(CodatFailing):
        ask(seen_before=seen_before)


@pytest.mark.parametrize("seen_before", [False, True])
def test_a_proxys_404_for_the_company_makes_nothing_gone(bench, ask, answers, seen_before):
    answers(bench.error(404), httpx.Response(404, html="<h1>404</h1>"))

    with pytest.raises(CodatFailing):
        ask(seen_before=seen_before)


@pytest.mark.parametrize(
    ("status", "kind"), [(401, CodatRefused), (429, CodatRateLimited), (503, CodatUnavailable)]
)
def test_a_refusal_is_no_answer(bench, ask, answers, status, kind):
    answers(bench.error(status))

    with pytest.raises(kind):
        ask(seen_before=True)


def test_history_of_one_connection_is_asked_for_by_its_id(bench, asker):
    path = f"/companies/{bench.company_id}/data/history"
    bench.answers("GET", path, bench.json(bench.page([bench.dataset()])))

    event = asker.ask_history(bench.company_id, [bench.connection_id])

    assert isinstance(event, HistorySeen)
    assert event.asked_for == (bench.connection_id,)
    assert (event.at, event.received_at) == (bench.theirs, LATER)
    assert bench.connection_id in str(bench.calls()[0].url)


def test_history_of_several_connections_is_one_question(bench, asker):
    path = f"/companies/{bench.company_id}/data/history"
    rows = [bench.dataset(number, connectionId=f"k-{number}") for number in range(1, 6)]
    bench.answers("GET", path, bench.json(bench.page(rows)))

    some = asker.ask_history(bench.company_id, ["k-1", "k-4", "k-9"])
    every = asker.ask_history(bench.company_id)

    assert len(bench.calls()) == 2
    assert [row.connection_id for row in some.datasets] == ["k-1", "k-4"]
    assert [row.connection_id for row in every.datasets] == [f"k-{number}" for number in range(1, 6)]


def test_history_of_a_company_that_we_are_not_shown_is_no_answer(bench, asker):
    bench.answers("GET", f"/companies/{bench.company_id}/data/history", bench.error(404))

    with pytest.raises(CompanyUnseen):
        asker.ask_history(bench.company_id)


def test_each_answer_has_an_id_of_its_own(bench, answers):
    answers(bench.json(bench.connection()))
    asker = QuestionClient(bench.client)

    ids = {asker.ask_connection(bench.company_id, bench.connection_id).event_id for _ in range(3)}
    received = asker.ask_connection(bench.company_id, bench.connection_id).received_at

    assert len(ids) == 3
    assert abs(datetime.now(UTC) - received) < timedelta(minutes=1)
