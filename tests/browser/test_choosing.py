"""The page on which a merchant chooses a platform, and what it leads to other than Codat's Link."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, SignUp
from tests.browser.looking import DARK_PHONE, LIGHT_DESK, faults, faults_in_both
from tests.browser.stack import Stack
from tests.browser.visitor import LINK_PAGE, says, title
from tests.support.service import until

NUMBERED = """
() => [...document.querySelectorAll(".options li")]
  .filter((item) => getComputedStyle(item, "::before").content !== "none").length
"""
"""How many items of a list have a number in a circle."""


def test_another_brand_is_shown_and_as_legible(service: Stack, open_page: OpenPage) -> None:
    _, url = service.sign_up("harbour", "Harbour Café", brand="northbank")
    page = open_page(url)
    title(page, "Share your accounts with Northbank")
    expect(page.get_by_role("img", name="Northbank")).to_be_visible()
    shown = "getComputedStyle(document.documentElement).getPropertyValue('--accent').trim()"
    for look, accent in ((LIGHT_DESK, "#7a1f4b"), (DARK_PHONE, "#f29ac0")):
        look.dress(page)
        assert page.evaluate(shown) == accent
    assert faults_in_both(page) == []
    page.goto(f"{url}/manage")
    assert faults_in_both(page) == []


def test_searching_filters_while_one_types(open_page: OpenPage, sign_up: SignUp) -> None:
    _, url = sign_up()
    page = open_page(url)
    search = page.get_by_label("Search by name")
    search.fill("quick onl")
    expect(page.get_by_role("heading", name="Accounting software")).to_be_visible()
    expect(page.get_by_role("heading", name="Online shops and payments")).to_be_hidden()
    expect(page.locator(".tile:visible")).to_have_count(2)
    expect(page.locator("#announcer")).to_have_text("2 platforms")
    search.fill("nothing of that kind")
    expect(page.get_by_text("Nothing by that name.")).to_be_visible()
    assert faults(page) == []
    search.fill("")
    expect(page.get_by_role("button", name="Connect Xero")).to_be_visible()
    for name in ("Sage", "Stripe"):
        page.get_by_label("Search by name").fill(name)
        page.get_by_label("Search by name").press("Enter")
        expect(page.get_by_text(f"for “{name}”")).to_be_visible()
        expect(page.get_by_role("button", name=re.compile(f"Connect {name}")).first).to_be_visible()


def test_intuits_button_changes_when_the_mouse_is_over_it(open_page: OpenPage, sign_up: SignUp) -> None:
    _, url = sign_up()
    page = open_page(url)
    button = page.get_by_role("button", name="Connect to QuickBooks Online", exact=True)
    default, hover = button.locator(".default"), button.locator(".hover")

    def has_its_picture() -> bool:
        page.goto(url)
        return button.count() == 1

    until(has_its_picture)  # the pictures are read in the background, after the list
    expect(default).to_have_css("opacity", "1")
    expect(hover).to_have_css("opacity", "0")
    button.hover()
    expect(default).to_have_css("opacity", "0")
    expect(hover).to_have_css("opacity", "1")
    button.click()
    page.wait_for_url(LINK_PAGE)


def test_handing_the_link_on_and_the_ways_out(open_page: OpenPage, sign_up: SignUp) -> None:
    _, url = sign_up()
    page = open_page(url, permissions=["clipboard-read", "clipboard-write"])
    assert page.get_by_label("The link to this page").input_value() == url
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == url
    mail = page.get_by_role("link", name="Send this to my accountant").get_attribute("href") or ""
    assert mail.startswith("mailto:?subject=")
    page.get_by_role("link", name="My platform is not listed").click()
    title(page, "My platform is not listed")
    assert faults(page) == []
    assert page.evaluate(NUMBERED) == page.locator(".options > li").count(), "the consent is one of no ways"
    expect(page.get_by_role("link", name="help@northbank.example").first).to_be_visible()


def test_the_way_back_from_a_platform_shows_the_connections(open_page: OpenPage, sign_up: SignUp) -> None:
    """After the page about what to prepare, the back button led to an error, not to the form."""
    _, url = sign_up()
    page = open_page(url, alone=True)
    page.get_by_role("button", name="Connect Sage 50").click()
    title(page, "Before you go to Sage 50")
    page.get_by_role("link", name="Go to Sage 50 now").click()
    page.wait_for_url(LINK_PAGE)
    page.go_back()
    title(page, "Your connections")
    expect(page.get_by_role("button", name="Continue with Sage 50")).to_be_visible()


def test_what_is_asked_for_and_a_note_about_a_missing_platform(
    service: Stack, open_page: OpenPage, sign_up: SignUp
) -> None:
    company_id, url = sign_up()
    asked = [{"source_type": "Accounting"}, {"source_type": "Commerce", "need": "optional"}]
    service.container.journey.change_company(company_id, asked_for=asked, group="Harbour")
    service.container.journey.sign_up(merchant_id=f"{company_id}-2", name="Harbour Café", group="Harbour")
    page = open_page(url, viewport={"width": 320, "height": 740})
    expect(page.get_by_role("heading", name="0 of 2 connected")).to_be_visible()
    expect(page.get_by_role("link", name="Harbour Café")).to_be_visible()
    assert faults(page) == []
    skip = page.get_by_role("button", name=re.compile("Skip for now"))
    skip.focus()
    skip.press("Enter")
    expect(page.get_by_role("heading", name="0 of 1 connected")).to_be_visible()
    expect(page.get_by_role("button", name="Connect Shopify")).to_have_count(0)
    assert faults(page) == []
    page.goto(f"{url}/not-listed?q=Ledgers")
    name = page.get_by_label("The name of the software, bank or shop")
    expect(name).to_have_value("Ledgers")
    name.press("Enter")
    says(page, "Thank you, your note was sent.")
    says(page, "You told us about: Ledgers")
    assert faults(page) == []


def test_powered_by_codat_is_a_picture_or_words(open_page: OpenPage, sign_up: SignUp) -> None:
    _, url = sign_up()
    picture = '<svg xmlns="http://www.w3.org/2000/svg" width="150" height="32"/>'
    page = open_page(url, powered_by=picture)
    shown = page.get_by_role("img", name="Powered by Codat")
    expect(shown).to_be_visible()
    page.wait_for_function("document.querySelector('.powered img').naturalWidth === 150")
    blocked = open_page(url)
    expect(blocked.get_by_role("link", name="Powered by Codat")).to_be_visible()
    expect(blocked.locator(".powered img")).to_have_count(0)
