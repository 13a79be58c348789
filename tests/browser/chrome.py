"""Debian's Chromium, driven by playwright."""

import contextlib
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright

CANDIDATES = ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
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


@contextlib.contextmanager
def chrome() -> Iterator[Browser]:
    """A browser without a screen. What is expected of its pages depends on no machine's speed."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(), args=list(ARGUMENTS), timeout=3 * PATIENCE_MS
        )
        try:
            yield browser
        finally:
            browser.close()
