"""The page and the command about the move from legacy alerts to current messages."""

import json
from datetime import timedelta
from typing import Any

from click.testing import CliRunner

from processor.cli import main
from processor.resources import migration
from tests.processor.web.ops.operating import Operator
from tests.processor.web.v1.filling import Filling


def alert(filling: Filling, rule_type: str, **data: Any) -> None:
    """A legacy alert about the connection that Codat's samples have."""
    body = {"AlertId": str(filling.now), "RuleType": rule_type, "CompanyId": "c1", "Data": data}
    filling.accept(json.dumps(body).encode())


def live(filling: Filling) -> None:
    """A connection whose story both generations tell."""
    status = {"dataConnectionId": "xero", "platformKey": "gbol"}
    filling.tell("connection.created")
    alert(filling, "DataConnectionStatusChanged", **status, newStatus="PendingAuth")
    filling.tell("connection.connected")
    alert(filling, "Company data connection status changed", **status, newStatus="Linked")
    filling.read(invoices="Complete")
    alert(filling, "New company synchronised")
    alert(filling, "Dataset data changed", dataConnectionId="xero", dataType="invoices")
    filling.drain()


def test_the_page_says_when_legacy_can_be_switched_off(operator: Operator, filling: Filling) -> None:
    assert operator.read("/ops/migration").startswith("No legacy alert has come")
    live(filling)
    shown = operator.read("/ops/migration")
    assert shown.startswith("Legacy cannot be switched off yet")
    assert "Both generations have come for less than 7 days." in shown
    for subject in ("platform chosen", "access given", "first sync complete", "data read"):
        assert f"{subject} 1 1 1 0 0 0" in shown, subject
    filling.now += timedelta(days=8)
    assert operator.read("/ops/migration").startswith("Legacy can be switched off")
    alert(filling, "DataConnectionStatusChanged", dataConnectionId="xero", newStatus="Deauthorized")
    filling.now += timedelta(hours=2)
    shown = operator.read("/ops/migration")
    assert shown.startswith("Legacy cannot be switched off yet")
    assert "access ended: an alert of" in shown
    assert "connection.disconnected" in shown


def test_a_page_that_stops_early_says_so(operator: Operator, filling: Filling, monkeypatch: Any) -> None:
    live(filling)
    monkeypatch.setattr(migration, "MAX_ON_PAGE", 2)
    shown = operator.read("/ops/migration")
    assert "There are more: codat-processor migration looks at all of them." in shown
    assert not shown.startswith("Legacy can be")


def test_the_command_prints_the_same(filling: Filling) -> None:
    """Its clock is the real one, so nothing of the store's past is in its window but by ``--days``."""
    live(filling)
    run = CliRunner(env=filling.environ)
    result = run.invoke(main, ["migration", "--days", "3650", "--json"])
    printed = json.loads(result.stdout)
    assert {row["subject"]: (row["both"], row["legacy_only"]) for row in printed["days"]} == {
        "platform chosen": (1, 0),
        "access given": (1, 0),
        "first sync complete": (1, 0),
        "data read": (1, 0),
    }
    assert result.exit_code == (0 if printed["safe"] else 1)
    shown = run.invoke(main, ["migration", "--days", "3650"]).stdout
    assert "access given" in shown
    assert ("Legacy can be switched off" in shown) is printed["safe"]
