"""Lists of Codat: page after page, each row once, although rows may come, go and shift meanwhile.

https://docs.codat.io/using-the-api/paging
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from processor.codat.errors import CodatUnusable
from processor.codat.http import CodatHttp, CodatResponse

log = logging.getLogger(__name__)

MAX_PASSES = 3
"""How often a list is read from its beginning when rows vanish under us."""

MAX_PAGES = 10_000
"""A page number beyond which no list of ours can go: a guard against answers without an end."""


@dataclass(frozen=True, slots=True)
class CodatPage:
    """Those rows of a page that were not seen before, and the answer that held them."""

    rows: tuple[object, ...]
    answer: CodatResponse


def pages(
    exchange: CodatHttp,
    *segments: str,
    page_size: int,
    query: str | None = None,
    tags: str | None = None,
    order_by: str | None = None,
) -> Iterator[CodatPage]:
    """The pages of a list, one at least, fetched as they are taken; each row once, by its ``id``.

    A row that vanishes from a page that was read already moves another one across the border of
    pages, unseen. So where fewer rows were seen than Codat counts in the end, or its count shrank,
    the list is read again for those that are missing, ``MAX_PASSES`` times in all. A row that
    vanishes while another one comes cannot be noticed; what it hid is found by the next reading.
    """
    options = (("query", query), ("tags", tags), ("orderBy", order_by))
    parameters = [(name, value) for name, value in options if value is not None]
    seen: set[object] = set()
    for _ in range(MAX_PASSES):
        counts: list[int] = []
        nameless = 0
        for number in range(1, MAX_PAGES):
            answer = exchange.read(*segments, query=[("page", number), ("pageSize", page_size), *parameters])
            rows = rows_of(answer)
            fresh = []
            for row in rows:
                identity = _identity(row)
                # Rows without an id are told apart by how many there are.
                nameless += identity is None
                identity = identity or nameless
                if identity not in seen:
                    seen.add(identity)
                    fresh.append(row)
            yield CodatPage(tuple(fresh), answer)
            total, size = _count(answer, "totalResults"), _count(answer, "pageSize")
            counts += [] if total is None else [total]
            if not rows or not _has_more(answer, number, total, min(size or page_size, page_size)):
                break
        if not counts or (counts[-1] >= counts[0] and len(seen) >= counts[-1]):
            return
        log.info("A list of Codat changed while it was read")


def rows_of(answer: CodatResponse) -> list[object]:
    """The rows of one page, or of a list that has no pages."""
    rows = answer.body.get("results") if isinstance(answer.body, dict) else None
    if not isinstance(rows, list):
        raise CodatUnusable("Codat's answer is not a list.")
    return rows


def _identity(row: object) -> object:
    """The ``id`` of a row (integrations have a ``key`` instead), ``None`` where it has none."""
    identity = (row.get("id") or row.get("key")) if isinstance(row, dict) else None
    return identity if isinstance(identity, str) else None


def _has_more(answer: CodatResponse, number: int, total: int | None, size: int) -> bool:
    if total is not None:
        return number * size < total
    links = answer.body.get("_links") if isinstance(answer.body, dict) else None
    return isinstance(links, dict) and isinstance(links.get("next"), dict)


def _count(answer: CodatResponse, name: str) -> int | None:
    value = answer.body.get(name) if isinstance(answer.body, dict) else None
    return value if type(value) is int and value >= 0 else None
