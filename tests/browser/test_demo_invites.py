"""``make run`` prints a link; whoever opens it can go through the journey, and comes back to it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from processor.cli.demo_welcome import DEMO_LOGIN
from tests.browser.chrome import PATIENCE_MS, executable
from tests.browser.conftest import PHONE, OpenPage
from tests.support.ports import own_port
from tests.support.service import until

pytestmark = [
    pytest.mark.skipif(executable() is None, reason="Debian's chromium is not installed"),
    pytest.mark.timeout(600),
]
KEPT = ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
LINK_PAGE = re.compile(r"/link/([0-9a-f-]+)\?otp=")


@pytest.fixture
def invitation(data_dir: Path) -> Iterator[str]:
    """The link that the running demonstration printed."""
    environ = {name: value for name, value in os.environ.items() if name in KEPT}
    environ |= {
        "PORT": str(own_port()),
        "DATA_DIR": str(data_dir),
        "PYTHONPATH": str(Path.cwd()),
        "LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "processor", "demo", "--simulator-port", "0"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = (re.search(r"http://\S+/connect/\S+", line) for line in process.stdout)
            yield next(match[0] for match in found if match)
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0


def is_known(service_url: str, link_url: str) -> bool:
    """Whether the service knows the connection; who is back before that sees the list of connections."""
    found = LINK_PAGE.search(link_url)
    assert found is not None
    headers = {"Authorization": f"Bearer {DEMO_LOGIN}"}
    url = f"{service_url}/v1/connections/{found[1]}"
    return httpx.get(url, headers=headers, timeout=60, trust_env=False).is_success


def test_the_link_that_the_demonstration_prints_leads_to_ready(invitation: str, open_page: OpenPage) -> None:
    page = open_page(invitation, viewport=PHONE)
    page.get_by_role("button", name="Connect Xero", exact=True).click()
    page.wait_for_url(LINK_PAGE)
    until(lambda: is_known(invitation.partition("/connect/")[0], page.url))
    page.get_by_role("button", name="Authorise").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Xero is connected", timeout=PATIENCE_MS)
