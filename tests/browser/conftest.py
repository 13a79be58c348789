"""One running service for all tests of a process, one Chromium for each module."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, ViewportSize

from tests.browser.chrome import PATIENCE_MS, chrome
from tests.browser.lender import Lender
from tests.browser.lender import lender as lender_page
from tests.browser.stack import SYNC_S, Stack, stack

PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 900}
POWERED_BY = "https://static.codat.io/**"

_numbers = itertools.count(1)

OpenPage = Callable[..., Page]
SignUp = Callable[[], tuple[str, str]]


@pytest.fixture(scope="session")
def lender() -> Iterator[Lender]:
    """A page of another site that may show the journey."""
    with lender_page() as running:
        yield running


@pytest.fixture(scope="session")
def running(lender: Lender) -> Iterator[Stack]:
    """The whole service and a simulated Codat."""
    settings = {
        "PRODUCT_NAME": "Northbank Lending",
        "SUPPORT_EMAIL": "help@northbank.example",
        "EMBED_ORIGINS": lender.listed,
    }
    with stack(**settings) as made:
        yield made


@pytest.fixture
def service(running: Stack) -> Iterator[Stack]:
    """The same, with the simulator's settings as they were at first."""
    yield running
    running.codat.change_settings(auto_sync=False, sync_s=SYNC_S)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser without a screen."""
    with chrome() as browser:
        yield browser


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    """Opens pages in browsers of their own; fails where a script raised or a policy was violated."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            faults.append(message.text)

    def open_page(url: str, *, powered_by: str | None = None, **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": DESK, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)

        def picture(route: Route) -> None:
            if powered_by is None:
                route.abort()
            else:
                route.fulfill(content_type="image/svg+xml", body=powered_by)

        context.route(POWERED_BY, picture)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def sign_up(service: Stack) -> SignUp:
    """Signs companies up: the id and the link of each."""

    def sign_up() -> tuple[str, str]:
        number = next(_numbers)
        return service.sign_up(f"corner-shop-{number}", f"Corner Shop {number}")

    return sign_up
