"""A connection's page asks Codat where a message may be lost."""

import json
import re
from html import unescape
from typing import Any

import pytest
from redis import Redis

from processor.clock import to_iso
from tests.processor.web.conftest import OpenPlace
from tests.processor.web.ops.operating import PASSWORD, Operator, add_subscriber, forms
from tests.processor.web.v1.filling import Filling
from tests.support import cells
from tests.support.visiting import Place

ASK = "Ask Codat now"


@pytest.fixture
def place(open_place: OpenPlace) -> Place:
    """A service with operators' pages beside a simulated Codat."""
    return open_place(OPERATOR_PASSWORD=PASSWORD)


@pytest.fixture
def connection_id(place: Place) -> str:
    """A connection that is pending as far as we know."""
    company_id, _ = place.company()
    result = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    return result


def asked(place: Place, path: str) -> str:
    """Press the button, have the answers handled, and read the page to which it leads."""
    answer = Operator(place).send(path)
    place.settle()
    return Operator(place).follow(answer)


def test_an_authorisation_whose_message_was_lost_is_found_by_asking(place: Place, connection_id: str) -> None:
    """Authorised with the message lost: the page said "Nothing to do here: the merchant has to give access".

    It says what is not known, and its button has Codat asked, with the answer on the timeline.
    """
    place.codat.simulation.change(connection_id, "authorize", {"deliver": "drop"})
    path = f"/ops/connections/{connection_id}"
    shown = Operator(place).read(path)
    assert "pending" in shown
    assert "Nothing to do here" not in shown
    assert "the message about it was lost" in shown
    text = asked(place, path)
    assert text.startswith("Codat was asked. What it answered is on the timeline")
    assert "authorized" in text
    assert "pending → authorized" in text
    assert "asked because an operator wanted to know" in text


def test_an_answer_that_changes_nothing_is_on_the_timeline_too(place: Place, connection_id: str) -> None:
    """Without a line nobody saw whether Codat had been asked, and pressed again and again."""
    path = f"/ops/connections/{connection_id}"
    text = asked(place, path)
    assert "Xero: pending" in text
    assert "asked because an operator wanted to know" in text
    place.change(connection_id, "authorize")
    before = len(place.container.reader.list_notifications(connection_id=None, limit=9, cursor=None).items)
    text = asked(place, path)
    assert "asked because an operator wanted to know" in text
    told = place.container.reader.list_notifications(connection_id=None, limit=9, cursor=None).items
    assert len(told) == before, "what was told is not told again"


def test_when_codat_does_not_answer_the_page_says_so(place: Place, connection_id: str) -> None:
    page = Operator(place)
    path = f"/ops/connections/{connection_id}"
    seal = forms(page.open(path))[0].partition('name="seal" value="')[2][:64]
    place.codat.stop()
    answer = page.send(path, seal=seal)
    assert answer.status_code == 503
    assert "Codat" in answer.text


def test_without_a_key_there_is_nothing_to_press(operator: Operator, filling: Filling) -> None:
    filling.tell("connection.created")
    filling.drain()
    path = "/ops/connections/xero"
    assert ASK not in operator.read(path)
    answer = operator.send(path, seal=operator.seal())
    assert answer.status_code == 409
    assert "CODAT_API_KEY is unset" in answer.text


def test_only_a_form_of_this_browser_has_codat_asked(place: Place, connection_id: str) -> None:
    path = f"/ops/connections/{connection_id}"
    assert Operator(place).send(path, seal="0" * 64).status_code in (400, 403)
    assert "an operator wanted to know" not in Operator(place).read(path)


def test_the_deliveries_of_a_connection_are_one_table(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    """Each receiver of each notification had a table of its own: two milestones took three screens."""
    lanes = [
        add_subscriber(filling, f"http://127.0.0.1:9/{item}", description=item) for item in ("Ann", "Bea")
    ]
    filling.make_ready()
    notifications = filling.container.reader.list_notifications(connection_id="xero", limit=2, cursor=None)
    for item in notifications.items:
        attempt = {
            "id": item["body"]["id"],
            "at": to_iso(filling.now),
            "outcome": "failed",
            "status_code": 500,
            "duration_ms": 12,
            "error": "answered 500",
            "answer": "out of order",
        }
        row: dict[Any, Any] = {}
        for lane in lanes:
            row |= {f"{lane}:status": "dead", f"{lane}:total": 1, f"{lane}:attempt:1": json.dumps(attempt)}
        store.hset(cells.deliveries(store, item["body"]["id"]), mapping=row)
    section = operator.open("/ops/connections/xero").text.partition('id="told"')[2].partition("</section>")[0]
    rows = [unescape(re.sub(r"<[^>]*>", " ", item)).split() for item in section.split("<tr>")[2:]]
    assert section.count("<table") == 1
    assert sorted((item[0], name) for item in rows for name in ("Ann", "Bea") if name in item) == [
        (milestone, name)
        for milestone in ("connection.authorized", "initial_sync.completed")
        for name in ("Ann", "Bea")
    ]
    assert ["answered 500" in " ".join(item) for item in rows] == [True] * 4
