"""Authorisations that no first sync follows: noticed, said, and started where that is wanted."""

from datetime import timedelta

import httpx
import pytest

from processor.reconciliation.first_syncs import FirstSyncs
from processor.store import keys
from tests.support import messages
from tests.support.truth import EVERY, TruthBench
from workers.reconciliation.poller import Poller


def token_brought(truth: TruthBench) -> tuple[str, str]:
    """A company and its connection, to which somebody brought a token from an integration of their own."""
    company = truth.company()
    connection = truth.connect(company)
    answer = httpx.put(
        f"{truth.server.url}/companies/{company}/connections/{connection}/authorization",
        json={"accessToken": "a token"},
        headers={"Authorization": truth.server.config.api_authorization},
        trust_env=False,
    )
    assert answer.json()["status"] == "Linked"
    truth.bench.handle(messages.connected(company, connection, at=truth.clock()))
    return company, connection


def watch(truth: TruthBench, company: str, monitor: Poller, *, for_: timedelta) -> None:
    """Make the looks that are due within that time."""
    end = truth.clock() + for_
    while truth.clock() < end:
        truth.clock.forward(max(1.0, truth.next_look(company) or 0.0))
        monitor.run()
        truth.settle()


def starting(truth: TruthBench) -> Poller:
    """A monitor as START_FIRST_SYNC makes it."""
    return Poller(
        truth.bench.client,
        reader=truth.bench.reader,
        comparer=truth.polling.comparer,
        enqueuer=truth.polling.enqueuer,
        interval=EVERY,
        first_syncs=FirstSyncs(truth.bench.client, truth.codat),
        clock=truth.clock,
    )


def missing(truth: TruthBench, connection: str) -> list[str]:
    """The lines on the timeline that say that nothing follows."""
    return [
        line["reason"]
        for line in truth.bench.timeline(connection)
        if "no first sync follows" in line["reason"]
    ]


def test_what_nothing_is_queued_for_is_said_once_and_never_looks_stuck(truth: TruthBench) -> None:
    """A token was brought, and no first read follows one: `authorized` for ever, then "stuck"."""
    company, connection = token_brought(truth)

    watch(truth, company, truth.monitor, for_=timedelta(hours=2))

    assert truth.bench.state(connection) == "authorized"
    assert len(missing(truth, connection)) == 1
    assert "stuck" not in " ".join(line["reason"] for line in truth.bench.timeline(connection))
    assert not truth.wire.paths("/data/all")
    assert truth.count("missed_messages") == 0


def test_it_is_started_by_itself_where_that_is_wanted(truth: TruthBench) -> None:
    """Somebody who brings tokens by the thousand will not press "read now" for each."""
    company, connection = token_brought(truth)
    monitor = starting(truth)

    watch(truth, company, monitor, for_=timedelta(minutes=10))
    assert truth.world.find_connection(connection).first_read is not None
    if truth.bench.state(connection) != "ready":  # its message is lost; the next look finds it
        truth.change(connection, "complete-sync")
        watch(truth, company, monitor, for_=timedelta(minutes=10))

    assert truth.bench.state(connection) == "ready"
    assert truth.bench.told_types(connection) == ["connection.authorized", "initial_sync.completed"]
    assert len(truth.wire.paths("/data/all")) == 1


def test_it_is_started_once_per_authorisation(truth: TruthBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no data type is fetched on first link Codat reads nothing, however often it is told to."""
    monkeypatch.setattr(truth.simulation.reading, "run_read", lambda *_: None)
    company, connection = token_brought(truth)
    monitor = starting(truth)

    watch(truth, company, monitor, for_=timedelta(hours=3))
    assert len(truth.wire.paths("/data/all")) == 1

    truth.change(connection, "unlink")
    truth.bench.handle(messages.disconnected(company, connection, status="Unlinked", at=truth.clock()))
    truth.clock.forward(90)
    truth.settle(for_s=90)
    truth.change(connection, "reauthorize")
    truth.bench.handle(messages.reconnected(company, connection, at=truth.clock()))
    watch(truth, company, monitor, for_=timedelta(hours=1))
    assert len(truth.wire.paths("/data/all")) == 2

    truth.erasure.erase(company, truth.clock())
    assert not truth.bench.client.hexists(keys.first_syncs(keys.cell_of(company)), company)


def test_what_codat_refuses_is_tried_again(truth: TruthBench) -> None:
    """Codat was in maintenance just then: the authorisation would have been left alone for good."""
    truth.fault(path="/data/all", method="POST", status=503, count=1)
    company, connection = token_brought(truth)

    watch(truth, company, starting(truth), for_=timedelta(minutes=20))

    assert truth.world.find_connection(connection).first_read is not None
    assert len(truth.wire.paths("/data/all")) == 2
