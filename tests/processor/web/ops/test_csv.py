"""Lists as CSV, and filters in the address."""

import csv
import io
from typing import Any

import pytest

from processor.resources import company_search
from processor.web.ops import csv_export
from processor.web.ops.csv_export import safe_cell
from tests.processor.web.ops.operating import Operator, add_subscriber
from tests.processor.web.v1.filling import Filling


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", '=HYPERLINK("x")']
)
def test_no_cell_is_a_formula(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize(("value", "text"), [(None, ""), (7, "7"), ("a=b", "a=b"), (["a", "b"], "a b")])
def test_other_cells_stay(value: object, text: str) -> None:
    assert safe_cell(value) == text


@pytest.mark.parametrize("name", ["connections", "events", "notifications", "audit", "subscribers"])
def test_a_list_is_a_file_with_all_its_rows(operator: Operator, filling: Filling, name: str) -> None:
    filling.make_ready()
    filling.accept(b"no JSON", "=cmd|' /C calc'!A0")
    add_subscriber(filling, "http://127.0.0.1:9/hook?token=hush", description="=1+1")
    operator.send("/ops/conditions", seal=operator.seal(), action="wake")
    answer = operator.open(f"/ops/{name}", format="csv", limit="1")
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.csv"'
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert len(rows) > 1
    assert "hush" not in answer.text
    assert {len(row) for row in rows} == {len(rows[0])}
    assert not [cell for row in rows[1:] for cell in row if cell.startswith(("=", "+", "@"))]
    assert "format=csv" in operator.open(f"/ops/{name}").text


def test_a_filter_that_nothing_passes_ends_after_as_many_pages_as_there_may_be() -> None:
    asked: list[Any] = []

    def nothing(**query: object) -> dict[str, object]:
        asked.append(query["limit"])
        return {"items": [], "next_cursor": "further"}

    csv_export.response("events", [("id", str)], nothing, {})
    assert sum(asked) == csv_export.MAX_ROWS


def test_a_merchants_name_is_compared_once_for_a_whole_file(
    operator: Operator, filling: Filling, monkeypatch: pytest.MonkeyPatch
) -> None:
    filling.make_ready()
    whole = operator.open("/ops/events", format="csv", merchant="stores")
    read, kept = company_search.companies_named, []

    def counted(*args: Any) -> company_search.NameMatches:
        kept.append(args)
        return read(*args)

    monkeypatch.setattr(company_search, "companies_named", counted)
    monkeypatch.setattr(csv_export, "PAGE_SIZE", 1)
    in_pages = operator.open("/ops/events", format="csv", merchant="stores")
    assert in_pages.text == whole.text
    assert len(in_pages.text.splitlines()) > 2
    assert len(kept) == 1


def test_notifications_are_filtered_by_type_and_time(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    everything = operator.read("/ops/notifications")
    assert "connection.authorized" in everything
    some = operator.open("/ops/notifications", type="initial_sync.completed", format="csv").text
    assert "initial_sync.completed" in some
    assert "connection.authorized" not in some
    assert "There is none." in operator.read("/ops/notifications", until="2020-01-01T00:00")
    assert operator.open("/ops/notifications", type="", since="", until="").status_code == 200
