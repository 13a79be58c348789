"""The first time that a visitor took a step of the journey, for the funnel. No personal data."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from math import ceil
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.clock import from_ms, to_ms
from processor.store import each_cell, keys
from processor.store.decoding import text

KEPT = timedelta(days=400)


class VisitStep(StrEnum):
    """The steps: a company's link was opened, a connection's user went to Codat's Link, and came back."""

    OPENED = "opened"
    AT_CODAT = "at-codat"
    BACK = "back"


def is_known(client: "Redis[Any]", step: VisitStep, company_id: str, id_: str) -> bool:
    """Whether the step was taken before for the company or connection ``id_``."""
    return client.zscore(keys.visit_steps(keys.cell_of(company_id), step), id_) is not None


def add(pipe: "Pipeline[Any]", step: VisitStep, company_id: str, id_: str, at: datetime) -> None:
    """Stage the step, and the removal of those that are older than ``KEPT``."""
    name = keys.visit_steps(keys.cell_of(company_id), step)
    pipe.zadd(name, {id_: to_ms(at)}, nx=True)
    pipe.zremrangebyscore(name, "-inf", to_ms(at - KEPT))


def since(
    client: "Redis[Any]", step: VisitStep, start: datetime, most: int | None = None
) -> tuple[dict[str, datetime], bool]:
    """The time of the step, from ``start`` on, by company or connection, and whether these are all.

    About ``most`` are read: the newest of each cell, which all have the same share.
    """
    share = -1 if most is None else ceil(most / len(keys.cells()))
    rows = each_cell.replies(
        client,
        lambda pipe, cell: pipe.zrevrangebyscore(
            keys.visit_steps(cell, step), "+inf", to_ms(start), start=0, num=share, withscores=True
        ),
    )
    times = {text(member): from_ms(int(score)) for member, score in chain(*rows)}
    return times, all(len(row) != share for row in rows)


def of_connections(
    client: "Redis[Any]", step: VisitStep, company_ids: Mapping[str, str]
) -> dict[str, datetime]:
    """The time of the step by connection, of those in ``company_ids`` that took it."""
    by_cell = each_cell.grouped((keys.cell_of(company_id), id_) for id_, company_id in company_ids.items())
    with client.pipeline(transaction=False) as pipe:
        for cell, ids in by_cell.items():
            pipe.zmscore(keys.visit_steps(cell, step), ids)  # type: ignore[no-untyped-call]
        replies = pipe.execute() if by_cell else []
    scores = zip(chain(*by_cell.values()), chain(*replies), strict=True)
    return {id_: from_ms(int(score)) for id_, score in scores if score is not None}
