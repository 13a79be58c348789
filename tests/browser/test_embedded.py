"""The journey in a panel or popup of a lender's page on another site."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chrome import DESK, PHONE
from tests.browser.conftest import OpenPage, SignUp, running_chrome
from tests.browser.lender import Lender
from tests.browser.looking import faults
from tests.browser.stack import Stack
from tests.browser.visitor import at_link_page, authorise

MOST_TABS = 60


def heard(page: Page) -> list[tuple[str, str]]:
    """The events of the link: their types and connections."""
    events: list[tuple[str, str, str]] = page.evaluate("heard")
    assert all(target == "connect" for _, target, _ in events)
    return [(kind, connection) for kind, _, connection in events]


def await_event(page: Page, kind: str) -> None:
    """Wait until the lender's page heard of it."""
    page.wait_for_function("(kind) => heard.some(([type]) => type === kind)", arg=kind)


def give_access(service: Stack, window: Page) -> str:
    """Give access on Codat's Link page; the id of the connection."""
    connection_id = at_link_page(window, service.state)
    authorise(window)
    return connection_id


def test_in_a_panel_by_keyboard_from_choosing_to_ready(
    service: Stack, lender: Lender, open_page: OpenPage, sign_up: SignUp
) -> None:
    _, url = sign_up()
    page = open_page(lender.page(url))
    page.locator("#connect").press("Enter")
    panel = page.frame_locator("iframe")
    expect(page.get_by_role("dialog", name="Connect your accounts")).to_be_visible()
    expect(panel.get_by_role("heading", level=1)).to_have_text("Connect your business data")
    await_event(page, "opened")
    focused = []
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        focused.append(page.evaluate("document.activeElement.tagName"))
    assert set(focused) <= {"IFRAME", "DIALOG", "BODY"}, "the page behind the panel is out of reach"
    assert "IFRAME" in focused

    tile = panel.get_by_role("button", name="Connect Xero", exact=True)
    with page.expect_popup() as popup:
        tile.press("Enter")
    link = popup.value
    with link.expect_event("close"):
        connection_id = give_access(service, link)
    await_event(page, "connected")
    expect(panel.locator("li.connection")).to_contain_text("You gave access to Xero.")
    service.codat.change(connection_id, "complete-sync")
    await_event(page, "ready")

    panel.get_by_label("Search by name").press("Escape")
    await_event(page, "left")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#connect")).to_be_focused()
    assert heard(page) == [
        ("opened", ""),
        ("connected", connection_id),
        ("ready", connection_id),
        ("left", ""),
    ]

    page.evaluate("heard.length = 0")
    page.locator("#connect").click()
    await_event(page, "opened")
    panel.get_by_role("navigation", name="Pages").get_by_role("link", name="Manage").click()
    expect(panel.get_by_role("heading", level=1)).to_have_text("Manage your connections")
    panel.get_by_role("link", name="Back to Northbank Lending").click()
    await_event(page, "left")
    assert heard(page) == [("opened", ""), ("left", "")], "what was connected before is no news"


def test_on_a_phone_the_panel_fits_and_can_be_closed(
    lender: Lender, open_page: OpenPage, sign_up: SignUp
) -> None:
    _, url = sign_up()
    page = open_page(f"{lender.page(url + '?lang=de')}", viewport=PHONE)
    page.locator("#connect").click()
    panel = page.frame_locator("iframe")
    close = panel.get_by_role("button", name="Schließen")
    expect(close).to_be_visible()
    (frame,) = (frame for frame in page.frames if "/connect/" in frame.url)
    assert faults(frame) == []
    assert page.evaluate("document.querySelector('dialog').getBoundingClientRect().width") <= PHONE["width"]
    close.click()
    await_event(page, "left")
    expect(page.locator("#connect")).to_be_focused()


def test_in_a_popup(service: Stack, lender: Lender, open_page: OpenPage, sign_up: SignUp) -> None:
    _, url = sign_up()
    page = open_page(lender.page(url, "popup"))
    with page.expect_popup() as opened:
        page.locator("#connect").click()
    popup = opened.value
    await_event(page, "opened")
    popup.get_by_role("button", name="Connect Shopify", exact=True).click()
    connection_id = give_access(service, popup)
    expect(popup.get_by_role("heading", level=1)).to_have_text("You gave access to Shopify")
    await_event(page, "connected")
    with popup.expect_event("close"):
        popup.get_by_role("link", name="Back to Northbank Lending").click()
    await_event(page, "left")
    assert heard(page) == [("opened", ""), ("connected", connection_id), ("left", "")]


def test_a_popup_that_was_just_closed_opens_again(
    lender: Lender, open_page: OpenPage, sign_up: SignUp
) -> None:
    """A click within half a second after it was closed did nothing."""
    _, url = sign_up()
    page = open_page(lender.page(url, "popup"))
    page.evaluate("window.setInterval = () => 0")  # as if the half second was not over yet
    for count in (1, 2):
        with page.expect_popup() as opened:
            page.locator("#connect").click()
        page.wait_for_function(
            "(count) => heard.filter(([kind]) => kind === 'opened').length === count", arg=count
        )
        opened.value.close()
    assert [kind for kind, _ in heard(page)] == ["opened", "left", "opened"]


@pytest.mark.parametrize("mode", ["panel", "popup"])
def test_an_origin_that_is_not_on_the_list_hears_nothing_and_its_frame_is_refused(
    lender: Lender, sign_up: SignUp, mode: str
) -> None:
    _, url = sign_up()
    with running_chrome().visitor() as page:
        page.set_viewport_size(DESK)
        page.goto(lender.page(url, mode, origin=lender.unlisted))
        if mode == "popup":
            with page.expect_popup() as popup:
                page.locator("#connect").click()
            expect(popup.value.get_by_role("heading", level=1)).to_have_text("Connect your business data")
            popup.value.close()
            await_event(page, "left")
            assert page.evaluate("messages") == []
            assert heard(page) == [("left", "")]
            return
        with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
            page.locator("#connect").click()
        page.wait_for_url(url)
        expect(page.get_by_role("heading", level=1)).to_have_text("Connect your business data")


def test_without_javascript_it_is_an_ordinary_link(
    lender: Lender, open_page: OpenPage, sign_up: SignUp
) -> None:
    _, url = sign_up()
    page = open_page(lender.page(url), java_script_enabled=False)
    page.locator("#connect").click()
    page.wait_for_url(url)
