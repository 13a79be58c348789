"""How much still fits into the memory of Redis."""

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from processor.store import capacity
from tests.support import messages
from tests.support.workbench import Workbench

MIB = 1024 * 1024


@pytest.mark.parametrize(("age_days", "per_day"), [(0, 40), (4, 10), (20, 0)])
def test_the_rate_of_the_last_week_says_how_many_days_fit(
    client: "Redis[Any]", age_days: int, per_day: int
) -> None:
    bench = Workbench(client)
    bench.handle(*(messages.other(company_id=f"company-{number}") for number in range(40)))
    client.config_set("maxmemory", str(64 * MIB))
    try:
        room = capacity.read(client, bench.clock() + timedelta(days=age_days))
    finally:
        client.config_set("maxmemory", "0")

    assert room is not None
    assert (room.limit_bytes, room.messages_per_day) == (64 * MIB, per_day)
    assert 0 < room.connections <= room.limit_bytes / capacity.CONNECTION_BYTES
    if per_day:
        assert room.days == room.free_bytes // (capacity.MESSAGE_BYTES * per_day)
    assert ("days of messages" in str(room)) is bool(per_day)


def test_without_a_limit_the_machine_is_the_limit(client: "Redis[Any]") -> None:
    room = capacity.read(client, messages.LONG_AGO)

    assert room is not None
    assert room.limit_bytes == client.info("memory")["total_system_memory"]
    assert "more messages" in str(room)
