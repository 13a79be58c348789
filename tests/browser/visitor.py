"""What a visitor of the pages does and sees."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser.stack import Stack
from tests.support.service import until

LINK_PAGE = re.compile(r"/link/([0-9a-f-]+)\?otp=")
MOST_TABS = 80


def choose(service: Stack, page: Page, name: str = "Xero") -> str:
    """Press a tile; Codat's Link page follows by itself. The id of the connection."""
    page.get_by_role("button", name=f"Connect {name}", exact=True).click()
    return at_link_page(page, service.state)


def at_link_page(page: Page, is_known: Callable[[str], object]) -> str:
    """Wait until Codat's Link page is shown and the service knows the connection; its id.

    The service waits a second for its workers at the most; who is back before sees the list of connections.
    """
    page.wait_for_url(LINK_PAGE)
    match = LINK_PAGE.search(page.url)
    assert match is not None
    until(lambda: is_known(match[1]))
    return match[1]


def authorise(page: Page) -> None:
    """Give access on Codat's Link page."""
    page.get_by_role("button", name="Authorise").click()


def says(page: Page, text: str) -> None:
    """Wait until the page itself says so, and not only the announcer."""
    expect(page.get_by_role("main").get_by_text(text).first).to_be_visible()


def title(page: Page, text: str) -> None:
    """Wait until the page says so; it is not loaded again for it."""
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def tab_to(page: Page, goal: Locator) -> None:
    """Press Tab until the goal has the focus, and see it."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if goal.evaluate("one => one === document.activeElement"):
            expect(goal).to_be_in_viewport()
            return
    raise AssertionError(f"the keyboard does not reach {goal}")
