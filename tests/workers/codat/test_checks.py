"""Bad and late news is told after a check with Codat; an API that lags begins nothing."""

from datetime import timedelta

import pytest

from handlers.registry import Policy
from processor.clock import from_iso
from tests.support import messages
from tests.workers.codat.asking import PATIENCE_S, Codat, linked
from workers.codat.questions import RETRY_S


def test_bad_news_is_told_only_after_codat_was_asked(codat: Codat) -> None:
    connection = linked(codat)
    at = codat.change("deauthorize", connection)
    codat.bench.handle(messages.disconnected(connection.company, connection.id, at=at))
    assert codat.bench.state(connection.id) == "deauthorized"
    assert codat.bench.told_types(connection.id) == ["connection.authorized"]

    (asked,) = codat.settle(for_s=PATIENCE_S)

    assert 3 <= asked < 10
    assert codat.bench.told_types(connection.id) == ["connection.authorized", "connection.deauthorized"]
    told = codat.bench.told(connection.id)[-1]
    assert told["data"]["previous_state"] == "authorized"
    assert from_iso(told["data"]["occurred_at"]) == at
    checking, seen = codat.bench.timeline(connection.id)[-2:]
    assert checking["decisions"][0]["verdict"] == "checking"
    assert (seen["source"], seen["decisions"][0]["verdict"]) == ("codat-api", "told")


def test_bad_news_that_was_overtaken_is_never_told(codat: Codat) -> None:
    connection = linked(codat)
    at = codat.change("deauthorize", connection)
    codat.bench.clock.forward(4)
    codat.change("reauthorize", connection)  # whose message is lost
    codat.bench.handle(messages.disconnected(connection.company, connection.id, at=at))

    codat.settle(for_s=2 * PATIENCE_S)

    assert codat.bench.state(connection.id) == "authorized"
    assert codat.bench.told_types(connection.id) == ["connection.authorized", "connection.reauthorized"]
    verdicts = [
        decision["verdict"]
        for line in codat.bench.timeline(connection.id)
        for decision in line["decisions"]
        if decision["type"] == "connection.deauthorized"
    ]
    assert verdicts == ["checking", "overtaken"]


def test_while_codat_is_down_bad_news_is_told_when_patience_is_over_and_not_before(codat: Codat) -> None:
    connection = linked(codat)
    at = codat.change("deauthorize", connection)
    codat.break_down()
    codat.bench.handle(messages.disconnected(connection.company, connection.id, at=at))

    asked = codat.settle(for_s=PATIENCE_S - 0.5)
    assert codat.bench.told_types(connection.id) == ["connection.authorized"]
    assert len(asked) > 5  # it went on asking meanwhile
    codat.settle(for_s=1)

    assert codat.bench.told_types(connection.id)[-1] == "connection.deauthorized"
    last = codat.bench.timeline(connection.id)[-1]
    assert (last["event_type"], last["decisions"][0]["verdict"]) == ("codat-api.unanswered", "told")
    assert codat.bench.next_question() is None


def test_codat_coming_back_in_time_is_believed(codat: Codat) -> None:
    connection = linked(codat)
    at = codat.change("deauthorize", connection)
    codat.break_down()
    codat.bench.handle(messages.disconnected(connection.company, connection.id, at=at))
    codat.settle(for_s=30)
    codat.answer_again()

    codat.settle(for_s=RETRY_S + 1)

    assert codat.bench.told_types(connection.id)[-1] == "connection.deauthorized"


def test_late_news_is_checked_before_it_is_told(codat: Codat) -> None:
    connection = codat.connect()
    at = codat.change("authorize", connection)
    codat.bench.clock.forward(3600)
    codat.change("unlink", connection)  # we are told of neither, and then of the first

    codat.bench.handle(messages.connected(connection.company, connection.id, at=at))
    codat.settle(for_s=2 * PATIENCE_S)

    assert codat.bench.state(connection.id) == "unlinked"
    assert "connection.authorized" not in codat.bench.told_types(connection.id)


def test_without_patience_nothing_waits(codat: Codat) -> None:
    connection = linked(codat)
    codat.bench.policy = Policy(can_ask=True, patience_s=0)
    at = codat.change("deauthorize", connection)

    codat.bench.handle(messages.disconnected(connection.company, connection.id, at=at))

    assert codat.bench.told_types(connection.id)[-1] == "connection.deauthorized"


@pytest.mark.parametrize("lag_s", [5, 59])
@pytest.mark.parametrize("offset_s", [0, 290, -290])
def test_an_api_that_lags_begins_nothing(codat: Codat, lag_s: int, offset_s: int) -> None:
    """A look 3 s after an end showed the status of 5 s ago: a reauthorisation was told that never was,
    and the number of authorisations stayed wrong."""
    codat.ahead = timedelta(seconds=offset_s)
    connection = linked(codat)
    codat.bench.clock.forward(300)
    at = codat.change("deauthorize", connection)
    codat.simulation.faults.plan({"lag_s": lag_s})
    codat.bench.handle(messages.disconnected(connection.company, connection.id, at=at))

    codat.settle(for_s=2 * PATIENCE_S)

    assert codat.bench.told_types(connection.id) == ["connection.authorized", "connection.deauthorized"]
    assert codat.bench.told(connection.id)[-1]["data"]["authorization"] == 1
    assert codat.bench.state(connection.id) == "deauthorized"
