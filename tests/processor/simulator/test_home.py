"""The home page, clicked through."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from processor.simulator import SimulatorClient, SimulatorServer
from processor.simulator.clients import http_client
from tests.processor.simulator.pages import Browser
from tests.processor.simulator.receiving import Receiver

MakeServer = Callable[..., SimulatorServer]


@pytest.fixture
def browser() -> Iterator[Browser]:
    with http_client(timeout_s=60) as http:
        http.follow_redirects = True
        yield Browser(http)


def test_a_click_through_ends_with_a_complete_first_sync(
    make_server: MakeServer, browser: Browser, receiver: Receiver
) -> None:
    server = make_server(auto_sync=True, sync_s=0.1, product_url="http://127.0.0.1:9/")
    page = browser.open(server.url)
    assert "No companies yet" in page.text
    page = browser.press(page, "Create company", name="Corner Shop")
    assert "Corner Shop" in page.text
    page = browser.press(page, "Connect")
    assert "Connect Xero" in page.text
    page = browser.press(page, "Authorise")
    assert "Connected" in page.text
    assert server.simulation.wait_until_idle(60)
    page = browser.open(server.url)
    assert "complete" in page.text
    assert "Read again" in page.buttons()
    assert 'href="http://127.0.0.1:9/"' in page.answer.text
    assert "read.completed.initial" in page.text
    assert "delivered (202)" in page.text
    assert receiver.types()[-1] == "read.completed.initial"


def test_every_button_does_what_it_says(
    server: SimulatorServer, browser: Browser, control: SimulatorClient, receiver: Receiver
) -> None:
    control.create_company("Corner Shop")
    page = browser.press(browser.open(server.url), "Connect", platform_key="strp")
    browser.press(page, "Leave")
    page = browser.open(server.url)
    assert page.buttons()[-4:] == ["Delete company", "Open Link page", "Delete connection", "Connect"]
    browser.press(browser.press(page, "Open Link page"), "Authorise")
    page = browser.open(server.url)
    presses = ["Start first sync", "Complete it partially", "Read again", "Deauthorise (revoked)"]
    for label in presses:
        page = browser.press(page, label)
        assert page.answer.status_code == 200, label
    browser.press(browser.press(page, "Reconnect"), "Authorise")
    page = browser.open(server.url)
    for label in ["Fail first sync", "Unlink", "Delete connection", "Delete company"]:
        page = browser.press(page, label)
        assert page.answer.status_code == 200, label
    assert "No companies yet" in page.text
    assert server.simulation.wait_until_idle(60)
    assert receiver.types() == [
        "company.created",
        "connection.created",
        "connection.connected",
        "read.completed.initial",
        "read.completed",
        "connection.disconnected",
        "connection.reconnected",
        "read.completed.initial",
        "connection.disconnected",
        "connection.deleted",
        "company.deleted",
    ]
    partial, failed = (
        request.body["payload"] for request in receiver.received if request.type == "read.completed.initial"
    )
    assert {datatype["status"] for datatype in partial["dataTypes"]} == {"Complete", "FetchError"}
    assert {datatype["status"] for datatype in failed["dataTypes"]} == {"FetchError"}


def test_a_running_sync_refreshes_the_page_by_itself(
    server: SimulatorServer, browser: Browser, control: SimulatorClient
) -> None:
    connection_id = control.connect(control.create_company("Corner Shop"), "gbol")
    control.change(connection_id, "authorize")
    assert 'http-equiv="refresh"' not in browser.open(server.url).answer.text
    control.change(connection_id, "start-sync")
    assert 'http-equiv="refresh"' in browser.open(server.url).answer.text


def test_what_codat_refuses_is_said_in_a_sentence(
    server: SimulatorServer, browser: Browser, control: SimulatorClient
) -> None:
    page = browser.press(browser.open(server.url), "Create company", name="not_allowed")
    assert page.answer.status_code == 400
    assert "characters that are not allowed" in page.text
    company_id = control.create_company("Corner Shop")
    control.change(control.connect(company_id, "gbol"), "authorize")
    page = browser.press(browser.open(server.url), "Connect", platform_key="qhyg")
    assert page.answer.status_code == 400
    assert "active accounting connection" in page.text


def test_what_others_wrote_is_shown_and_not_run(
    server: SimulatorServer, browser: Browser, api: httpx.Client
) -> None:
    company = api.post("/companies", json={"name": "Bits & Bobs", "tags": {"t": "<script>"}}).json()
    page = browser.open(server.url)
    assert "Bits &amp; Bobs" in page.answer.text
    assert "<script>" not in page.answer.text
    assert company["id"] in page.text


def test_every_field_has_a_label(server: SimulatorServer, browser: Browser, control: SimulatorClient) -> None:
    control.create_company("Corner Shop")
    page = browser.open(server.url)
    assert page.inputs
    assert page.inputs <= page.labels


def test_the_pages_own_files_are_there(server: SimulatorServer, browser: Browser) -> None:
    for path in ("/simulator/static/simulator.css", "/simulator/static/icon.svg", "/branding/gbol/full.svg"):
        assert browser.http.get(f"{server.url}{path}").status_code == 200
    assert browser.http.get(f"{server.url}/branding/gbol/other.svg").status_code == 404


def test_the_lenders_page_opens_the_journey_of_this_service_alone(
    make_server: MakeServer, browser: Browser
) -> None:
    server = make_server(product_url="http://127.0.0.1:9")
    link = "http://127.0.0.1:9/connect/token"
    page = browser.open(f"{server.url}/lender?connect={link}")
    assert f'href="{link}" data-journey="panel"' in page.answer.text
    assert 'src="http://127.0.0.1:9/embed.js"' in page.answer.text
    assert "frame-src http://127.0.0.1:9" in page.answer.headers["Content-Security-Policy"]
    foreign = browser.open(f"{server.url}/lender?connect=http://127.0.0.1:99/connect/token").answer
    assert "data-journey" not in foreign.text
    assert "script-src" not in foreign.headers["Content-Security-Policy"]
