"""``connections repair``: a damaged record is made again."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from redis import Redis

from processor.simulator import SimulatorServer
from processor.store import keys
from processor.store.damaged_records import unreadable_records
from tests.processor.cli import test_reconciliation
from tests.processor.web.v1.filling import Filling
from tests.support import cells
from tests.support.workbench import Workbench

Run = Callable[..., Result]
GARBAGE = b"ready\n1\n{garbage"


def test_a_damaged_connection_is_made_again_from_kept_messages(filling: Filling, run: Run) -> None:
    """A connection's record held garbage, and no command could mend it: messages about it failed for good.

    Now it is folded from the kept messages, nobody is told again, and what waited for it is handled.
    """
    filling.make_ready("xero")
    before = run("connections", "show", "xero", "--json").stdout
    told = cells.members(filling.container.redis, keys.outbox)
    filling.container.redis.set(cells.where(filling.container.redis, keys.connection, "xero"), GARBAGE)
    filling.tell("connection.disconnected", "xero", said={"status": "Unlinked"})
    filling.drain()
    assert run("connections", "list").exit_code == 0

    done = run("connections", "repair", "xero", "--json")
    assert done.exit_code == 0, done.output
    fields = json.loads(done.stdout)
    assert (fields["source"], fields["count"], fields["replayed"]) == ("messages", 3, 1)

    after = json.loads(run("connections", "show", "xero", "--json").stdout)
    assert after["state"] == "unlinked"
    kept = ("authorization", "authorized_at", "data_types", "merchant_id", "platform_name", "first_heard_at")
    assert {name: after[name] for name in kept} == {name: json.loads(before)[name] for name in kept}
    now = cells.members(filling.container.redis, keys.outbox)
    assert now[: len(told)] == told
    assert unreadable_records(filling.container.redis, filling.container.reader) == []
    assert cells.score(filling.container.redis, keys.connections_in, "xero", "ready") is None

    again = run("connections", "repair", "xero")
    assert again.exit_code == 1
    assert "nothing to repair" in again.output
    assert "no connection with this id" in run("connections", "repair", "nobody").output


def test_without_kept_messages_and_without_codat_nothing_is_lost(filling: Filling, run: Run) -> None:
    """Where neither messages nor Codat can tell, the damaged bytes stay for whoever can read them."""
    filling.make_ready("xero")
    store = filling.container.redis
    store.set(cells.where(store, keys.connection, "xero"), GARBAGE)
    cells.forget_messages(store, "c1")

    result = run("connections", "repair", "xero")
    assert result.exit_code == 1
    assert "CODAT_API_KEY" in result.output
    assert store.get(cells.where(store, keys.connection, "xero")) == GARBAGE


codat, bench = test_reconciliation.codat, test_reconciliation.bench
truth_run = pytest.fixture(name="ask")(test_reconciliation.run.__wrapped__)  # type: ignore[attr-defined]


def test_without_kept_messages_codat_is_asked(
    ask: Run, codat: SimulatorServer, bench: Workbench, redis_url: str
) -> None:
    """Messages are kept for 30 days: a connection damaged later is made again from what Codat shows.

    A reconcile beside it goes on with the others and names it.
    """
    company, connection = test_reconciliation.shop(codat, "Bakery", "authorize", "complete-sync")
    other, _ = test_reconciliation.shop(codat, "Florist", "authorize")
    assert ask("reconcile").exit_code == 0
    store: Redis[Any] = bench.client
    store.set(cells.where(store, keys.connection, connection), GARBAGE)
    cells.forget_messages(store, company)
    told = cells.count(store, keys.outbox)

    compared = ask("reconcile", "--json")
    assert compared.exit_code == 1, compared.output
    fields = json.loads(compared.stdout)
    assert (fields["companies"], [problem["connection_id"] for problem in fields["problems"]]) == (
        2,
        [connection],
    )
    assert f"connections repair {connection}" in fields["problems"][0]["detail"]

    result = ask("connections", "repair", connection)
    assert result.exit_code == 0, result.output
    assert "is ready: made again from" in result.output
    assert bench.state(connection) == "ready"
    assert cells.count(store, keys.outbox) == told
    assert ask("reconcile").exit_code == 0
    del redis_url, other
