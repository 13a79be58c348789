"""The whole journey in a browser: choose, Codat's Link page, the way back, live status, and manage."""

import re

import pytest
from playwright.sync_api import expect

from processor.simulator.lender import LENDER_PATH
from tests.browser.chrome import PHONE
from tests.browser.conftest import OpenPage, SignUp
from tests.browser.looking import faults, faults_in_both
from tests.browser.stack import Stack
from tests.browser.visitor import LINK_PAGE, authorise, choose, says, title
from tests.support.effort import in_turn


def test_from_choosing_to_ready(service: Stack, open_page: OpenPage, sign_up: SignUp) -> None:
    company_id, url = sign_up()
    page = open_page(url)
    title(page, "Connect your business data")
    assert faults_in_both(page) == []
    choose(service, page)
    authorise(page)
    page.wait_for_url("**/return?**")
    expect(page.get_by_text("Thank you, you are back")).to_be_visible()
    title(page, "You gave access to Xero")
    assert faults_in_both(page) == []

    (connection_id,) = service.connections(company_id)
    page.evaluate("window.neverLoadedAgain = true")
    service.codat.change_settings(auto_sync=True, sync_s=600)
    service.codat.change(connection_id, "start-sync")
    title(page, "Reading your data from Xero")
    expect(page.get_by_role("progressbar", name="Read so far")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Chart of accounts")).to_be_visible()
    assert faults_in_both(page) == []
    page.emulate_media(forced_colors="active")
    edge = "getComputedStyle(document.querySelector('progress')).borderTopWidth"
    assert page.evaluate(edge) == "1px", "without its ground a bar has no end"
    dots = "[...document.querySelectorAll('.steps .dot')].map((dot) => getComputedStyle(dot).borderTopWidth)"
    assert page.evaluate(dots) == ["3px", "5px", "1px"], "each step differs without its colour"
    links = "[...document.querySelectorAll('.top nav a')].map((a) => getComputedStyle(a).borderBottomColor)"
    ground = "getComputedStyle(document.querySelector('.top')).backgroundColor"
    assert set(page.evaluate(links)) == {page.evaluate(ground)}, "neither is the page that is shown"
    page.emulate_media(forced_colors="none")

    service.codat.change(connection_id, "complete-sync")
    title(page, "Xero is connected")
    expect(page.locator(".readings .good")).to_have_count(8)
    expect(page.locator("#announcer")).to_contain_text("Xero is connected")
    assert page.title().startswith("Xero is connected")
    assert faults_in_both(page) == []
    assert page.evaluate("window.neverLoadedAgain"), "it was the page that followed, not the reader"
    assert service.state(connection_id) == "ready"

    page.get_by_role("link", name="Back to Northbank Lending").click()
    page.wait_for_url(f"**{LENDER_PATH}?*outcome=ready*")
    title(page, "Welcome back")


@pytest.mark.parametrize(
    ("button", "state", "heading"),
    in_turn(
        [
            ("Cancel", "authorization_failed", "You did not give access"),
            ("Error", "authorization_failed", "Shopify could not be connected"),
            ("Platform not supported", "authorization_failed", "This platform is not supported"),
            ("Leave", "pending", "You left before anything was connected"),
        ],
        2,
    ),
)
def test_every_other_ending_says_what_happened_and_can_be_tried_again(
    service: Stack,
    open_page: OpenPage,
    sign_up: SignUp,
    button: str,
    state: str,
    heading: str,
) -> None:
    company_id, url = sign_up()
    page = open_page(url, viewport=PHONE)
    choose(service, page, "Shopify")
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_url("**/return?**")
    title(page, heading)
    assert faults(page) == []
    (connection_id,) = service.connections(company_id)
    assert service.state(connection_id) == state

    page.get_by_role("button", name=re.compile("Try again|Continue with Shopify")).click()
    page.wait_for_url(LINK_PAGE)
    authorise(page)
    title(page, "You gave access to Shopify")
    assert service.connections(company_id) == [connection_id], "the same one, not a second"


def test_disconnect_reconnect_and_delete(service: Stack, open_page: OpenPage, sign_up: SignUp) -> None:
    company_id, url = sign_up()
    page = open_page(url, viewport=PHONE)
    choose(service, page)
    authorise(page)
    title(page, "You gave access to Xero")
    (connection_id,) = service.connections(company_id)
    service.codat.change(connection_id, "complete-sync")
    title(page, "Xero is connected")

    page.get_by_role("link", name="Manage your connections").click()
    expect(page.locator("dd time")).to_have_count(2)
    assert faults_in_both(page) == []
    page.get_by_role("link", name="Disconnect Xero").click()
    title(page, "Disconnect Xero?")
    assert faults_in_both(page) == []
    page.get_by_role("link", name="Keep it").click()
    page.get_by_role("link", name="Disconnect Xero").click()
    page.get_by_role("button", name="Disconnect").click()
    says(page, "Xero is disconnected.")
    assert service.state(connection_id) == "unlinked"

    page.get_by_role("button", name="Reconnect Xero").click()
    page.wait_for_url(LINK_PAGE)
    authorise(page)
    title(page, "You gave access to Xero")

    page.get_by_role("link", name="Manage your connections").click()
    page.get_by_role("link", name="Delete Xero").click()
    title(page, "Delete the connection to Xero?")
    page.get_by_role("button", name="Delete for good").click()
    says(page, "Nothing is connected.")
    assert faults_in_both(page) == []
    assert service.state(connection_id) == "deleted"
