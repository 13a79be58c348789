"""What a company that is due needs, by what is known of its connections."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.connection import Connection
from handlers.facts import Fact, FactKind
from processor.clock import to_ms
from processor.reconciliation.poll_schedule import MONITOR, STUCK, DuePoll, plan_poll

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DUE = DuePoll("co", NOON, None, None, None)


@pytest.mark.parametrize(
    ("platform", "stuck"),
    [
        ("Xero", True),
        (None, True),
        ("QuickBooks Online", True),
        ("QuickBooks Desktop", False),
        ("Sage 50 UK", False),
    ],
)
def test_software_on_the_customers_computer_is_not_stuck_while_that_is_off(
    platform: str | None, stuck: bool
) -> None:
    """After 15 minutes QuickBooks Desktop "looked stuck", though it reads in the evening only."""
    linked = Fact(FactKind.LINKED, NOON, NOON, "e1")
    connection = Connection("c1", "co", platform_name=platform).with_facts([linked])
    now = NOON + timedelta(minutes=20)
    plan = plan_poll(DUE, [(connection, to_ms(NOON))], now, timedelta(days=1))
    assert plan.trigger == (STUCK if stuck else MONITOR)
    assert plan.backoff_s is not None, "it is polled all the same"
