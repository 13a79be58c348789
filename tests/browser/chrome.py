"""Debian's Chromium or its headless shell, driven by playwright."""

import contextlib
import os
import shutil
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    Playwright,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.support.effort import IN_CI

FULL = ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
SHELL = ("/usr/bin/chromium-headless-shell", "chromium-headless-shell")
CANDIDATES = FULL + SHELL if IN_CI else SHELL + FULL
"""At a desk what costs less comes first, in continuous integration what merchants have (decision 69)."""

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",  # it stays on the machine
)
PATIENCE_MS = 60_000
PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 900}


def executable() -> str | None:
    """Where a Chromium is; ``None``: there is none on this machine."""
    return next((found for name in CANDIDATES if (found := shutil.which(name))), None)


class Chrome:
    """A browser without a screen, and what it has open.

    A Chromium that does not close its pages in time is killed, and ``is_alive`` is false from then on:
    Playwright waits without a limit, and a test that had passed ended in an error after ten minutes.
    """

    def __init__(self, playwright: Playwright) -> None:
        self.browser = playwright.chromium.launch(
            executable_path=executable(), args=list(ARGUMENTS), timeout=3 * PATIENCE_MS
        )
        self._pid = _process_id(self.browser)
        self._free: list[Page] = []

    @property
    def is_alive(self) -> bool:
        """Whether it can open pages."""
        return self.browser.is_connected()

    @contextlib.contextmanager
    def context(self, **options: Any) -> Iterator[BrowserContext]:
        """Somebody with cookies of their own, whose pages may take their time."""
        context = self.browser.new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        try:
            yield context
        finally:
            self._leave(context.close)

    @contextlib.contextmanager
    def visitor(self) -> Iterator[Page]:
        """A page of somebody without cookies, for whom nothing moves; they may have that of an earlier one.

        A page in a context of its own costs half a second of a processor, and what it shows first a whole
        one. What stays besides cookies, as a clock does, needs such a context.
        """
        page = self._free.pop() if self._free else self.browser.new_context().new_page()
        page.context.set_default_timeout(PATIENCE_MS)
        page.emulate_media(color_scheme="light", reduced_motion="reduce", forced_colors="null")
        try:
            yield page
        finally:
            self._leave(lambda: _forget(page))
            if self.is_alive:
                self._free.append(page)

    def close(self) -> None:
        """End the browser."""
        self._end(self.browser.close)

    def _leave(self, close: Callable[[], None]) -> None:
        self._end(close)
        if not self.is_alive:
            warnings.warn("Chromium ended, or was killed since it closed no page", stacklevel=1)

    def _end(self, close: Callable[[], None]) -> None:
        if not self.is_alive:
            return
        killer = threading.Timer(PATIENCE_MS / 1000, os.kill, (self._pid, signal.SIGKILL))
        killer.start()
        try:
            close()
        except Error:
            if self.is_alive:
                raise
        finally:
            killer.cancel()


def _forget(page: Page) -> None:
    for other in page.context.pages:
        if other is not page:
            other.close()
    # First: an answer that the page still waits for may set a cookie. A browser that hangs is killed before.
    page.goto("about:blank", timeout=2 * PATIENCE_MS)
    page.context.clear_cookies()


def _process_id(browser: Browser) -> int:
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return int(next(process["id"] for process in processes if process["type"] == "browser"))


@contextlib.contextmanager
def chrome() -> Iterator[Chrome]:
    """A browser without a screen."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = Chrome(playwright)
        try:
            yield browser
        finally:
            browser.close()
