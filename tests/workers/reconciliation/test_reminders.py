"""Reminders by the clock: kept with what they are about, told once, and gone with their company."""

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from processor.clock import to_ms
from processor.container import for_worker
from processor.settings.loading import load
from processor.store import keys
from processor.store.decoding import texts
from tests.support import cells, messages, serving
from tests.support.truth import TruthBench
from workers import runtime

DAY_S = 86_400.0
ONE, THREE = "reminder.pending_day_1", "reminder.pending_day_3"


def reminded(truth: TruthBench, connection: str) -> list[str]:
    """The reminders that were decided of a connection, oldest first."""
    return [type_ for type_ in truth.bench.told_types(connection) if type_.startswith("reminder.")]


def later(truth: TruthBench, days: float) -> None:
    """Let time pass, and the clock call for reminders once a day."""
    for _ in range(int(days)):
        truth.clock.forward(DAY_S)
        truth.reminders.run()
    if days % 1:
        truth.clock.forward(days % 1 * DAY_S)
        truth.reminders.run()


@pytest.fixture(autouse=True)
def _noon(truth: TruthBench) -> None:
    truth.clock.forward((12 - truth.clock().hour) % 24 * 3600)


def left(truth: TruthBench, company: str = "company-1", connection: str = "connection-1") -> None:
    """A platform was chosen and left."""
    truth.bench.handle(messages.created(company, connection, at=truth.clock()))


def test_what_was_left_is_told_once_on_both_days_by_the_maintenance(truth: TruthBench) -> None:
    left(truth)
    for _ in range(9 * 6):
        truth.clock.forward(4 * 3600)
        truth.sweep.run()
    assert reminded(truth, "connection-1") == [ONE, THREE]
    truth.bench.publish()
    (first, second) = [body for body in truth.bench.published() if body["type"].startswith("reminder.")]
    assert first["data"]["state"] == "pending"
    assert first["data"]["platform_name"] == "Xero"
    assert first["data"]["ends_at"] is None
    assert first["id"] != second["id"]


def test_two_clocks_and_a_decision_that_is_overtaken_tell_once(
    truth: TruthBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker decides, and a message changes the connection, between the look and the commit."""
    left(truth)
    truth.clock.forward(DAY_S)
    plan, meanwhile = truth.reminders._plan, []

    def disturbed(*args: Any) -> Any:
        result = plan(*args)
        if not meanwhile:
            meanwhile.append(1)
            truth.reminders.decide("company-1")
            truth.bench.handle(messages.connected("company-1", "connection-1", at=truth.clock()))
        return result

    monkeypatch.setattr(truth.reminders, "_plan", disturbed)
    assert truth.reminders.decide("company-1") == 0
    assert reminded(truth, "connection-1") == [ONE]
    later(truth, 8)
    assert reminded(truth, "connection-1") == [ONE], "it is connected now"


def test_nothing_old_comes_after_the_clock_was_down(truth: TruthBench) -> None:
    left(truth)
    later(truth, 1)
    truth.clock.forward(30 * DAY_S)
    truth.reminders.run()
    assert reminded(truth, "connection-1") == [ONE]


def test_a_read_that_is_due_is_started_and_a_refusal_is_tried_again(truth: TruthBench) -> None:
    company = truth.company()
    connection = truth.connect(company)
    truth.bench.handle(messages.connected(company, connection, at=truth.clock()))
    truth.bench.handle(messages.initial_read(company, connection, at=truth.clock()))
    truth.fault(path="/data/all", method="POST", status=503, count=1)
    later(truth, 25.5)
    assert reminded(truth, connection) == []
    later(truth, 1)
    assert reminded(truth, connection) == ["reminder.read_due"]
    assert truth.bench.told(connection)[-1]["data"]["read_started"] is True
    assert len(truth.wire.paths("/data/all")) == 2
    later(truth, 20)
    assert len(truth.wire.paths("/data/all")) == 2, "once a month"


def connected(truth: TruthBench, name: str) -> str:
    """A company with a platform that is connected; its id."""
    company = truth.company(name)
    truth.bench.handle(messages.connected(company, truth.connect(company), at=truth.clock()))
    return company


def test_while_codat_is_away_one_read_is_tried_and_the_others_wait_an_hour(truth: TruthBench) -> None:
    """Each attempt may take until the time limit, and the maintenance has other tasks."""
    companies = [connected(truth, f"shop-{number}") for number in range(3)]
    truth.fault(path="/data/all", method="POST", status=503, count=1)
    later(truth, 25)
    assert len(truth.wire.paths("/data/all")) == 1
    truth.clock.forward(3600)
    truth.reminders.run()
    assert len(truth.wire.paths("/data/all")) == len(companies)
    later(truth, 1)
    assert len(truth.wire.paths("/data/all")) == len(companies) + 1


def test_a_worker_keeps_to_the_pause_between_two_reads(truth: TruthBench, redis_url: str) -> None:
    company = connected(truth, "shop")
    environ = {"REDIS_URL": redis_url, "CODAT_API_URL": truth.server.url}
    settings = load({**serving.ENVIRON, "CODAT_API_KEY": truth.server.config.api_key, **environ})
    built = runtime.build(dataclasses.replace(for_worker(settings), clock=truth.clock))
    truth.clock.forward(26 * DAY_S)
    assert not truth.bench.client.exists(keys.told_to_read(company))
    built.maintenance._tasks["remind"].run()
    assert list(built.maintenance._tasks)[-1] == "remind", "reads may hold up the others"
    assert truth.bench.client.exists(keys.told_to_read(company))
    built.container.redis.close()


def test_without_reminders_nothing_is_decided(truth: TruthBench) -> None:
    truth.reminders._settings = dataclasses.replace(truth.settings, reminders="off")
    left(truth)
    later(truth, 4)
    assert truth.bench.told_types() == []


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland"])
def test_the_quiet_hours_are_those_of_the_company(truth: TruthBench, zone: str) -> None:
    """Noon in London is one o'clock at night in Auckland."""
    left(truth)
    truth.bench.client.hset(keys.company("company-1"), "time_zone", zone)
    truth.clock.forward(DAY_S)
    truth.reminders.run()
    assert reminded(truth, "connection-1") == ([ONE] if zone == "UTC" else [])
    later(truth, 0.5)
    assert reminded(truth, "connection-1") == [ONE]


def test_a_zone_that_this_machine_does_not_know_holds_up_nobody(truth: TruthBench) -> None:
    """The company itself is reminded by the clock of TIME_ZONE."""
    for number in (1, 2):
        left(truth, f"company-{number}", f"connection-{number}")
        truth.bench.client.hset(keys.company(f"company-{number}"), "time_zone", "posix/Nowhere")
    later(truth, 1)
    assert [reminded(truth, f"connection-{number}") for number in (1, 2)] == [[ONE], [ONE]]


def test_a_company_that_cannot_be_read_is_looked_at_again_and_nobody_is_written_to(truth: TruthBench) -> None:
    left(truth)
    client, company = truth.bench.client, keys.company("company-1")
    later(truth, 1)
    truth.bench.publish()
    (body,) = [notification for notification in truth.bench.published() if notification["type"] == ONE]
    assert truth.reminders.obstacle(body) is None
    client.hset(company, "contact_email", "enc:of-a-lost-key")
    obstacle = truth.reminders.obstacle(body)
    assert obstacle is not None
    assert obstacle.wait is not None, "it is tried again"
    later(truth, 1)
    client.hdel(company, "contact_email")
    later(truth, 2)
    assert reminded(truth, "connection-1") == [ONE, THREE]


def test_what_is_kept_is_bounded_and_goes_with_the_company(truth: TruthBench) -> None:
    """However often access is given and lost: a field for each reminder and connection."""
    for _ in range(5):
        truth.bench.handle(messages.reconnected("company-1", "connection-1", at=truth.clock()))
        truth.clock.forward(3600)
        truth.bench.handle(messages.disconnected("company-1", "connection-1", at=truth.clock()))
        later(truth, 10)
    assert reminded(truth, "connection-1") == ["reminder.access_lost"] * 5
    table = keys.reminded("company-1")
    assert texts(truth.bench.client.hkeys(table)) == ["reminder.access_lost connection-1"]
    left(truth, connection="connection-2")
    assert cells.score(truth.bench.client, keys.reminders, "company-1") == to_ms(
        truth.clock() + timedelta(hours=1)
    )
    truth.erasure.erase("company-1", truth.clock())
    assert not truth.bench.client.exists(table)
    assert cells.score(truth.bench.client, keys.reminders, "company-1") is None
    later(truth, 4)
    assert json.dumps(truth.bench.published()).count("reminder.") == 0
