"""One running service for all tests of a process, and one Chromium for those that follow each other."""

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Error, Page, ViewportSize

from tests.browser.chrome import DESK, Chrome, chrome, executable
from tests.browser.lender import Lender
from tests.browser.lender import lender as lender_page
from tests.browser.looking import RUN_ALL
from tests.browser.stack import SYNC_S, Stack, stack

HERE = Path(__file__).parent
LIMIT_S = 600
POWERED_BY = "https://static.codat.io/**"

_numbers = itertools.count(1)
_browsers: list[Chrome] = []
_closing = contextlib.ExitStack()

OpenPage = Callable[..., Page]
SignUp = Callable[[], tuple[str, str]]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give each test here time: many things happen in it."""
    item.add_marker(pytest.mark.timeout(LIMIT_S))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Skip what needs a browser where there is none; ``make axe`` fails there."""
    if executable() is None and not RUN_ALL:
        pytest.skip("neither chromium-headless-shell nor chromium is installed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """Close the browser before tests of another folder: playwright's event loop runs as long as it does."""
    try:
        yield
    finally:
        if nextitem is None or not nextitem.path.is_relative_to(HERE):
            _browsers.clear()
            _closing.close()


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
def service(running: Stack) -> Stack:
    """The same, with the simulator's settings as they were at first, whatever ran before."""
    running.codat.change_settings(auto_sync=False, sync_s=SYNC_S)
    return running


def running_chrome() -> Chrome:
    """The browser that tests share; a new one where it has ended."""
    if _browsers and not _browsers[0].is_alive:
        _browsers.clear()
        _closing.close()
    if not _browsers:
        _browsers.append(_closing.enter_context(chrome()))
    return _browsers[0]


@contextlib.contextmanager
def pages() -> Iterator[OpenPage]:
    """Opens pages, each as somebody else; fails where a script raised or a policy was violated.

    Who changes more than the page, as its clock or the network, opens it ``alone``; a page with options is.
    Nothing fades or breathes: a colour on its way to another one is nobody's.
    """
    faults: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            faults.append(message.text)

    def note_error(error: Error) -> None:
        faults.append(str(error))

    with contextlib.ExitStack() as opened:

        def open_page(
            url: str,
            *,
            viewport: ViewportSize = DESK,
            powered_by: str | None = None,
            alone: bool = False,
            **options: Any,
        ) -> Page:
            if alone or options or powered_by is not None:
                options = {"viewport": viewport, "reduced_motion": "reduce", **options}
                page = opened.enter_context(running_chrome().context(**options)).new_page()
            else:
                page = opened.enter_context(running_chrome().visitor())
                page.set_viewport_size(viewport)
            if powered_by is not None:  # a route costs each request, and the browser's cache
                page.route(
                    POWERED_BY, lambda route: route.fulfill(content_type="image/svg+xml", body=powered_by)
                )
            page.on("console", note)
            page.on("pageerror", note_error)
            opened.callback(page.remove_listener, "console", note)
            opened.callback(page.remove_listener, "pageerror", note_error)
            page.goto(url)
            return page

        yield open_page
    assert faults == []


@pytest.fixture
def open_page() -> Iterator[OpenPage]:
    """Opens pages, each as somebody else."""
    with pages() as open_page:
        yield open_page


@pytest.fixture
def sign_up(service: Stack) -> SignUp:
    """Signs companies up: the id and the link of each."""

    def sign_up() -> tuple[str, str]:
        number = next(_numbers)
        return service.sign_up(f"corner-shop-{number}", f"Corner Shop {number}")

    return sign_up
