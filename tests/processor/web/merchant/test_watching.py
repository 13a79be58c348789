"""The status of connections, and their live parts."""

import dataclasses
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from processor.store import keys
from tests.processor.simulator.pages import Browser
from tests.support import cells
from tests.support.applications import lent_app
from tests.support.visiting import OURS, Place
from tests.support.workbench import Moving


@pytest.mark.parametrize(
    ("events", "title", "advice"),
    [
        ([], "Waiting for you to give access", "finish later with the same link"),
        ([("fail", {})], "You did not give access", "Try again"),
        ([("fail", {"status_code": 500})], "Xero could not be connected", "Try again"),
        ([("authorize", {})], "You gave access to Xero", "about to begin"),
        (
            [("authorize", {}), ("start-sync", {})],
            "Reading your data from Xero",
            "reading goes on without it",
        ),
        ([("authorize", {}), ("complete-sync", {})], "Xero is connected", "nothing more to do"),
        (
            [("authorize", {}), ("complete-sync", {"outcomes": {"bills": "FetchError"}})],
            "your data could not be read",
            "disconnect Xero under “Manage”",
        ),
        ([("authorize", {}), ("deauthorize", {})], "Xero no longer gives access", "Connect again to go on"),
        ([("authorize", {}), ("unlink", {})], "Xero is disconnected", "Connect again"),
        ([("delete", {})], "The connection to Xero was deleted", "add a new connection"),
    ],
)
def test_each_state_is_told_in_plain_words_with_what_to_do_next(
    place: Place, visitor: Browser, events: list[tuple[str, dict[str, Any]]], title: str, advice: str
) -> None:
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    for name, options in events:
        place.change(connection_id, name, **options)
    address = f"/connect/{token}/connections/{connection_id}"
    place.later(5)
    visitor.open(address)
    place.settle()
    page = visitor.open(address)
    assert title in page.text
    assert advice in page.text


def test_progress_is_shown_whole_and_per_data_type(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    place.change(connection_id, "start-sync")
    first = place.codat.simulation.world.find_connection(connection_id).first_read
    assert first is not None
    for number, dataset in enumerate(first.datasets):
        dataset.status, dataset.progress = "Fetching", 10 * number
    first.datasets[0].end("Complete", place.codat.simulation.world.ticker.now(), "Xero")
    place.later(5)
    visitor.open(f"/connect/{token}/connections/{connection_id}")
    place.settle()
    html = visitor.open(f"/connect/{token}/connections/{connection_id}").answer.text
    assert '<progress id="progress-' in html
    assert '<span class="what">Chart of accounts</span><span class="says">Reading 20%</span>' in html
    assert '<span class="what">Bank accounts</span><span class="says">Done</span>' in html


def test_what_could_not_be_read_is_told_though_the_rest_is_ready(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    place.change(
        connection_id, "complete-sync", outcomes={"bills": "PermissionsError", "invoices": "Complete"}
    )
    page = visitor.open(f"/connect/{token}/connections/{connection_id}")
    assert "Xero is connected, but was read in part only" in page.text
    assert "Some of it could not be read" in page.text
    assert "nothing more to do" not in page.text
    assert "Your login may not see this" in page.text
    for path in ("", "/manage"):
        assert "Read in part" in visitor.open(f"/connect/{token}{path}").text
    onward = visitor.press(page, "Connect again")
    assert f"/link/{connection_id}?otp=" in onward.answer.text


def test_each_line_of_a_list_speaks_for_itself_by_name(place: Place, visitor: Browser) -> None:
    """One change spoke the whole list, and not what had changed."""
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    place.desk.journey.connect(company_id, "shpf")
    place.settle()
    for path in ("live", "manage/live"):
        html = visitor.open(f"/connect/{token}/{path}").answer.text
        assert html.count("data-say=") == 2
        assert f'id="row-{connection_id}" data-say="You gave access to Xero."' in html
        assert 'data-say="Shopify: Waiting for you to give access."' in html


def test_looking_at_a_page_has_codat_asked_ever_more_seldom(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    began = place.desk.clock()
    clock = Moving(began)  # stands still between two looks, however slow the machine is
    app = lent_app(dataclasses.replace(place.container, clock=clock))
    asked_at = []
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url=OURS) as watcher:
        while clock() < began + timedelta(seconds=500):
            clock.forward(2 if clock() < began + timedelta(seconds=100) else 10)
            watcher.get(f"/connect/{token}/connections/{connection_id}/live")
            if cells.delete(place.container.redis, keys.questions):
                asked_at.append(clock())
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(asked_at)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (2, 60)
    assert len(asked_at) < 30
    visitor.open(f"/connect/{token}")
    visitor.http.get(f"/return?statusCode=200&connectionId={connection_id}")
    assert cells.count(place.container.redis, keys.questions), "who has just come back does not wait"


def test_the_changing_part_is_had_alone_and_only_when_it_changed(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    for path in ("live", "manage/live", f"connections/{connection_id}/live"):
        url = f"/connect/{token}/{path}"
        first = visitor.http.get(url)
        assert first.status_code == 200
        assert "<html" not in first.text
        assert "Xero" in first.text
        same = visitor.http.get(url, headers={"If-None-Match": first.headers["ETag"]})
        assert same.status_code == 304
        assert not same.content
    place.change(connection_id, "deauthorize")
    changed = visitor.http.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert "no longer gives access" in changed.text
