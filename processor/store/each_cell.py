"""Reads of all cells, each in one round trip."""

import heapq
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from redis import Redis
from redis.client import Pipeline

from processor.clock import to_ms
from processor.store import keys
from processor.store.decoding import text

K = TypeVar("K")
V = TypeVar("V")

PAGE = 200
"""Members of a sorted set that are read at a time."""


def replies(client: "Redis[Any]", stage: Callable[["Pipeline[Any]", int], object]) -> list[Any]:
    """The replies to the command that ``stage`` adds to a pipeline for a cell, by cell."""
    with client.pipeline(transaction=False) as pipe:
        for cell in keys.cells():
            stage(pipe, cell)
        return pipe.execute()


def cell_with(client: "Redis[Any]", name: Callable[[int], str]) -> int | None:
    """The first cell in which the key ``name(cell)`` exists; ``None``: it does in none."""
    exists = replies(client, lambda pipe, cell: pipe.exists(name(cell)))
    return next((cell for cell in keys.cells() if exists[cell]), None)


def members(client: "Redis[Any]", index: Callable[[int], str]) -> Iterator[str]:
    """The members of a sorted set in every cell, in no order; one that changes meanwhile may come twice."""
    for cell in keys.cells():
        for member, _ in client.zscan_iter(index(cell), count=1_000):
            yield text(member)


def by_score(
    client: "Redis[Any]", index: Callable[[int], str], *, lowest: float | str = "-inf"
) -> Iterator[tuple[int, str]]:
    """Cell and member of a sorted set in every cell, from the lowest score on, read in pages."""

    def page(reader: "Redis[Any] | Pipeline[Any]", cell: int, offset: int) -> Any:
        return reader.zrangebyscore(index(cell), lowest, "+inf", start=offset, num=PAGE, withscores=True)

    def of_cell(cell: int, rows: Any) -> Iterator[tuple[float, int, str]]:
        offset = 0
        while rows:
            yield from ((score, cell, text(member)) for member, score in rows)
            offset += len(rows)
            rows = page(client, cell, offset) if len(rows) == PAGE else ()

    first_pages = replies(client, lambda pipe, cell: page(pipe, cell, 0))
    for _, cell, member in heapq.merge(*map(of_cell, keys.cells(), first_pages)):
        yield cell, member


def due(client: "Redis[Any]", index: Callable[[int], str], now: datetime) -> dict[int, int]:
    """Cells with members of ``index(cell)`` that are due, in random order, and how many each has."""
    counts = replies(client, lambda pipe, cell: pipe.zcount(index(cell), "-inf", to_ms(now)))
    cells = [cell for cell in keys.cells() if counts[cell]]
    random.shuffle(cells)
    return {cell: counts[cell] for cell in cells}


def by_cell(company_ids: Iterable[str]) -> dict[int, list[str]]:
    """The companies of each cell."""
    return grouped((keys.cell_of(company_id), company_id) for company_id in company_ids)


def grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    """The values of each key, both in their order."""
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
