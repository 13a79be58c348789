"""The Link page: every ending, the way back, and passwords that work once."""

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from processor.simulator import SimulatorClient, SimulatorConfig, SimulatorServer
from processor.simulator.clients import http_client
from processor.simulator.link import ENDINGS
from tests.processor.simulator.pages import Browser, Page
from tests.processor.simulator.receiving import Receiver

MakeServer = Callable[..., SimulatorServer]
BACK = (
    "http://127.0.0.1:9/return?already=there&company={companyId}&connection={connectionId}&i={integrationId}"
    "&p={platform}&name={platformName}&type={sourceType}&code={statusCode}&error={errorMessage}&text={statusText}"
    "&other={unknown}"
)


@pytest.fixture
def browser() -> Iterator[Browser]:
    with http_client(timeout_s=60) as http:
        yield Browser(http)


def fresh_link(server: SimulatorServer, connection_id: str) -> str:
    simulation = server.simulation
    return simulation.fresh_link_url(simulation.world.find_connection(connection_id))


def new_connection(server: SimulatorServer, platform_key: str = "gbol") -> str:
    with SimulatorClient(server.url) as control:
        return control.connect(control.create_company("Corner Shop"), platform_key)


@pytest.mark.parametrize(
    ("label", "code", "status", "message"),
    [
        ("Authorise", "200", "Linked", "connection.connected"),
        ("Cancel", "403", "PendingAuth", "connection.failed"),
        ("Platform not supported", "501", "PendingAuth", "connection.failed"),
        ("Error", "500", "PendingAuth", "connection.failed"),
        ("Leave", "201", "PendingAuth", None),
    ],
)
def test_each_button_ends_the_visit_and_leads_back(
    make_server: MakeServer,
    receiver: Receiver,
    browser: Browser,
    label: str,
    code: str,
    status: str,
    message: str | None,
) -> None:
    server = make_server(redirect_url=BACK)
    connection_id = new_connection(server)
    page = browser.open(fresh_link(server, connection_id))
    assert page.buttons() == [ending.label for ending in ENDINGS]
    assert "Xero" in page.text
    assert "Corner Shop" in page.text
    answer = browser.press(page, label).answer
    assert answer.status_code == 303
    connection = server.simulation.world.find_connection(connection_id)
    back = parse_qs(urlsplit(answer.headers["Location"]).query, keep_blank_values=True)
    assert back["already"] == ["there"]
    assert back["company"] == [connection.company_id]
    assert back["connection"] == [connection_id]
    assert back["i"] == [connection.platform.integration_id]
    assert back["p"] == ["gbol"]
    assert back["name"] == ["Xero"]
    assert back["type"] == ["Accounting"]
    assert back["code"] == [code]
    assert back["text"][0]
    assert bool(back["error"][0]) == (code in ("403", "500", "501"))
    assert back["other"] == ["{unknown}"]
    assert connection.status == status
    assert server.simulation.wait_until_idle(60)
    assert receiver.types()[2:] == ([message] if message else [])


def test_without_an_address_to_go_back_to_the_page_may_be_closed(
    server: SimulatorServer, browser: Browser
) -> None:
    page = browser.press(browser.open(fresh_link(server, new_connection(server))), "Authorise")
    assert page.answer.status_code == 200
    assert "You may close this page" in page.text


def test_a_link_opens_once(server: SimulatorServer, browser: Browser) -> None:
    link = fresh_link(server, new_connection(server))
    assert browser.open(link).answer.status_code == 200
    again = browser.open(link)
    assert again.answer.status_code == 410
    assert "expired" in again.text


def test_asking_for_the_headers_alone_uses_nothing_up(server: SimulatorServer, browser: Browser) -> None:
    link = fresh_link(server, new_connection(server))
    assert browser.http.head(link).status_code == 200
    assert browser.open(link).answer.status_code == 200


@pytest.mark.parametrize("otp", ["", "x", "a-b-c", "%C3%A9-%00", "0-0-0"])
def test_a_made_up_password_opens_nothing(server: SimulatorServer, browser: Browser, otp: str) -> None:
    page = browser.open(f"{server.url}/link/{new_connection(server)}?otp={otp}")
    assert page.answer.status_code == 410


def test_the_password_of_another_connection_opens_nothing(server: SimulatorServer, browser: Browser) -> None:
    mine, other = new_connection(server), new_connection(server)
    link = fresh_link(server, mine).replace(mine, other)
    assert browser.open(link).answer.status_code == 410


def test_a_link_works_for_a_day(make_server: MakeServer, browser: Browser) -> None:
    now = [1_800_000_000.0]
    server = make_server(clock=lambda: now[0])
    connection_id = new_connection(server)
    links = [fresh_link(server, connection_id) for _ in range(2)]
    now[0] += 86_399
    assert browser.open(links[0]).answer.status_code == 200
    now[0] += 1
    assert browser.open(links[1]).answer.status_code == 410


def test_a_visit_ends_once(server: SimulatorServer, browser: Browser, receiver: Receiver) -> None:
    page = browser.open(fresh_link(server, new_connection(server)))
    assert browser.press(page, "Cancel").answer.status_code == 200
    assert browser.press(page, "Authorise").answer.status_code == 410
    assert server.simulation.wait_until_idle(60)
    assert receiver.types()[2:] == ["connection.failed"]


def test_an_ending_without_a_visit_does_nothing(server: SimulatorServer, browser: Browser) -> None:
    connection_id = new_connection(server)
    answer = browser.http.post(f"{server.url}/link/{connection_id}", data={"ending": "authorize"})
    assert answer.status_code == 410
    assert server.simulation.world.find_connection(connection_id).authorizations == 0


def test_a_link_of_a_deleted_connection_is_not_found(
    server: SimulatorServer, browser: Browser, control: SimulatorClient
) -> None:
    connection_id = new_connection(server)
    link = fresh_link(server, connection_id)
    control.change(connection_id, "delete")
    assert browser.open(link).answer.status_code == 404


def test_access_is_given_again_by_the_same_page(
    server: SimulatorServer, browser: Browser, control: SimulatorClient, receiver: Receiver
) -> None:
    connection_id = new_connection(server)
    control.change(connection_id, "authorize")
    control.change(connection_id, "deauthorize")
    browser.press(browser.open(fresh_link(server, connection_id)), "Authorise")
    assert server.simulation.wait_until_idle(60)
    assert receiver.types()[-1] == "connection.reconnected"


def test_authorising_what_is_linked_changes_nothing(
    server: SimulatorServer, browser: Browser, control: SimulatorClient, receiver: Receiver
) -> None:
    connection_id = new_connection(server)
    control.change(connection_id, "authorize")
    page = browser.press(browser.open(fresh_link(server, connection_id)), "Authorise")
    assert page.answer.status_code == 200
    assert server.simulation.wait_until_idle(60)
    assert receiver.types() == ["company.created", "connection.created", "connection.connected"]


def test_a_second_accounting_platform_ends_in_an_error(
    make_server: MakeServer, browser: Browser, receiver: Receiver
) -> None:
    server = make_server(redirect_url=BACK)
    with SimulatorClient(server.url) as control:
        company_id = control.create_company("Corner Shop")
        first, second = control.connect(company_id, "gbol"), control.connect(company_id, "qhyg")
        control.change(first, "authorize")
    answer = browser.press(browser.open(fresh_link(server, second)), "Authorise").answer
    back = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert back["code"] == ["500"]
    assert first in back["error"][0]
    assert server.simulation.wait_until_idle(60)
    assert receiver.types()[-1] == "connection.failed"


def test_the_page_can_be_used_without_scripts_and_says_what_it_is(
    server: SimulatorServer, browser: Browser
) -> None:
    page: Page = browser.open(fresh_link(server, new_connection(server)))
    html = page.answer.text
    assert "<script" not in html
    assert '<html lang="en">' in html
    assert 'name="viewport"' in html
    assert "default-src 'none'" in page.answer.headers["Content-Security-Policy"]
    assert page.answer.headers["Cache-Control"] == "no-store"
    style = httpx.URL(page.answer.url).join("/simulator/static/simulator.css")
    assert "prefers-color-scheme: dark" in browser.http.get(style).text


def test_a_link_of_quickbooks_online_bank_feeds_lives_an_hour() -> None:
    """Links were promised for a day; a user who came back to this one after lunch found it expired."""
    later_s = 0.0
    config = SimulatorConfig(auto_sync=False)
    with (
        SimulatorServer(config, lambda: 1_800_000_000 + later_s) as server,
        http_client(timeout_s=60) as http,
    ):
        for key, lasts_s in (("hcws", 3600), ("gbol", 86_400)):
            connection_id = new_connection(server, key)
            early, late = fresh_link(server, connection_id), fresh_link(server, connection_id)
            later_s += lasts_s - 1
            assert http.get(early).status_code == 200
            later_s += 1
            assert http.get(late).status_code == 410
