"""Everything in the store has a bound or a lifetime: the documented table, and a year of a company."""

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from redis import Redis

from processor.store import keys
from tests.processor.store.test_keys import FUNCTIONS, maker
from tests.support import cells, messages
from tests.support.effort import IN_CI
from tests.support.workbench import Workbench

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
COMPANY, CONNECTION = "company-1", "connection-1"
DAYS_OF_A_STEP = 5
LAST_DAY = 360 if IN_CI else 150


def laws() -> dict[str, str]:
    """What each key of the table grows with, by the function that makes it."""
    section = OPERATIONS.read_text().partition("## What grows\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", section, re.MULTILINE)
    return {name: law for names, law in rows for name in re.findall(r"`(\w+)`", names)}


def sizes(client: "Redis[Any]") -> Counter[str]:
    """The bytes of all keys of each function."""
    used: Counter[str] = Counter()
    for name in client.scan_iter("codat:*", count=1_000):
        used[maker(name.decode())] += client.memory_usage(name, samples=0) or 0
    return used


def test_the_table_names_every_key() -> None:
    assert laws().keys() == FUNCTIONS.keys()


def test_a_company_needs_after_a_year_no_more_than_after_two_months(client: "Redis[Any]") -> None:
    """Time passes for the service alone: what the engine itself lets expire stays."""
    bench = Workbench(client)
    clock = bench.ticking(retention_days=30)
    began, after = bench.clock(), {}
    for step in range(1, LAST_DAY // DAYS_OF_A_STEP + 1):
        bench.clock.now = now = began + timedelta(days=step * DAYS_OF_A_STEP)
        bench.fill(
            [
                messages.reconnected(COMPANY, CONNECTION, at=now),
                messages.initial_read(COMPANY, CONNECTION, at=now + timedelta(seconds=1)),
                *(messages.read(COMPANY, CONNECTION, at=now + timedelta(seconds=n)) for n in range(2, 6)),
                messages.disconnected(COMPANY, CONNECTION, at=now + timedelta(seconds=9)),
            ]
        )
        bench.inbox.quarantine(f"odd-{step}", b"?", now, "why")
        bench.drain_all()
        clock.tick()
        if step * DAYS_OF_A_STEP in (60, LAST_DAY):
            after[step * DAYS_OF_A_STEP] = sizes(client), cells.fields(client, keys.messages)
    (early, kept_early), (late, kept_late) = after[60], after[LAST_DAY]

    assert late.keys() <= laws().keys()
    assert kept_late == kept_early
    for name, law in laws().items():
        if law in ("messages", "waiting messages", "connections", "companies", "constant"):
            assert late[name] <= 2 * early[name] + 500, (name, early[name], late[name])
    entries = client.llen(cells.where(client, keys.timeline, CONNECTION))
    assert late["timeline"] <= entries * 600
    assert late["notification"] <= 7 * early["notification"]
