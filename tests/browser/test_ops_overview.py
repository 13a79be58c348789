"""The overview in a browser: live without a reload, kept while the service is away, and for everybody."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from redis import Redis

from processor.store.metrics import Metrics
from tests.browser.conftest import OpenPage
from tests.browser.looking import faults_in_both
from tests.browser.serving_thread import served
from tests.processor.web.ops.operating import PASSWORD, everybody_lives
from tests.processor.web.v1.filling import Filling

LOGIN = {"username": "operator", "password": PASSWORD}


@pytest.fixture
def filling(redis_url: str) -> Iterator[Filling]:
    """The store and the application on it, in which something happened."""
    filling = Filling(redis_url, OPERATOR_PASSWORD=PASSWORD)
    metrics = Metrics()
    metrics.received(["accepted"] * 12)
    metrics.handled([0.2, 0.4], failed=1, told=1)
    with Redis.from_url(redis_url) as store:
        everybody_lives(store)
        with store.pipeline(transaction=False) as pipe, metrics.staged(pipe, filling.now):
            pipe.execute()
    yield filling
    filling.close()


@pytest.fixture
def address(filling: Filling) -> Iterator[str]:
    """The address of its overview."""
    with served(filling.app) as port:
        yield f"http://127.0.0.1:{port}/ops"


def marked(page: Page) -> bool:
    """Whether it is still the page that was marked, not a reloaded one."""
    return bool(page.evaluate("() => window.marked === true"))


def test_a_change_is_shown_without_a_reload_and_what_is_open_stays_open(
    filling: Filling, address: str, open_page: OpenPage
) -> None:
    page = open_page(address, http_credentials=LOGIN)
    page.evaluate("() => { window.marked = true; }")
    page.locator("#trends-table-open").press("Enter")
    expect(page.locator("#trends-table")).to_have_attribute("open", "")
    expect(page.locator("h1")).to_have_text("All is well")
    filling.let_die()
    expect(page.locator("h1")).to_have_text("It works, and something needs you")
    expect(page.locator("#announcer")).to_have_text("It works, and something needs you")
    expect(page.locator("#trends-table")).to_have_attribute("open", "")
    expect(page.locator("#trends-table-open")).to_be_focused()
    assert marked(page)
    page.locator("#do-troubles1").press("Enter")
    expect(page.get_by_role("status").filter(has_text="wait in the inbox again")).to_be_visible()


def test_what_was_known_stays_while_the_service_is_away(address: str, open_page: OpenPage) -> None:
    page = open_page(address, alone=True, http_credentials=LOGIN)
    page.evaluate("() => { window.marked = true; }")
    page.context.set_offline(True)
    expect(page.locator("#unreachable")).to_contain_text("As of")
    expect(page.locator("#unreachable")).to_be_visible()
    expect(page.locator("h1")).to_have_text("All is well")
    page.context.set_offline(False)
    expect(page.locator("#unreachable")).to_be_hidden()
    assert marked(page)


def test_everybody_can_use_it(filling: Filling, address: str, open_page: OpenPage) -> None:
    filling.let_die()
    page = open_page(f"{address}?window=day", http_credentials=LOGIN)
    page.locator("#trends-table-open").press("Enter")
    page.locator("#mute-troubles1-open").press("Enter")
    expect(page.locator("#for-troubles1")).to_be_visible()
    assert faults_in_both(page) == []
    page.locator("#for-troubles1").select_option("1 day")
    page.get_by_role("button", name="Mute", exact=True).press("Enter")
    expect(page.get_by_text("Muted until")).to_be_visible()


def test_without_scripts_everything_is_there(address: str, open_page: OpenPage) -> None:
    page = open_page(address, http_credentials=LOGIN, java_script_enabled=False)
    expect(page.get_by_text("In the last hour")).to_be_visible()
    expect(page.get_by_role("img", name="Accepted")).to_be_visible()
    page.get_by_role("link", name="30 days").click()
    expect(page.get_by_role("link", name="30 days")).to_have_attribute("aria-current", "true")
