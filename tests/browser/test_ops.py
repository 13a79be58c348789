"""An operator at night logs in, looks a connection up and replays a dead event, by keyboard alone."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import expect

from handlers.events import Source, UnhandledEvent
from processor.store import keys
from processor.store.keys import cell_of
from tests.browser.chrome import DESK, PHONE
from tests.browser.conftest import OpenPage, SignUp
from tests.browser.looking import faults, faults_in_both
from tests.browser.stack import OPERATOR_PASSWORD, Stack
from tests.browser.visitor import tab_to
from tests.processor.web.ops.operating import basic
from tests.support import cells
from tests.support.effort import in_turn
from tests.support.service import until

Fields = dict[Any, Any]
LOGIN = {"username": "operator", "password": OPERATOR_PASSWORD}
LAST_BUT_ONE = 6


def die(service: Stack, event_id: str) -> None:
    """A message whose handling fails to the last."""
    own, now = service.container, datetime.now(UTC)
    event = UnhandledEvent(
        event_id=event_id,
        event_type="codat-api.connection",
        source=Source.CODAT_API,
        received_at=now,
        at=now,
    )

    def has(status: str) -> bool:
        row = own.reader.event(event_id)
        return row is not None and row["status"] == status

    def is_tried_for_the_last_time() -> bool:
        put, _ = own.inbox.requeue(event_id, status="failed", cell=cell, only_if=True, attempts=LAST_BUT_ONE)
        return put

    own.inbox.accept(event, b"nothing of ours")
    cell = cell_of(None)
    until(is_tried_for_the_last_time)  # the clock tries a failed one again, too, after some seconds
    until(lambda: has("dead"))


def mend(service: Stack, event_id: str, company_id: str, connection_id: str) -> None:
    """Remove the cause of the failure, as an update would: the message is understood now."""
    body = {
        "eventType": "connection.created",
        "generatedDate": datetime.now(UTC).isoformat(),
        "payload": {"referenceCompany": {"id": company_id}, "connection": {"id": connection_id}},
    }
    cells.change_message(service.container.redis, event_id, json.dumps(body).encode(), source="current")


def add_failing(service: Stack, notification_id: str) -> str:
    """A subscriber that nothing goes to by itself, and that answered at length; its id."""
    wanted = {
        "url": "https://loans.example/hook",
        "types": ["connection.deleted"],
        "description": "Loan engine",
    }
    answer = service.http.post("/v1/subscribers", json=wanted).raise_for_status()
    lane = str(answer.json()["id"])
    attempt = json.dumps(
        {
            "id": notification_id,
            "at": datetime.now(UTC).isoformat(),
            "outcome": "failed",
            "status_code": 500,
            "duration_ms": 12,
            "error": "answered 500",
            "answer": "the loan engine is out of order " * 20 + "x" * 300,
        }
    )
    row: Fields = {
        f"{lane}:status": "dead",
        f"{lane}:total": 1,
        f"{lane}:attempt:1": attempt,
        "n:dead": 1,
    }
    store = service.container.redis
    store.hset(cells.deliveries(store, notification_id), mapping=row)
    store.hset(keys.lane_state(lane), mapping={"failures": 1, "last_attempt": attempt})
    return lane


@pytest.mark.parametrize(
    ("viewport", "color_scheme"), in_turn([(DESK, "light"), (PHONE, "dark")], 2), ids=str
)
def test_what_an_operator_does_at_night_works_by_keyboard_alone(
    service: Stack, open_page: OpenPage, sign_up: SignUp, viewport: dict[str, int], color_scheme: str
) -> None:
    company_id, _ = sign_up()
    connection_id = service.container.journey.connect(company_id, "gbol").connection_id
    service.codat.change(connection_id, "authorize")
    until(lambda: service.state(connection_id) == "authorized")
    event_id = f"dead-{viewport['width']}"
    die(service, event_id)

    page = open_page(
        f"{service.url}/ops", viewport=viewport, color_scheme=color_scheme, http_credentials=LOGIN
    )
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text("It works, and something needs you")
    expect(page.get_by_text("could not be handled (dead letter")).to_be_visible()
    assert faults(page) == []

    tab_to(page, page.get_by_role("searchbox"))
    page.keyboard.type(connection_id)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/ops/connections/{connection_id}")
    expect(title).to_have_text("Xero: authorized")
    expect(page.locator(".because")).to_contain_text("pending → authorized")
    newest = page.locator(".timeline > li").filter(has_text="connection.connected").first
    expect(newest.locator(".reason")).to_contain_text("pending → authorized")
    assert faults(page) == []
    tab_to(page, newest.locator("a").first)
    page.keyboard.press("Enter")
    expect(title).to_have_text("connection.connected: processed")
    assert faults(page) == []

    tab_to(page, page.get_by_role("navigation", name="Pages").get_by_role("link", name="Events"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("navigation", name="By status").get_by_role("link", name="dead"))
    page.keyboard.press("Enter")
    expect(title).to_have_text("Events: dead")
    assert faults(page) == []
    tab_to(page, page.get_by_role("link", name=event_id, exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing more happens by itself")).to_be_visible()
    expect(page.locator(".because")).to_contain_text("ValueError")
    assert faults(page) == []

    mend(service, event_id, company_id, connection_id)
    tab_to(page, page.get_by_role("button", name="Replay"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("It waits in the inbox again")
    until(lambda: (service.container.reader.event(event_id) or {}).get("status") == "processed")
    page.reload()
    expect(title).to_contain_text("processed")
    assert faults(page) == []


def test_every_page_can_be_used_by_everybody(service: Stack, open_page: OpenPage, sign_up: SignUp) -> None:
    """On the list of events the badges broke in the middle of a word ("quaranti-ned") at 1280 pixels;
    the form that adds a subscriber had fields of 21 pixels and boxes of 13."""
    company_id, _ = sign_up()
    connection_id = service.container.journey.connect(company_id, "shpf").connection_id
    service.codat.change(connection_id, "authorize")
    service.codat.change(connection_id, "complete-sync")
    until(lambda: service.state(connection_id) == "ready")
    service.container.inbox.quarantine("odd", b"no JSON", datetime.now(UTC), "it is no JSON")
    told = service.items("/v1/notifications", connection_id=connection_id)[0]
    lane = add_failing(service, str(told["id"]))
    signed_in = {"Authorization": basic(password=OPERATOR_PASSWORD)}
    page = open_page(f"{service.url}/ops", viewport=PHONE, extra_http_headers=signed_in)
    paths = (
        "/ops?refresh=30",
        "/ops/connections",
        f"/ops/connections/{connection_id}",
        f"/ops/companies/{company_id}",
        "/ops/events",
        "/ops/events?status=quarantined",
        "/ops/events/odd",
        "/ops/notifications",
        f"/ops/notifications/{told['id']}",
        "/ops/subscribers",
        "/ops/migration",
        f"/ops/subscribers/{lane}",
        "/ops/search?q=nobody",
        "/ops/search?q=corner",
        "/ops/events/none",
    )
    for path in in_turn(paths, 2):
        page.goto(service.url + path)
        for summary in page.locator(".ask > summary").all():
            summary.click()
        assert faults_in_both(page) == [], path
    page.goto(f"{service.url}/ops/subscribers/{lane}")
    tab_to(page, page.locator("summary", has_text="Disable Loan engine"))
    expect(page.get_by_role("button", name="Yes, disable Loan engine")).to_be_hidden()
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Yes, disable Loan engine"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The subscriber is disabled.")
    page.goto(f"{service.url}/ops")
    expect(page.get_by_text("Nothing is sent to Loan engine: it is disabled.")).to_be_visible()
    assert faults_in_both(page) == []
    service.http.delete(f"/v1/subscribers/{lane}").raise_for_status()
    page.goto(f"{service.url}/ops/companies/{company_id}")
    page.get_by_role("button", name="Make a link").click()
    assert "/connect/" in page.locator("#connect-url").input_value()
    assert faults_in_both(page) == []
