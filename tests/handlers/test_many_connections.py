"""One event that names thousands of connections: what it costs grows with them, not with their square."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from handlers.connection import Connection
from handlers.events import Event
from handlers.machine import advance
from handlers.registry import Context
from tests.handlers.support.story import at, dataset, history, read, read_more

CONNECTIONS = 200


class Counted(tuple[Any, ...]):
    """Rows that count how many of them were looked at."""

    seen = 0

    def __iter__(self) -> Iterator[Any]:
        for row in super().__iter__():
            self.seen += 1
            yield row


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("reads", lambda: read(1)),
        ("reads", lambda: read_more(1, invoices="Complete")),
        ("datasets", lambda: history(5, dataset("invoices", "Complete", requested=1))),
    ],
)
def test_the_rows_of_an_event_are_looked_at_once_for_all_connections(
    field: str, make: Callable[[], Event]
) -> None:
    """A signed message of reads of 6,000 connections took ten seconds, each looking at all rows."""
    event = make()
    (row,) = getattr(event, field)
    rows = Counted(replace(row, connection_id=f"connection-{number}") for number in range(CONNECTIONS))
    changes: dict[str, Any] = {field: rows}
    event = replace(event, **changes)
    for connection_id in event.connection_ids:
        step = advance(Connection(connection_id), event, Context(at(6)))
        assert [data_type.name for data_type in step.connection.data_types.values()] == ["invoices"]
    assert rows.seen <= 2 * CONNECTIONS
