"""Error pages, and what every page has."""

import re
from typing import Any

import pytest

from tests.processor.simulator.pages import Browser
from tests.processor.web.conftest import OpenPlace
from tests.support.visiting import Place


def test_what_codat_refuses_is_told_with_its_reference_and_changes_nothing(
    place: Place, visitor: Browser
) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    question = visitor.open(f"/connect/{token}/connections/{connection_id}/delete")
    place.codat.simulation.faults.plan({"status": 500, "count": 5})
    page = visitor.press(question, "Delete for good")
    assert page.answer.status_code in (502, 503)
    assert "Reference for support" in page.text
    assert "Load this page again" in page.text
    place.settle()
    assert place.bench.state(connection_id) == "authorized"


@pytest.mark.parametrize(
    ("fault", "title"),
    [
        ({"status": 401}, "We have to mend this"),
        ({"status": 402}, "We have to mend this"),
        ({"status": 403}, "We have to mend this"),
        ({"status": 429}, "This does not work just now"),
        ({"broken_json": True}, "This does not work just now"),
    ],
)
def test_what_goes_wrong_is_told_to_a_shopkeeper_and_not_to_an_operator(
    place: Place, visitor: Browser, fault: dict[str, Any], title: str
) -> None:
    """The page said "Codat does not accept CODAT_API_KEY (401): Unauthorized. Wait a minute"."""
    _, token = place.company()
    page = visitor.open(f"/connect/{token}")
    place.codat.simulation.faults.plan({"path": "/connections", "count": 5, **fault})
    said = visitor.press(page, "Xero")
    assert title in said.text
    for word in ("API_KEY", "JSON", "Codat refused", "limit of"):
        assert word not in said.text
    assert re.search(r"\b40[123]\b", said.text) is None  # a reference may contain the digits
    assert ("Load this page again" in said.text) == (title == "This does not work just now")
    assert ("Tell whoever sent you the link" in said.text) == (title == "We have to mend this")


def test_while_codat_is_away_connections_are_shown_and_the_list_says_so(place: Place) -> None:
    company_id, token = place.company()
    place.desk.do_in_background()
    connection_id = place.linked(company_id)
    place.codat.stop()
    visitor = place.visitor()
    assert visitor.open(f"/connect/{token}/connections/{connection_id}").answer.status_code == 200
    page = visitor.open(f"/connect/{token}/manage")
    assert "Xero" in page.text


def test_every_page_works_without_scripts_and_for_a_screen_reader(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    base = f"/connect/{token}"
    for path in (
        "",
        "/not-listed",
        "/manage",
        f"/connections/{connection_id}",
        f"/connections/{connection_id}/delete",
    ):
        page = visitor.open(base + path)
        html = page.answer.text
        assert page.answer.status_code == 200
        assert '<html lang="en" dir="ltr">' in html
        assert html.count("<h1") == 1, path
        assert html.count("<title>") == 1
        assert 'href="#main"' in html
        assert 'name="viewport"' in html
        assert "style=" not in html, "the policy forbids it"
        assert "onclick" not in html
        assert html.count("<script") == html.count("<script src=") == 1
        assert html.count("<img") == html.count(' alt="'), path
        assert page.inputs <= page.labels, path


def test_without_a_key_for_codat_there_is_a_page_that_says_so(place: Place, open_place: OpenPlace) -> None:
    _, token = place.company()
    bare = open_place(api_key=None)
    page = bare.visitor().open(f"/connect/{token}")
    assert page.answer.status_code == 200
    assert "The list cannot be shown now" in page.text
