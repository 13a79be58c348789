"""Lists of Codat page by page, each row once, although rows may be added, removed and shifted meanwhile.

https://docs.codat.io/using-the-api/paging
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from processor.codat.errors import CodatUnusable
from processor.codat.http import CodatHttp, CodatResponse

_log = logging.getLogger(__name__)

MAX_PASSES = 3
"""How often a list is read from its start if rows disappear meanwhile."""

MAX_PAGES = 10_000
"""Guard against endless lists."""


@dataclass(frozen=True, slots=True)
class CodatPage:
    """The new rows of a page, and its response."""

    rows: tuple[object, ...]
    response: CodatResponse


def pages(
    http: CodatHttp,
    *segments: str,
    page_size: int,
    query: str | None = None,
    tags: str | None = None,
) -> Iterator[CodatPage]:
    """The pages of a list, at least one, fetched as they are consumed; each row once, by its ``id``.

    A row that disappears from an earlier page moves another row to that page, unseen. So if fewer rows were
    seen than Codat's final count, or the count decreased, the list is read again for the missing rows, up to
    ``MAX_PASSES`` times in total. If a row disappears while another one appears, the count does not change:
    the next caller finds the missed row.
    """
    options = (("query", query), ("tags", tags))
    parameters = [(name, value) for name, value in options if value is not None]
    seen: set[object] = set()
    for _ in range(MAX_PASSES):
        counts: list[int] = []
        unidentified = 0
        for number in range(1, MAX_PAGES):
            response = http.read(*segments, query=[("page", number), ("pageSize", page_size), *parameters])
            rows = rows_of(response)
            new_rows = []
            for row in rows:
                identity = _identity(row)
                # Rows without an id are all different.
                unidentified += identity is None
                identity = identity or unidentified
                if identity not in seen:
                    seen.add(identity)
                    new_rows.append(row)
            yield CodatPage(tuple(new_rows), response)
            total, size = _count(response, "totalResults"), _count(response, "pageSize")
            counts += [] if total is None else [total]
            if not rows or not _has_more(response, number, total, min(size or page_size, page_size)):
                break
        if not counts or (counts[-1] >= counts[0] and len(seen) >= counts[-1]):
            return
        _log.info("a list of Codat changed while it was read")


def rows_of(response: CodatResponse) -> list[object]:
    """The rows of a page, or of a list without pages."""
    rows = response.body.get("results") if isinstance(response.body, dict) else None
    if not isinstance(rows, list):
        raise CodatUnusable("Codat's answer is not a list.")
    return rows


def _identity(row: object) -> object:
    """The ``id`` of a row, or the ``key`` of an integration; ``None`` if it has neither."""
    identity = (row.get("id") or row.get("key")) if isinstance(row, dict) else None
    return identity if isinstance(identity, str) else None


def _has_more(response: CodatResponse, number: int, total: int | None, size: int) -> bool:
    if total is not None:
        return number * size < total
    links = response.body.get("_links") if isinstance(response.body, dict) else None
    return isinstance(links, dict) and isinstance(links.get("next"), dict)


def _count(response: CodatResponse, name: str) -> int | None:
    value = response.body.get(name) if isinstance(response.body, dict) else None
    return value if type(value) is int and value >= 0 else None
