"""The demonstration by clicking: the simulated Codat, the link that it prints, and the simulated lender."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import redis
from playwright.sync_api import Page, expect

from processor.cli.demo_welcome import DEMO_LOGIN
from processor.languages.catalogues import LANGUAGES, language
from processor.runtime.embedded_engine import Engine
from processor.simulator import SimulatorClient
from tests.browser.chrome import PHONE
from tests.browser.conftest import OpenPage
from tests.browser.looking import violations, wider
from tests.browser.visitor import LINK_PAGE, at_link_page, authorise, title
from tests.support.effort import in_turn
from tests.support.ports import own_port
from tests.support.service import until

KEPT = ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
SYNC_S = 0.5


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A running one: its simulated Codat, its service, its data, and the link that it printed."""

    codat: str
    service: str
    data_dir: Path
    invitation: str

    def values(self, name: str, path: str) -> list[str]:
        """A member of each item of a list of the API; none while Redis takes too long."""
        headers = {"Authorization": f"Bearer {DEMO_LOGIN}"}
        answer = httpx.get(f"{self.service}/v1/{path}", headers=headers, timeout=60, trust_env=False)
        return [str(item[name]) for item in answer.json()["items"]] if answer.is_success else []

    @property
    def mails_url(self) -> str:
        """Where the simulated lender shows the e-mails."""
        return f"{self.codat}/lender/mails"

    def mails(self) -> str:
        """The e-mails as they are now: the list of them, from the first one on."""
        return httpx.get(self.mails_url, timeout=60, trust_env=False).text.partition("<article")[2]

    def knows(self, connection_id: str) -> bool:
        """Whether the service has the connection."""
        return connection_id in self.values("id", "connections")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """One demonstration for all tests here."""
    codat, ours, folder = own_port(), own_port(), tmp_path_factory.mktemp("demo")
    environ = {name: value for name, value in os.environ.items() if name in KEPT}
    environ |= {
        "PORT": str(ours),
        "DATA_DIR": str(folder),
        "PYTHONPATH": str(Path.cwd()),
        "LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "processor", "demo", "--simulator-port", str(codat)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = (re.search(r"http://\S+/connect/\S+", line) for line in process.stdout)
            link = next(match[0] for match in found if match)
            with SimulatorClient(f"http://127.0.0.1:{codat}") as client:
                client.change_settings(sync_s=SYNC_S)
            yield Demonstration(f"http://127.0.0.1:{codat}", f"http://127.0.0.1:{ours}", folder, link)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                assert process.wait(60) == 0
            finally:
                process.kill()


def press(page: Page, button: str) -> None:
    """Press a button by the beginning of its name."""
    page.get_by_role("button", name=re.compile(f"^{button}")).first.click()


def submit(page: Page, button: str) -> None:
    """Press the button of a form, and wait until it was answered."""
    with page.expect_response(lambda response: response.request.method == "POST"):
        press(page, button)


def sign_up(page: Page) -> str:
    """Sign a customer up; the address of the lender's page about them."""
    press(page, "Sign up")
    page.wait_for_url("**/lender/customers/*")
    return page.url


def test_clicking_through_the_simulated_codat_ends_with_a_ready_connection_and_its_notifications(
    demo: Demonstration, open_page: OpenPage
) -> None:
    page = open_page(demo.codat, viewport=PHONE)
    page.get_by_label("Name").fill("Corner Shop")
    press(page, "Create company")
    press(page, "Connect")
    connection_id = at_link_page(page, demo.knows)
    authorise(page)
    expected = ["connection.authorized", "initial_sync.completed"]
    until(lambda: sorted(demo.values("type", f"notifications?connection_id={connection_id}")) == expected)
    with Engine(demo.data_dir) as engine, redis.Redis.from_url(engine.url) as store:
        streamed = [fields[b"notification"] for _, fields in store.xrange("codat:notifications")]
    ours = [entry for entry in streamed if connection_id.encode() in entry]
    assert [b'"initial_sync.completed"' in entry for entry in ours] == [False, True]


def test_the_link_that_the_demonstration_prints_leads_to_ready(
    demo: Demonstration, open_page: OpenPage
) -> None:
    page = open_page(demo.invitation, viewport=PHONE)
    page.get_by_role("button", name="Connect Xero", exact=True).click()
    at_link_page(page, demo.knows)
    authorise(page)
    title(page, "Xero is connected")


def test_a_lenders_customer_goes_all_ways_and_the_lender_sees_them(
    demo: Demonstration, open_page: OpenPage
) -> None:
    page = open_page(demo.codat, viewport=PHONE)
    page.get_by_role("link", name="To the simulated lender").click()
    assert violations(page) + wider(page) == []
    page.get_by_label("Name").fill("Harbour Café")
    page.get_by_label("Language").select_option("en")
    page.get_by_label("What is asked for").select_option(index=1)
    customer = sign_up(page)
    page.get_by_role("link", name="Open the journey").click()
    title(page, "Connect your business data")
    expect(page.get_by_role("heading", name="0 of 2 connected")).to_be_visible()
    submit(page, "Skip for now")
    expect(page.get_by_role("heading", name="0 of 1 connected")).to_be_visible()
    expect(page.get_by_role("heading", name="What you agree to")).to_be_visible()
    page.get_by_label("Search by name").fill("xerro")
    press(page, "Search")
    page.get_by_role("button", name="Connect Xero", exact=True).click()
    at_link_page(page, demo.knows)
    press(page, "Cancel")
    title(page, "You did not give access")
    press(page, "Try again")
    xero = at_link_page(page, demo.knows)
    page.get_by_label("Their account").fill("Harbour Café Ltd")
    authorise(page)
    title(page, "Xero is connected")
    page.locator("#leave").click()
    title(page, "Welcome back")
    expect(page.get_by_role("main")).to_contain_text("order-17")
    page.get_by_role("link", name="What the API says").click()
    page.wait_for_url(customer)
    expect(page.get_by_role("main")).to_contain_text("Xero (Harbour Café Ltd): ready")
    expect(page.get_by_role("group")).to_contain_text("own link")
    submit(page, "Add insights")
    expect(page.get_by_role("button", name="Remove insights")).to_be_visible()
    submit(page, "Read now")
    submit(page, "Add a person")
    own_link = page.get_by_role("link", name="their own link").get_attribute("href")
    assert own_link is not None
    page.goto(own_link)
    submit(page, "Take it up again")
    page.get_by_role("button", name="Connect Shopify", exact=True).click()
    at_link_page(page, demo.knows)
    submit(page, "Leave")
    page.goto(f"{own_link}/not-listed")
    page.get_by_label("The name of the software").fill("Ledgers & Co")
    submit(page, "Send the note")
    page.goto(customer)
    expect(page.get_by_role("main")).to_contain_text("Ledgers & Co")
    expect(page.get_by_role("group").first).to_contain_text("Shopify")
    expect(page.get_by_role("group").first).to_contain_text("by Ann Lee")
    page.get_by_role("group").first.locator("summary").click()
    assert violations(page) + wider(page) == []
    submit(page, "Remove Ann Lee")
    gone = page.goto(own_link)
    assert gone is not None
    assert gone.status == 404

    page.goto(customer)
    submit(page, "As in one day")
    page.get_by_role("link", name="Yesterday").click()
    submit(page, "Send a new link")
    title(page, "A new link is on its way")
    until(lambda: all(words in demo.mails() for words in ("Shopify", "Your new link")))
    mails = open_page(demo.mails_url, viewport=PHONE)
    assert violations(mails) + wider(mails) == []
    for words in ("Your new link", "Shopify"):
        mails.locator("article", has_text=words).first.get_by_role("link").first.click()
        title(mails, "Your connections")
        if words != "Shopify":
            mails.go_back()

    page.goto(demo.codat)
    submit(page, "Deauthorise")
    press(page, "Reconnect")
    page.wait_for_url(LINK_PAGE)
    page.get_by_label("Their account").fill("Mill Lane Ltd")
    submit(page, "Authorise")
    page.goto(f"{mails.url.partition('?')[0]}/connections/{xero}")
    expect(page.get_by_role("heading", name="This is another account than before")).to_be_visible()
    page.goto(customer)
    expect(page.get_by_role("main")).to_contain_text("Xero (Mill Lane Ltd): left; another account")
    page.get_by_role("link", name="In a panel").click()
    panel = page.frame_locator("iframe")
    expect(panel.get_by_role("heading", level=1)).to_have_text("Your connections")
    expect(panel.locator("#close-panel")).to_be_visible()  # its script listens for the key
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    submit(page, "Delete the company")
    title(page, "Simulated lender")


def test_under_another_brand_in_each_other_language(demo: Demonstration, open_page: OpenPage) -> None:
    page = open_page(f"{demo.codat}/lender", viewport=PHONE)
    for tag in in_turn(LANGUAGES[1:], len(LANGUAGES) - 1):
        page.goto(f"{demo.codat}/lender")
        page.get_by_label("Brand").select_option("northbank")
        page.get_by_label("Language").select_option(tag)
        customer = sign_up(page)
        page.get_by_role("link", name="Open the journey").click()
        page_is_in(page, tag)
        expect(page.get_by_role("img", name="Northbank")).to_be_visible()
        page.locator("button[value=gbol]").click()
        at_link_page(page, demo.knows)
        authorise(page)
        page.wait_for_url("**/return?**")
        page_is_in(page, tag)
        page.locator("[data-outcome=ready]").wait_for()
        page.locator("#leave").click()
        title(page, "Welcome back")
        page.goto(customer)
        expect(page.get_by_role("group")).to_contain_text("Xero")
        expect(page.get_by_role("group").locator(f"[lang={tag}]")).to_contain_text("Northbank")


def page_is_in(page: Page, tag: str) -> None:
    """The page is in this language and its direction."""
    expect(page.locator("html")).to_have_attribute("lang", tag)
    expect(page.locator("html")).to_have_attribute("dir", language(tag).direction)
