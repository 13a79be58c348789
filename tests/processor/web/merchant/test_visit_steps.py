"""The steps of visitors that the funnel counts: a person opens the link, goes to Codat, comes back."""

import logging
from datetime import timedelta

import pytest

from processor.journey import visit_steps
from processor.resources import funnel
from tests.processor.simulator.pages import Browser
from tests.support.visiting import Place

PERSON = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def total(place: Place) -> dict[str, object]:
    """The funnel of all connections."""
    now = place.desk.clock() + timedelta(seconds=1)
    counted: dict[str, object] = funnel.report(place.container.reader, now)["total"]
    return counted


@pytest.mark.parametrize(
    ("headers", "opened"),
    [
        (PERSON, 1),
        ({**PERSON, "Sec-Fetch-Dest": "iframe"}, 1),
        ({}, 0),
        ({**PERSON, "Sec-Purpose": "prefetch"}, 0),
        ({**PERSON, "Sec-Fetch-Dest": "image"}, 0),
    ],
)
def test_a_link_is_opened_by_a_person(
    place: Place, visitor: Browser, headers: dict[str, str], opened: int
) -> None:
    company_id, token = place.company()
    for _ in range(2):
        assert visitor.http.get(f"/connect/{token}", headers=headers).status_code == 200
    assert visitor.http.head(f"/connect/{token}", headers=PERSON).status_code == 200
    place.settle()
    assert total(place)["opened"] == opened
    events = place.container.reader.list_events(status=None, company_id=company_id, limit=9, cursor=None)
    assert sum(event["type"] == "journey.link.opened" for event in events.items) == opened


def test_the_way_to_codat_and_back_is_counted_and_explained(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    page = visitor.press(visitor.open(f"/connect/{token}"), "Xero")
    assert page.answer.status_code == 200
    place.settle()
    (stored,) = place.container.reader.list_connections(limit=9, cursor=None).items
    connection_id = stored.connection.id
    assert total(place)["stops"] == {"never came back": 1}
    address = f"/return?connectionId={connection_id}&companyId={company_id}&statusCode=201"
    for _ in range(2):
        assert visitor.open(address).answer.status_code == 200
    place.settle()
    assert total(place)["stops"] == {"left Codat without authorising": 1}
    assert {total(place)[step] for step in ("opened", "chosen", "at_codat")} == {1}
    entries = place.container.reader.timeline(connection_id, limit=50, cursor=None).items
    reasons = [entry["reason"].partition("; ")[2] for entry in entries if entry["source"] == "journey"]
    assert reasons[:2] == ["the user came back from Codat's Link", "the user was sent to Codat's Link"]


def test_a_step_that_others_disturb_every_time_is_logged(
    place: Place, visitor: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, visit_steps.__name__)
    _, token = place.company()
    monkeypatch.setattr(visit_steps, "ATTEMPTS", 0)
    assert visitor.http.get(f"/connect/{token}", headers=PERSON).status_code == 200
    (told,) = [row for row in caplog.records if row.message == "a visitor's step was not recorded"]
    assert told.__dict__["error"] == "StoreUnavailable"
