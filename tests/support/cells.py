"""Looks into the cells of a store."""

from collections.abc import Callable
from typing import Any

from redis import Redis

from processor.store import each_cell, keys


def where(client: "Redis[Any]", name: Callable[..., str], *args: str) -> str:
    """The key in the cell in which it exists; in the first cell where it exists in none."""
    return name(each_cell.cell_with(client, lambda cell: name(cell, *args)) or 0, *args)


def count(client: "Redis[Any]", name: Callable[..., str], *args: str) -> int:
    """How many members a sorted set has in all cells."""
    return sum(each_cell.replies(client, lambda pipe, cell: pipe.zcard(name(cell, *args))))


def members(client: "Redis[Any]", name: Callable[..., str], *args: str) -> list[bytes]:
    """The members of a sorted set in all cells, lowest score first."""
    rows = each_cell.replies(
        client, lambda pipe, cell: pipe.zrange(name(cell, *args), 0, -1, withscores=True)
    )
    return [member for _, member in sorted((score, member) for row in rows for member, score in row)]


def score(client: "Redis[Any]", name: Callable[..., str], member: str | bytes, *args: str) -> Any:
    """The score of a member of a sorted set, in whichever cell it is; ``None`` where it is in none."""
    scores = each_cell.replies(client, lambda pipe, cell: pipe.zscore(name(cell, *args), member))
    return next((found for found in scores if found is not None), None)


def counter(client: "Redis[Any]", name: str) -> int:
    """The sum of a counter over all cells."""
    values = each_cell.replies(client, lambda pipe, cell: pipe.hget(keys.counters(cell), name))
    return sum(int(value or 0) for value in values)


def fields(client: "Redis[Any]", name: Callable[[int], str]) -> int:
    """How many fields a hash has in all cells."""
    return sum(each_cell.replies(client, lambda pipe, cell: pipe.hlen(name(cell))))


def remove(client: "Redis[Any]", name: Callable[[int], str], *removed: str) -> None:
    """Remove members of a sorted set, in whichever cell they are."""
    each_cell.replies(client, lambda pipe, cell: pipe.zrem(name(cell), *removed))


def delete(client: "Redis[Any]", *names: Callable[[int], str]) -> int:
    """Delete keys in all cells; how many there were."""
    return sum(client.delete(name(cell)) for name in names for cell in keys.cells())


def forget_messages(client: "Redis[Any]", company_id: str) -> None:
    """Remove all messages of a company's cell."""
    cell = keys.cell_of(company_id)
    found = client.zrange(keys.events(cell), 0, -1)
    client.delete(*(keys.event(cell, event_id.decode()) for event_id in found))
    client.delete(keys.events(cell), keys.company_events(company_id))
