"""The whole journey in a browser: choose, Codat's Link page, the way back, live status, and manage."""

import re

import pytest
from playwright.sync_api import Page, expect

from processor.simulator.lender import LENDER_PATH
from tests.browser.chrome import PATIENCE_MS, executable
from tests.browser.conftest import DESK, PHONE, OpenPage, SignUp
from tests.browser.looking import faults, wider
from tests.browser.stack import Stack
from tests.support.effort import in_turn
from tests.support.service import until

pytestmark = [
    pytest.mark.skipif(executable() is None, reason="Debian's chromium is not installed"),
    pytest.mark.timeout(600),
]

LINK_PAGE = re.compile(r"/link/([0-9a-f-]+)\?otp=")


@pytest.fixture(autouse=True)
def patience() -> None:
    """Nothing here depends on the speed of the machine."""
    expect.set_options(timeout=PATIENCE_MS)


def choose(service: Stack, page: Page, name: str = "Xero") -> None:
    """Press a tile; Codat's Link page follows by itself."""
    page.get_by_role("button", name=f"Connect {name}", exact=True).click()
    await_link_page(service, page)


def await_link_page(service: Stack, page: Page) -> None:
    """Wait until Codat's Link page is shown and the service knows the connection.

    It waits a second for its workers at the most; who is back before them sees the list of connections.
    """
    page.wait_for_url(LINK_PAGE)
    found = LINK_PAGE.search(page.url)
    assert found is not None
    until(lambda: service.state(found[1]))


def says(page: Page, text: str) -> None:
    """Wait until the page itself says so, and not only the announcer."""
    expect(page.get_by_role("main").get_by_text(text).first).to_be_visible()


def title(page: Page, text: str) -> None:
    """Wait until the page says so; it is not loaded again for it."""
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


@pytest.mark.parametrize(
    ("viewport", "color_scheme"), in_turn([(DESK, "light"), (PHONE, "dark")], 2), ids=str
)
def test_from_choosing_to_ready(
    service: Stack, open_page: OpenPage, sign_up: SignUp, viewport: dict[str, int], color_scheme: str
) -> None:
    company_id, url = sign_up()
    page = open_page(url, viewport=viewport, color_scheme=color_scheme)
    title(page, "Connect your business data")
    assert faults(page) == []
    choose(service, page)
    page.get_by_role("button", name="Authorise").click()
    page.wait_for_url("**/return?**")
    expect(page.get_by_text("Thank you, you are back")).to_be_visible()
    title(page, "You gave access to Xero")
    assert faults(page) == []

    (connection_id,) = service.connections(company_id)
    page.evaluate("window.neverLoadedAgain = true")
    service.codat.change_settings(auto_sync=True, sync_s=600)
    service.codat.change(connection_id, "start-sync")
    title(page, "Reading your data from Xero")
    expect(page.get_by_role("progressbar", name="Read so far")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Chart of accounts")).to_be_visible()
    assert faults(page) == []
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
    assert faults(page) == []
    assert page.evaluate("window.neverLoadedAgain"), "it was the page that followed, not the reader"
    assert service.state(connection_id) == "ready"

    page.get_by_role("link", name="Back to Northbank Lending").click()
    page.wait_for_url(f"**{LENDER_PATH}?*outcome=ready*")
    title(page, "Welcome back")


@pytest.mark.parametrize(("color_scheme", "accent"), in_turn([("light", "#7a1f4b"), ("dark", "#f29ac0")], 2))
def test_another_brand_is_shown_and_as_legible(
    service: Stack, open_page: OpenPage, color_scheme: str, accent: str
) -> None:
    _, url = service.sign_up(f"harbour-{color_scheme}", "Harbour Café", brand="northbank")
    page = open_page(url, viewport=PHONE, color_scheme=color_scheme)
    title(page, "Share your accounts with Northbank")
    expect(page.get_by_role("img", name="Northbank")).to_be_visible()
    shown = "getComputedStyle(document.documentElement).getPropertyValue('--accent').trim()"
    assert page.evaluate(shown) == accent
    assert faults(page) == []
    page.goto(f"{url}/manage")
    assert faults(page) == []


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
    page.get_by_role("button", name="Authorise").click()
    title(page, "You gave access to Shopify")
    assert service.connections(company_id) == [connection_id], "the same one, not a second"


@pytest.mark.parametrize("viewport", in_turn([DESK, PHONE], 2), ids=str)
def test_disconnect_reconnect_and_delete(
    service: Stack, open_page: OpenPage, sign_up: SignUp, viewport: dict[str, int]
) -> None:
    company_id, url = sign_up()
    page = open_page(url, viewport=viewport)
    choose(service, page)
    page.get_by_role("button", name="Authorise").click()
    title(page, "You gave access to Xero")
    (connection_id,) = service.connections(company_id)
    service.codat.change(connection_id, "complete-sync")
    title(page, "Xero is connected")

    page.get_by_role("link", name="Manage your connections").click()
    expect(page.locator("dd time")).to_have_count(2)
    assert faults(page) == []
    page.get_by_role("link", name="Disconnect Xero").click()
    title(page, "Disconnect Xero?")
    assert faults(page) == []
    page.get_by_role("link", name="Keep it").click()
    page.get_by_role("link", name="Disconnect Xero").click()
    page.get_by_role("button", name="Disconnect").click()
    says(page, "Xero is disconnected.")
    assert service.state(connection_id) == "unlinked"

    page.get_by_role("button", name="Reconnect Xero").click()
    page.wait_for_url(LINK_PAGE)
    page.get_by_role("button", name="Authorise").click()
    title(page, "You gave access to Xero")

    page.get_by_role("link", name="Manage your connections").click()
    page.get_by_role("link", name="Delete Xero").click()
    title(page, "Delete the connection to Xero?")
    page.get_by_role("button", name="Delete for good").click()
    says(page, "Nothing is connected.")
    assert faults(page) == []
    assert service.state(connection_id) == "deleted"


def test_without_javascript_all_of_it_works(service: Stack, open_page: OpenPage, sign_up: SignUp) -> None:
    company_id, url = sign_up()
    page = open_page(url, java_script_enabled=False, viewport=PHONE)
    page.get_by_label("Search by name").fill("xer")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("1 platform for “xer”")).to_be_visible()
    choose(service, page)
    page.get_by_role("button", name="Authorise").click()
    page.wait_for_url("**/return?**")
    title(page, "You gave access to Xero")
    (connection_id,) = service.connections(company_id)
    service.codat.change(connection_id, "complete-sync")
    title(page, "Xero is connected")
    page.get_by_role("navigation").get_by_role("link", name="Manage", exact=True).click()
    page.get_by_role("link", name="Delete Xero").click()
    page.get_by_role("button", name="Delete for good").click()
    says(page, "The connection is deleted.")


def test_with_the_keyboard_alone(service: Stack, open_page: OpenPage, sign_up: SignUp) -> None:
    company_id, url = sign_up()
    page = open_page(url)

    def focus_on(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            said = page.evaluate("(document.activeElement.innerText || '').replace(/\\s+/g, ' ').trim()")
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"nobody sees where the focus is: {said}"
            if said == name:
                return
        raise AssertionError(f"the keyboard does not reach {name}")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the content"
    page.keyboard.press("Enter")
    focus_on("Connect Xero")
    page.keyboard.press("Enter")
    await_link_page(service, page)
    page.get_by_role("button", name="Authorise").focus()
    page.keyboard.press("Enter")
    title(page, "You gave access to Xero")
    (connection_id,) = service.connections(company_id)
    service.codat.change(connection_id, "deauthorize")
    title(page, "Xero no longer gives access")
    focus_on("Connect again with Xero")
    service.codat.change(connection_id, "reauthorize", auto_sync=False)
    title(page, "You gave access to Xero")
    page.wait_for_function("document.activeElement.id === 'main'")
    focus_on("Manage your connections")
    page.keyboard.press("Enter")
    title(page, "Manage your connections")
    focus_on("Disconnect Xero")


def test_a_page_that_is_left_open_follows_what_others_do(
    service: Stack, open_page: OpenPage, sign_up: SignUp
) -> None:
    company_id, url = sign_up()
    waiting = service.container.journey.connect(company_id, "shpf").connection_id
    until(lambda: service.state(waiting))
    mine, accountant = open_page(url), open_page(url, viewport=PHONE)
    choose(service, accountant)
    announced = mine.locator("#announcer")
    expect(announced).to_have_text("Xero: Waiting for you to give access.")
    accountant.get_by_role("button", name="Authorise").click()
    says(mine, "You gave access to Xero.")
    expect(announced).to_have_text("You gave access to Xero.")
    mine.get_by_label("Search by name").focus()
    mine.keyboard.type("sh")
    connection_id, _ = service.connections(company_id)
    service.codat.change(connection_id, "complete-sync")
    says(mine, "Xero is connected.")
    assert mine.evaluate("document.activeElement.id") == "q", "who types is not disturbed"
    assert mine.get_by_label("Search by name").input_value() == "sh"


STANDS_IN = """
window.looks = 0;
window.answer = 304;
window.fetch = (address, { signal }) => {
  window.looks += 1;
  if (window.answer) return Promise.resolve(new Response(null, { status: window.answer }));
  return new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason)));
};
"""


def test_looks_are_rarer_while_nothing_moves_and_the_page_says_when_nobody_answers(
    open_page: OpenPage, sign_up: SignUp
) -> None:
    """One request that never ended stopped the page for good, which looked as alive as before."""
    _, url = sign_up()
    page = open_page(url)
    page.clock.install()
    page.add_init_script(STANDS_IN)
    page.reload()
    old, announced = page.locator("#stale"), page.locator("#announcer")
    page.clock.run_for(60_000)
    assert 30 <= page.evaluate("window.looks") <= 40, "what changes all the same is seen within two seconds"
    page.evaluate("document.getElementById('connections').innerHTML = '<p data-moving></p>'")
    page.clock.run_for(10_000)
    page.evaluate("window.looks = 0")
    page.clock.run_for(30_000)
    assert page.evaluate("window.looks") >= 25, "what moves is seen within two seconds"
    for silence in (0, 503):
        page.evaluate(f"window.answer = {silence}")
        expect(old).to_be_hidden()
        page.clock.run_for(60_000)
        expect(old).to_contain_text("We cannot look just now. This is how it stood at ")
        expect(old).to_be_visible()
        expect(announced).to_contain_text("We cannot look just now.")
        page.evaluate("window.answer = 304")
        page.clock.run_for(20_000)
        expect(old).to_be_hidden()
        expect(announced).to_have_text("We can look again.")


LONG_WORDS = """
() => {
  document.documentElement.style.fontSize = "200%";
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    text.textContent = text.textContent.replace(/Xero|Corner|Shopify/g, "Unbroken".repeat(8));
  }
}
"""


def test_long_words_and_large_letters_fit_a_small_window(
    service: Stack, open_page: OpenPage, sign_up: SignUp
) -> None:
    company_id, url = sign_up()
    connection_id = service.container.journey.connect(company_id, "shpf").connection_id
    until(lambda: service.state(connection_id))
    page = open_page(url, viewport={"width": 320, "height": 740})
    card = f"connections/{connection_id}"
    for path in ("", "/manage", "/not-listed", f"/{card}", f"/{card}/delete", "/nowhere"):
        page.goto(url + path)
        page.evaluate(LONG_WORDS)
        assert wider(page) == [], path


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
    expect(page.get_by_role("link", name="help@northbank.example").first).to_be_visible()


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


@pytest.mark.parametrize("color_scheme", in_turn(["light", "dark"], 2))
def test_links_that_do_not_work_say_so_to_everybody(
    service: Stack, open_page: OpenPage, sign_up: SignUp, color_scheme: str
) -> None:
    company_id, _ = sign_up()
    old = service.token_of_another_day(company_id)
    page = open_page(f"{service.url}/connect/{old}", viewport=PHONE, color_scheme=color_scheme)
    title(page, "This link has expired")
    assert faults(page) == []
    page.goto(f"{service.url}/connect/made-up")
    title(page, "This link is not valid")
    page.goto(f"{service.url}/return?statusCode=403")
    title(page, "You did not give access")
    assert faults(page) == []
