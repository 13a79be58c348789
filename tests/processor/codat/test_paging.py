"""Every row once, whatever happens between two pages."""

from itertools import count, islice
from typing import Any

import httpx
import pytest

from processor.codat.paging import MAX_PASSES
from processor.errors import CodatUnavailable


class Shelf:
    """Codat's list of companies; ``changes`` maps the number of a call to what happens to it then."""

    def __init__(self, bench, ids, changes=None, size=None):
        self.bench, self.ids, self.changes, self.size = bench, list(ids), changes or {}, size
        self.calls = 0
        bench.router.route(method="GET", path="/companies").mock(side_effect=self.answer)

    def answer(self, request):
        self.calls += 1
        number, size = int(request.url.params["page"]), int(request.url.params["pageSize"])
        size = min(size, self.size or size)
        ids = self.ids[(number - 1) * size : number * size]
        rows = [self.bench.company(id=id_, dataConnections=[]) for id_ in ids]
        body = self.bench.page(rows, number=number, size=size, total=len(self.ids))
        self.changes.get(self.calls, lambda _: None)(self.ids)
        return self.bench.json(body)


def found(bench, page_size=3):
    return [company.id for company in bench.client.find_companies(page_size=page_size)]


IDS = [f"c-{number}" for number in range(8)]


@pytest.mark.parametrize("length", range(8))
def test_all_pages_are_read_and_not_one_more(bench, length):
    shelf = Shelf(bench, IDS[:length])

    assert found(bench) == IDS[:length]
    assert shelf.calls == max(1, -(-length // 3))


def test_pages_are_fetched_as_they_are_taken(bench):
    shelf = Shelf(bench, IDS)

    assert [company.id for company in islice(bench.client.find_companies(page_size=3), 3)] == IDS[:3]
    assert shelf.calls == 1


def test_a_server_that_gives_smaller_pages_loses_nothing(bench):
    Shelf(bench, IDS, size=2)

    assert found(bench, page_size=5) == IDS


def test_a_row_that_is_pushed_to_the_next_page_comes_once(bench):
    Shelf(bench, IDS, {1: lambda ids: ids.insert(0, "c-new")})

    assert found(bench) == [*IDS, "c-new"]


def test_a_row_that_slips_to_a_page_already_read_is_found_all_the_same(bench):
    """A deletion on page 1 moves the first row of page 2 to page 1, which nobody reads again."""
    shelf = Shelf(bench, IDS, {1: lambda ids: ids.remove("c-0")})

    assert sorted(found(bench)) == IDS
    assert shelf.calls == 6


def test_a_list_that_never_stands_still_is_given_up(bench):
    numbers = count()

    def churn(ids):
        del ids[0]

    shelf = Shelf(bench, [f"c-{next(numbers)}" for _ in range(60)], dict.fromkeys(range(1, 100), churn))

    found(bench, page_size=10)

    assert shelf.calls <= MAX_PASSES * 6


@pytest.mark.parametrize(("pages", "links"), [(1, False), (3, True)])
def test_without_a_count_the_link_to_the_next_page_counts(bench, pages, links):
    def answer(request):
        number = int(request.url.params["page"])
        body: dict[str, Any] = {"results": [bench.company(id=f"c-{number}", dataConnections=[])]}
        if links and number < pages:
            body["_links"] = {"next": {"href": "/companies?page=x"}}
        return bench.json(body)

    bench.router.route(method="GET", path="/companies").mock(side_effect=answer)

    assert len(found(bench)) == pages


def test_a_server_that_ignores_the_page_number_does_not_keep_us_forever(bench):
    body = bench.page([bench.company(dataConnections=[])], total=50, size=3)
    route = bench.answers("GET", "/companies", bench.json(body))

    assert found(bench) == [bench.company_id]
    assert route.call_count <= MAX_PASSES * 17


def test_an_error_on_a_later_page_is_not_the_end_of_the_list(bench):
    rows = [bench.company(id=id_, dataConnections=[]) for id_ in IDS[:3]]
    failing = [httpx.ConnectError("away")]
    bench.answers("GET", "/companies", bench.json(bench.page(rows, size=3, total=8)), *failing)

    with pytest.raises(CodatUnavailable):
        found(bench)


def test_more_connections_than_a_page_holds_are_all_listed(bench):
    rows = [bench.connection(id=f"k-{number}") for number in range(140)]

    def answer(request):
        number = int(request.url.params["page"])
        part = rows[(number - 1) * 100 : number * 100]
        return bench.json(bench.page(part, number=number, total=140))

    bench.router.route(method="GET", path=f"/companies/{bench.company_id}/connections").mock(
        side_effect=answer
    )

    assert len(bench.client.list_connections(bench.company_id)) == 140
