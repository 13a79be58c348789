"""A newcomer starts the demonstration, opens the simulated Codat, and clicks through to a finished sync."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from playwright.sync_api import Page, sync_playwright

from processor.runtime.embedded_engine import Engine
from tests.support.ports import own_port
from tests.support.service import until

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
LIMIT_MS = 60_000

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
    pytest.mark.timeout(600),
]


@pytest.fixture
def demo(data_dir: Path) -> Iterator[tuple[str, str]]:
    """The running demonstration: the addresses of the simulated Codat and of the service."""
    codat, ours = own_port(), own_port()
    environ = {
        name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
    }
    environ |= {
        "PORT": str(ours),
        "DATA_DIR": str(data_dir),
        "API_KEYS": "demo",
        "PYTHONPATH": str(Path.cwd()),
    }
    command = [sys.executable, "-m", "processor", "demo", "--simulator-port", str(codat)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("Ctrl-C stops everything" in line for line in process.stdout)
            yield f"http://127.0.0.1:{codat}", f"http://127.0.0.1:{ours}"
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0


@pytest.fixture
def page() -> Iterator[Page]:
    """A phone-sized window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        try:
            yield browser.new_page(viewport={"width": 360, "height": 740})
        finally:
            browser.close()


def test_clicking_through_the_simulated_codat_ends_with_a_ready_connection_and_its_notifications(
    demo: tuple[str, str], page: Page, data_dir: Path
) -> None:
    codat, ours = demo
    page.set_default_timeout(LIMIT_MS)
    page.goto(codat)
    page.get_by_label("Name").fill("Corner Shop")
    page.get_by_role("button", name="Create company").click()
    page.get_by_role("button", name="Connect").first.click()
    page.get_by_role("button", name=re.compile("authori[sz]e", re.IGNORECASE)).first.click()
    page.wait_for_load_state()

    headers = {"Authorization": "Bearer demo"}
    with httpx.Client(base_url=ours, headers=headers, timeout=60, trust_env=False) as client:

        def values_of(name: str, path: str) -> list[str]:
            answer = client.get(path)  # 503 while Redis takes too long
            return [str(one[name]) for one in answer.json()["items"]] if answer.is_success else []

        until(lambda: values_of("state", "/v1/connections") == ["ready"])
        told: list[str] = []
        until(lambda: told.extend(values_of("type", "/v1/notifications")) or told)
    assert sorted(told) == ["connection.authorized", "initial_sync.completed"]
    with Engine(data_dir) as engine, redis.Redis.from_url(engine.url) as store:
        streamed = [fields[b"notification"] for _, fields in store.xrange("codat:notifications")]
    assert [b'"initial_sync.completed"' in entry for entry in streamed] == [False, True]
