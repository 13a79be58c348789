"""The funnel: the same in the API, on the page and in the command, and the same as a recount."""

import dataclasses
import json

from click.testing import CliRunner

from processor.cli import main
from processor.store import keys, records
from tests.processor.web.ops.operating import Operator
from tests.processor.web.v1.filling import CANCELLED, KEY, Filling
from tests.support import cells

ZERO = {"chosen": 0, "authorized": 0, "read": 0, "ready": 0}


def fill(filling: Filling) -> None:
    """One ready connection, one that gave up, one that waits, one that was ready and ended."""
    filling.make_ready("xero")
    filling.tell("connection.created", "stripe", company="c2")
    filling.tell("connection.failed", "stripe", company="c2", said={"dataConnectionErrors": [CANCELLED]})
    filling.tell("connection.created", "waiting", company="c3")
    filling.make_ready("ended", company="c4")
    filling.tell("connection.disconnected", "ended", company="c4", said={"status": "Unlinked"})
    filling.drain()


def test_each_step_and_each_stop_is_counted(redis_url: str) -> None:
    filling = Filling(redis_url, OPERATOR_PASSWORD="a pässword: with colons")
    try:
        http = filling.app.test_client()
        headers = {"Authorization": f"Bearer {KEY}"}
        empty = http.get("/v1/funnel", headers=headers).json
        assert empty["total"] == {**ZERO, "conversion": None, "median_s": {}, "stops": {}}
        fill(filling)
        found = http.get("/v1/funnel", headers=headers).json
        assert {name: found["total"][name] for name in ZERO} == {
            "chosen": 4,
            "authorized": 2,
            "read": 2,
            "ready": 2,
        }
        assert found["total"]["conversion"] == 0.5
        assert found["total"]["median_s"] == {"authorized": 60.0, "read": 120.0, "ready": 120.0}
        assert found["total"]["stops"] == {"cancelled": 1, "not authorised yet": 1}
        assert {(row["platform"], row["source_type"]) for row in found["rows"]} == {
            ("Xero", "Accounting"),
            ("Stripe", "Commerce"),
            ("unknown", "unknown"),
        }
        assert "m-c1" not in json.dumps(found)
        assert http.get("/v1/funnel?days=0", headers=headers).status_code == 422
        shown = Operator(filling).read("/ops/funnel")
        assert "Conversion 50%" in shown
        assert "Stopped: cancelled 1" in shown
    finally:
        filling.close()


def test_the_recount_is_the_same_until_a_record_is_wrong(redis_url: str) -> None:
    filling = Filling(redis_url)
    try:
        fill(filling)
        run = CliRunner(env=filling.environ)
        words = ["funnel", "--days", "3650", "--verify", "--json"]
        result = run.invoke(main, words)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["same"] is True
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
