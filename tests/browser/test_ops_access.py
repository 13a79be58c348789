"""The funnel, people, keys, the audit trail and receivers in a browser: by keyboard, on a phone, dark."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from processor.access.operators import PASSWORD as BY_PASSWORD
from processor.access.operators import Operator as Person
from processor.settings.people import USER, Role
from processor.store import visit_steps
from processor.store.visit_steps import VisitStep
from tests.browser.conftest import OpenPage
from tests.browser.looking import DARK_PHONE, faults_in_both, violations
from tests.browser.serving_thread import served
from tests.browser.visitor import tab_to
from tests.processor.web.ops.operating import PASSWORD, add_subscriber, basic
from tests.processor.web.v1.filling import CANCELLED, Filling
from tests.support.effort import in_turn

LOGIN = {"username": "operator", "password": PASSWORD}
PAGES = (
    "/ops/funnel",
    "/ops/funnel?platform=Xero",
    "/ops/access",
    "/ops/audit",
    "/ops/audit?kind=operator&outcome=done",
    "/ops/connections?merchant=toft&platform=Xero",
    "/ops/events?type=connection.created",
    "/ops/search?q=trip",
)


@pytest.fixture
def filling(redis_url: str) -> Iterator[Filling]:
    """The store and the application on it, with something on every page."""
    filling = Filling(redis_url, OPERATOR_PASSWORD=PASSWORD)
    filling.make_ready()
    filling.tell("connection.failed", "stripe", company="c2", said={"dataConnectionErrors": [CANCELLED]})
    filling.drain()
    container = filling.container
    with container.redis.pipeline(transaction=True) as pipe:
        for company in ("c1", "c2", "a-company-that-chose-nothing"):
            visit_steps.add(pipe, VisitStep.OPENED, company, company, filling.now)
        pipe.execute()
    container.api_keys.add("billing", ["read"])
    container.operator_sessions.open(Person(USER, Role.ADMIN), BY_PASSWORD)
    yield filling
    filling.close()


@pytest.fixture
def address(filling: Filling) -> Iterator[str]:
    """The address of the service."""
    with served(filling.app) as port:
        yield f"http://127.0.0.1:{port}"


def check(page: Page, path: str) -> None:
    """Everybody can use the page as it is, with every confirmation open."""
    for summary in page.locator(".ask > summary").all():
        summary.click()
    assert faults_in_both(page) == [], path
    DARK_PHONE.dress(page)
    assert violations(page) == [], path


def test_everybody_can_use_them(filling: Filling, address: str, open_page: OpenPage) -> None:
    lane = add_subscriber(filling, "https://loans.example/hook", description="Loan engine")
    page = open_page(f"{address}/ops", extra_http_headers={"Authorization": basic()})
    for path in (*in_turn(PAGES, 2), f"/ops/subscribers/{lane}"):
        page.goto(address + path)
        check(page, path)
    page.locator("button", has_text="Make a link for 7 days").click()
    portal = page.locator("section", has_text="its own page is shown now").locator("input").input_value()
    page.goto(address + "/receivers/" + portal.rpartition("/")[2])
    check(page, "the portal")


def test_a_page_is_loaded_again_unless_somebody_is_at_something_on_it(
    address: str, open_page: OpenPage
) -> None:
    """A reload by ``meta`` takes the keyboard's place away from its user, in the middle of a table."""
    page = open_page("about:blank", alone=True, extra_http_headers={"Authorization": basic()})
    page.clock.install()
    page.goto(f"{address}/ops/events?refresh=30")
    assert violations(page) == []
    page.evaluate("window.marked = true")
    link = page.get_by_role("navigation", name="Pages").get_by_role("link", name="Events")
    link.focus()
    page.clock.run_for(31_000)
    expect(link).to_be_focused()
    assert page.evaluate("window.marked")
    link.blur()
    page.clock.run_for(31_000)
    page.wait_for_function("!window.marked")
    assert page.url.endswith("/ops/events?refresh=30")


def test_a_key_is_made_copied_and_revoked_by_keyboard(address: str, open_page: OpenPage) -> None:
    page = open_page(
        f"{address}/ops/access",
        http_credentials=LOGIN,
        timezone_id="Asia/Tokyo",
        permissions=["clipboard-read", "clipboard-write"],
    )
    since = page.locator("td[data-label=Since] time").first
    expect(since).to_contain_text("23 Nov 2026, 00:0")
    expect(since).to_contain_text("(22 Nov 2026, 15:0")
    tab_to(page, page.locator("summary", has_text="Make a key"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("Name: letters"))
    page.keyboard.type("nightly")
    tab_to(page, page.get_by_label("read", exact=True))
    page.keyboard.press("Space")
    tab_to(page, page.get_by_role("button", name="Make it"))
    page.keyboard.press("Enter")
    expect(page.locator("#key-is")).to_have_text("The key nightly is shown now and never again")
    key = page.locator(".notice input").input_value()
    tab_to(page, page.get_by_role("button", name="Copy it"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Copy it")).to_have_text("Copied")
    assert page.evaluate("() => navigator.clipboard.readText()") == key
    page.goto(f"{address}/ops/access")
    row = page.locator("tr", has_text="nightly")
    tab_to(page, row.locator("summary"))
    page.keyboard.press("Enter")
    tab_to(page, row.get_by_role("button", name="Yes, revoke nightly"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The key is revoked")
    expect(page.locator("tr", has_text="nightly")).to_have_count(0)
