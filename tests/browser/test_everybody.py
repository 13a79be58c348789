"""The journey for everybody: without JavaScript, by keyboard, in large letters, by a link that is over."""

from playwright.sync_api import expect

from tests.browser.chrome import PHONE
from tests.browser.conftest import OpenPage, SignUp
from tests.browser.looking import faults_in_both, wider
from tests.browser.stack import Stack
from tests.browser.visitor import at_link_page, authorise, choose, says, title
from tests.support.service import until


def test_without_javascript_all_of_it_works(service: Stack, open_page: OpenPage, sign_up: SignUp) -> None:
    company_id, url = sign_up()
    page = open_page(url, java_script_enabled=False, viewport=PHONE)
    page.get_by_label("Search by name").fill("xer")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("1 platform for “xer”")).to_be_visible()
    choose(service, page)
    authorise(page)
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
    at_link_page(page, service.state)
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


def test_links_that_do_not_work_say_so_to_everybody(
    service: Stack, open_page: OpenPage, sign_up: SignUp
) -> None:
    company_id, _ = sign_up()
    old = service.token_of_another_day(company_id)
    page = open_page(f"{service.url}/connect/{old}")
    title(page, "This link has expired")
    assert faults_in_both(page) == []
    page.goto(f"{service.url}/connect/made-up")
    title(page, "This link is not valid")
    page.goto(f"{service.url}/return?statusCode=403")
    title(page, "You did not give access")
    assert faults_in_both(page) == []
