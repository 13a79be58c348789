"""The funnel: the same in the API, on the page and in the command, and the same as a recount."""

import dataclasses
import json

from click.testing import CliRunner
from redis import Redis

from processor.cli import main
from processor.clock import to_ms, utc_now
from processor.journey.companies import CompanyService
from processor.journey.events import JourneyEvents
from processor.journey.lookup import Lookup
from processor.journey.records import Records
from processor.journey.visit_steps import VisitSteps
from processor.resources import funnel
from processor.store import keys, records
from processor.store.queries import Reader
from processor.store.visit_steps import VisitStep
from tests.processor.web.ops.operating import Operator
from tests.processor.web.v1.filling import CANCELLED, KEY, Filling
from tests.support import cells

ZERO = {"opened": 0, "chosen": 0, "at_codat": 0, "authorized": 0, "read": 0, "ready": 0}


def fill(filling: Filling) -> None:
    """One ready connection, one that gave up, one that waits, one that was ready and ended."""
    filling.make_ready("xero")
    filling.tell("connection.created", "stripe", company="c2")
    filling.tell("connection.failed", "stripe", company="c2", said={"dataConnectionErrors": [CANCELLED]})
    filling.tell("connection.created", "waiting", company="c3")
    filling.make_ready("ended", company="c4")
    filling.tell("connection.disconnected", "ended", company="c4", said={"status": "Unlinked"})
    filling.drain()
    container = filling.container
    container.redis.hset(keys.company("c5"), "id", "c5")
    reader = container.reader
    companies = CompanyService(records=Records(container.redis), reader=reader, clock=utc_now)
    events = JourneyEvents(
        inbox=container.inbox, waker=container.waker, reader=reader, clock=lambda: filling.now, settle_s=0
    )
    steps = VisitSteps(container.redis, lookup=Lookup(companies, reader), events=events)
    for company in ("c3", "c5", "c5", "unknown"):
        steps.take(VisitStep.OPENED, company)
    steps.take(VisitStep.AT_CODAT, "c3", "waiting")
    filling.drain()


def test_each_step_and_each_stop_is_counted(redis_url: str) -> None:
    filling = Filling(redis_url, OPERATOR_PASSWORD="a pässword: with colons")
    try:
        http = filling.app.test_client()
        headers = {"Authorization": f"Bearer {KEY}"}
        empty = http.get("/v1/funnel", headers=headers).json
        assert empty["total"] == {**ZERO, "conversion": None, "median_s": {}, "stops": {}, "reasons": {}}
        assert len(empty["days"]) == 31
        fill(filling)
        body = http.get("/v1/funnel", headers=headers).json
        assert {name: body["total"][name] for name in ZERO} == {
            "opened": 2,
            "chosen": 4,
            "at_codat": 4,
            "authorized": 2,
            "read": 2,
            "ready": 2,
        }
        assert body["total"]["conversion"] == 0.5
        assert body["total"]["median_s"] == {
            "chosen": 0.0,
            "at_codat": 60.0,
            "authorized": 60.0,
            "read": 120.0,
            "ready": 120.0,
        }
        assert body["total"]["stops"] == {
            "cancelled": 1,
            "left without choosing": 1,
            "never came back": 1,
        }
        assert sum(day["opened"] for day in body["days"]) == 2
        only = http.get("/v1/funnel?platform=Stripe", headers=headers).json
        assert (only["total"]["chosen"], only["total"]["opened"]) == (1, 0)
        assert [row["platform"] for row in only["platforms"]] == ["Stripe"]
        assert {(row["platform"], row["source_type"]) for row in body["rows"]} == {
            ("Xero", "Accounting"),
            ("Stripe", "Commerce"),
            ("unknown", "unknown"),
        }
        assert "m-c1" not in json.dumps(body)
        assert http.get("/v1/funnel?days=0", headers=headers).status_code == 422
        shown = Operator(filling).read("/ops/funnel")
        assert "Conversion 50%" in shown
        assert "Cancelled 1" in shown
        assert "Never came back 1" in shown
        page = Operator(filling).open("/ops/funnel")
        assert page.text.count("<svg") == 7
        sheet = Operator(filling).open("/ops/funnel?format=csv").text.splitlines()
        assert len(sheet) == 1 + len(body["rows"])
    finally:
        filling.close()


def test_no_more_links_are_read_than_connections(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        reader, now = Reader(client), utc_now()
        most, cells = 3 * len(keys.cells()), keys.cells()
        for cell in cells:
            opened: dict[str | bytes, bytes | float | int | str] = {
                f"{cell}-{number}": to_ms(now) + number for number in range(3 if cell else 9)
            }
            client.zadd(keys.visit_steps(cell, VisitStep.OPENED), opened)
        counted = funnel.report(reader, now, max_connections=most)
        assert (counted["total"]["opened"], counted["complete"]) == (most, False)
        assert funnel.report(reader, now, max_connections=most, platform="Xero")["complete"] is True
        counted = funnel.report(reader, now, max_connections=10 * len(cells))
        assert (counted["total"]["opened"], counted["complete"]) == (most + 6, True)


def test_the_recount_is_the_same_until_a_record_is_wrong(redis_url: str) -> None:
    filling = Filling(redis_url)
    try:
        fill(filling)
        run = CliRunner(env=filling.environ)
        words = ["funnel", "--days", "3650", "--verify", "--json"]
        result = run.invoke(main, words)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["same"] is True
        assert json.loads(result.stdout)["not_recounted"] == 0
        opened = keys.visit_steps(keys.cell_of("c5"), VisitStep.OPENED)
        at_ms = filling.container.redis.zscore(opened, "c5")
        filling.container.redis.zrem(opened, "c5")
        assert run.invoke(main, words).exit_code == 1
        filling.container.redis.zadd(opened, {"c5": at_ms or 0})
        assert run.invoke(main, words).exit_code == 0
        stored = filling.container.reader.connection("xero")
        assert stored is not None
        less = dataclasses.replace(stored.connection, facts=stored.connection.facts[:-1])
        store = filling.container.redis
        row = records.connection_row(less, "authorized", stored.first_heard_ms)
        store.set(cells.where(store, keys.connection, "xero"), row)
        result = run.invoke(main, words[:-1])
        assert result.exit_code == 1
        assert "The recount from the kept messages differs." in result.output
    finally:
        filling.close()
