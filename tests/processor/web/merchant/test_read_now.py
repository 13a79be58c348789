"""Reading that does not begin by itself: the page, the operators' page and the API offer to begin it."""

import pytest

from tests.processor.simulator.pages import Browser
from tests.processor.web.conftest import OpenPlace
from tests.processor.web.ops.operating import PASSWORD, SEAL, basic, text_of
from tests.support.visiting import Place

KEY = "key-of-a-caller"


@pytest.fixture
def place(open_place: OpenPlace) -> Place:
    """A service with operators' pages and an API."""
    return open_place(OPERATOR_PASSWORD=PASSWORD, API_KEYS=KEY)


def unread(place: Place) -> tuple[str, str, str]:
    """A company, its token, and a connection of which Codat showed that nothing is queued."""
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    place.later(600)
    assert place.desk.journey.queue_questions(company_id)
    place.settle()
    return company_id, token, connection_id


def test_the_merchant_can_have_it_read(place: Place, visitor: Browser) -> None:
    """A token was brought: the page said "reading is about to begin" for ever."""
    _, token, connection_id = unread(place)
    base = f"/connect/{token}"
    for path in ("", "/manage", f"/connections/{connection_id}"):
        page = visitor.open(base + path)
        assert "about to begin" not in page.text
        assert next(page.forms_with("Read now")).action.endswith(f"/connections/{connection_id}/read"), path
    assert "nothing is being read yet" in page.text

    assert visitor.press(page, "Read now").answer.status_code == 303
    place.settle()

    assert len(place.desk.wire.asked("POST", "/data/all")) == 1
    assert place.bench.state(connection_id) in ("syncing", "ready")
    assert "nothing is being read yet" not in visitor.open(f"{base}/connections/{connection_id}").text


def test_an_operator_can_have_it_read(place: Place) -> None:
    """Operators saw `authorized` and the advice to wait."""
    _, _, connection_id = unread(place)
    http, headers = place.app.test_client(), {"Authorization": basic()}
    address = f"/ops/connections/{connection_id}"
    shown = http.get(address, headers=headers)
    assert "Codat has queued nothing to read" in text_of(shown)
    seal = SEAL.search(shown.text)
    assert seal is not None

    answer = http.post(f"{address}/read", data={"seal": seal[1]}, headers=headers)
    assert answer.status_code == 303
    assert "Codat was told to read the data" in http.get(answer.headers["Location"], headers=headers).text
    place.settle()
    assert place.bench.state(connection_id) in ("syncing", "ready")
    assert not place.desk.journey.connection(connection_id)["first_sync_missing"]
    assert http.post(f"{address}/read", data={"seal": "0" * 64}, headers=headers).status_code == 403


def test_a_caller_can_have_it_read(place: Place) -> None:
    """Integrators had no call for it, and asked Codat beside us."""
    company_id, _, connection_id = unread(place)
    http, headers = place.app.test_client(), {"Authorization": f"Bearer {KEY}"}
    assert http.get(f"/v1/connections/{connection_id}", headers=headers).json["first_sync_missing"] is True

    answer = http.post(f"/v1/companies/{company_id}/read", headers=headers)
    assert (answer.status_code, answer.json["id"]) == (202, company_id)
    again = http.post(f"/v1/companies/{company_id}/read", headers=headers)
    assert again.status_code == 202, "it is being read: nothing is wrong"
    assert len(place.desk.wire.asked("POST", "/data/all")) == 1

    place.settle()
    shown = http.get(f"/v1/connections/{connection_id}", headers=headers).json
    assert (shown["first_sync_missing"], shown["state"] in ("syncing", "ready")) == (False, True)
    assert http.post("/v1/companies/nobody/read", headers=headers).status_code == 404


def test_a_connector_that_was_read_once_is_no_reason_to_worry(place: Place, visitor: Browser) -> None:
    """QuickBooks Desktop set to one-time sync: its page said "no longer gives access", in red."""
    company_id, token = place.company()
    connection_id = place.linked(company_id, "pqsw")
    place.change(connection_id, "complete-sync")
    place.change(connection_id, "deauthorize")

    page = visitor.open(f"/connect/{token}/connections/{connection_id}").text
    assert "Your data was read from QuickBooks Desktop, once" in page
    assert "no longer gives access" not in page
    http = place.app.test_client()
    shown = text_of(http.get(f"/ops/connections/{connection_id}", headers={"Authorization": basic()}))
    assert "set to be read once" in shown


def test_a_read_that_takes_hours_is_neither_stuck_nor_failed(place: Place, visitor: Browser) -> None:
    """A dataset is tried again for 12 hours before it ends; the page promised an hour at most."""
    company_id, _ = place.company()
    connection_id = place.linked(company_id)
    place.change(connection_id, "start-sync")
    for hours in (1, 10):
        place.later(hours * 3600)
        assert place.desk.journey.queue_questions(company_id)
        place.settle()
        assert place.bench.state(connection_id) == "syncing"
        link = place.desk.journey.links.connect_url(company_id).rpartition("/")[2]
        page = visitor.open(f"/connect/{link}/connections/{connection_id}").text
        assert "tried again for up to twelve hours" in page
        assert not list(visitor.open(f"/connect/{link}").forms_with("Read again"))
