"""A page that is left open shows what happens elsewhere, looks rarely, and says when nobody answers."""

from playwright.sync_api import expect

from tests.browser.chrome import PHONE
from tests.browser.conftest import OpenPage, SignUp
from tests.browser.stack import Stack
from tests.browser.visitor import authorise, choose, says
from tests.support.service import until


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
    authorise(accountant)
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
    page = open_page(url, alone=True)
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
