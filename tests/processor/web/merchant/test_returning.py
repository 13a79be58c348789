"""``/return``: what is said for each status code, to whom, and that it believes nothing."""

import dataclasses
import re
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processor.store import keys
from processor.web.merchant.link_session import MAX_VISITS
from processor.web.merchant.polling import MAX_RETURNS
from tests.processor.simulator.pages import Browser
from tests.support import cells
from tests.support.applications import lent_app
from tests.support.effort import examples
from tests.support.visiting import OURS, Place
from tests.support.workbench import Moving

SAID = {
    "200": "Thank you, you are back",
    "201": "You left before anything was connected",
    "403": "You did not give access",
    "500": "Something went wrong",
    "501": "This platform is not supported",
}
SPELLINGS = (str.upper, str.lower)
"""Codat's documents spell the parameters in several ways."""

LOADS = 60
"""Loads of ``/return``, four seconds apart."""


@pytest.mark.parametrize(
    ("code", "title", "spelling"),
    [*((code, title, str) for code, title in SAID.items()), *(("200", SAID["200"], s) for s in SPELLINGS)],
)
def test_each_code_is_told_in_plain_words(
    place: Place, visitor: Browser, code: Any, title: str, spelling: Any
) -> None:
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    visitor.open(f"/connect/{token}")
    query = {"statusCode": code, "connectionId": connection_id, "companyId": company_id}
    page = visitor.open("/return?" + urlencode({spelling(name): value for name, value in query.items()}))
    assert page.answer.status_code == 200
    assert title in page.text
    assert "Continue with Xero" in page.buttons()
    assert f"/connect/{token}/connections/{connection_id}/live" in page.answer.text


@pytest.mark.parametrize(("code", "title"), [*SAID.items(), ("", "You are back"), ("418", "You are back")])
def test_somebody_without_the_cookie_gets_a_general_message_and_nothing_of_the_company(
    place: Place, visitor: Browser, code: str, title: str
) -> None:
    company_id, _ = place.company()
    connection_id = place.linked(company_id)
    query = {
        "statusCode": code,
        "connectionId": connection_id,
        "companyId": company_id,
        "errorMessage": "call 0900 12345 now",
        "statusText": "call 0900 12345 now",
        "platformName": "Evil Corp",
    }
    page = visitor.open("/return?" + urlencode(query))
    assert page.answer.status_code == 200
    assert title in page.text
    for secret in ("Corner Shop", "Xero", connection_id, company_id, "0900", "Evil", "/connect/"):
        assert secret not in page.answer.text
    assert not visitor.http.cookies


def test_it_changes_no_state_and_has_codat_asked(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    visitor.open(f"/connect/{token}")
    events = cells.count(place.container.redis, keys.events)
    visitor.open(f"/return?statusCode=200&connectionId={connection_id}")
    assert cells.count(place.container.redis, keys.events) == events
    assert place.bench.state(connection_id) == "pending"
    assert cells.count(place.container.redis, keys.questions)
    place.later(5)
    place.settle()
    assert place.bench.state(connection_id) == "pending", "Codat says so, whatever the address claims"


def test_when_the_message_is_late_asking_finds_out(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    visitor.open(f"/connect/{token}")
    place.codat.simulation.change(connection_id, "authorize", {"deliver": "drop"})
    page = visitor.open(f"/return?statusCode=200&connectionId={connection_id}")
    assert "Checking with Xero" in page.text
    place.later(5)
    place.settle()
    assert "You gave access to Xero" in visitor.open(f"/connect/{token}/connections/{connection_id}").text


def test_codat_is_asked_only_for_a_browser_that_holds_a_visit_to_the_company(
    place: Place, visitor: Browser
) -> None:
    """Whoever knew the id of a connection had Codat asked at each load of ``/return``.

    170 loads by a stranger cost 34 requests to Codat.
    """
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    _, other_token = place.company("other", "Other")
    neighbour = place.visitor()
    neighbour.open(f"/connect/{other_token}")
    for who in (place.visitor(), neighbour):
        for claimed in ("", f"&companyId={company_id}"):
            address = f"/return?statusCode=200&connectionId={connection_id}{claimed}"
            assert who.http.get(address).status_code == 200
    assert not cells.count(place.container.redis, keys.questions)
    visitor.open(f"/connect/{token}")
    visitor.http.get(f"/return?statusCode=200&connectionId={connection_id}")
    assert cells.count(place.container.redis, keys.questions)


def test_coming_back_again_and_again_has_codat_asked_within_a_budget(place: Place) -> None:
    """Each load of ``/return`` asked Codat at once and forgot the growing waits."""
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    clock = Moving(place.desk.clock())
    app = lent_app(dataclasses.replace(place.container, clock=clock))
    asked = 0
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url=OURS) as holder:
        holder.get(f"/connect/{token}")
        for _ in range(LOADS):
            clock.forward(4)
            holder.get(f"/return?statusCode=200&connectionId={connection_id}")
            asked += bool(cells.delete(place.container.redis, keys.questions))
    assert MAX_RETURNS <= asked <= MAX_RETURNS + 20 < LOADS


def test_the_other_sides_words_are_a_quotation_escaped_and_short(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    visitor.open(f"/connect/{token}")
    hostile = "<script>alert(1)</script><a href='//evil'>" + "x" * 5000
    query = urlencode({"statusCode": "500", "connectionId": connection_id, "errorMessage": hostile})
    page = visitor.open("/return?" + query)
    assert "we did not check it" in page.text
    assert "&lt;script&gt;alert(1)" in page.answer.text
    assert "<script>alert" not in page.answer.text
    assert "x" * 400 not in page.answer.text
    cancelled = visitor.open("/return?statusCode=200&errorMessage=nothing%20of%20this")
    assert "nothing of this" not in cancelled.text, "of what went well there is nothing to quote"


@pytest.mark.parametrize("code", ["201", "403", "500", "501", "418"])
def test_an_address_cannot_say_of_what_is_connected_that_it_is_not(
    place: Place, visitor: Browser, code: str
) -> None:
    """The page said "nothing was connected" above "Xero is connected", and quoted the address."""
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    visitor.open(f"/connect/{token}")
    address = f"/return?statusCode={code}&errorMessage=call+0900&connectionId={connection_id}"
    before = visitor.open(address)
    assert ("call 0900" in before.text) == (code not in ("201", "403")), (
        "it waits, so this may be what happened"
    )
    live = before.answer.text.partition('data-live="')[2].partition('"')[0].replace("&amp;", "&")
    place.change(connection_id, "authorize")
    listed = visitor.open(f"/return?statusCode={code}&errorMessage=call+0900")
    for page in (visitor.open(address), visitor.open(live), listed):
        assert "You are back" in page.text
        assert "call 0900" not in page.text
        for claim in (SAID.get(code, "nothing was"), "othing was connected", "could not be connected"):
            assert claim not in page.text


def test_what_is_said_of_the_way_back_stays_with_the_part_that_changes(
    place: Place, visitor: Browser
) -> None:
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    visitor.open(f"/connect/{token}")
    for address in (
        f"/return?statusCode=403&errorMessage=No&connectionId={connection_id}",
        f"/return?connectionId={connection_id}",
        "/return?statusCode=403",
    ):
        html = visitor.open(address).answer.text
        etag, live = (
            html.partition(f'{name}="')[2].partition('"')[0].replace("&amp;", "&")
            for name in ("data-etag", "data-live")
        )
        same = visitor.http.get(live, headers={"If-None-Match": f'"{etag.strip(chr(34))}"'})
        assert same.status_code == 304, "or it would vanish at the first look"


def test_an_unsupported_platform_leads_to_what_to_do_about_it(place: Place, visitor: Browser) -> None:
    """The page told of a way out without leading there, and to try again with another login."""
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    visitor.open(f"/connect/{token}")
    address = f"/return?statusCode=501&connectionId={connection_id}"
    early = visitor.open(address)
    assert "Waiting for you to give access" not in early.text
    place.change(connection_id, "fail", status_code=501)
    told = visitor.open(f"/connect/{token}/connections/{connection_id}")
    for page in (early, visitor.open(address), told):
        assert "What to do when yours is missing" in page.text
        assert f'href="/connect/{token}/not-listed"' in page.answer.text
        assert "you need a login" not in page.text
    assert "The message that came with it" in told.text
    assert "Xero said" not in told.text


def test_the_cookie_of_one_company_shows_nothing_of_another(place: Place, visitor: Browser) -> None:
    mine, token = place.company("mine", "Mine")
    other, _ = place.company("other", "Other Company")
    foreign = place.linked(other)
    visitor.open(f"/connect/{token}")
    for company_id in (mine, other):
        page = visitor.open(f"/return?statusCode=200&connectionId={foreign}&companyId={company_id}")
        assert page.answer.status_code == 200
        assert "Xero" not in page.text
        assert "Other Company" not in page.text
        assert foreign not in page.answer.text


def test_an_accountant_with_several_companies_in_one_browser_is_led_to_the_right_one(
    place: Place, visitor: Browser
) -> None:
    first, first_token = place.company("first", "First")
    second, second_token = place.company("second", "Second")
    connection_id = place.desk.journey.connect(first, "gbol").connection_id
    place.settle()
    visitor.open(f"/connect/{first_token}")
    visitor.open(f"/connect/{second_token}")
    page = visitor.open(f"/return?statusCode=403&connectionId={connection_id}")
    assert f"/connect/{first_token}/connections/{connection_id}" in page.answer.text
    claimed = visitor.open(f"/return?statusCode=201&companyId={second}")
    assert f"/connect/{second_token}/manage" in claimed.answer.text
    unknown = visitor.open("/return?statusCode=201")
    assert "/connect/" not in unknown.answer.text, "which of the two it is, nobody can know"


def test_an_accountant_of_more_companies_than_are_looked_at_is_led_to_the_last_one_too(
    place: Place, visitor: Browser
) -> None:
    """Browsers send the oldest cookie first: whoever came back to their ninth company was a stranger."""
    for number in range(MAX_VISITS):
        visitor.open(f"/connect/{place.company(f'shop-{number}', f'Shop {number}')[1]}")
    last, token = place.company("last", "Last")
    visitor.open(f"/connect/{token}")
    connection_id = place.desk.journey.connect(last, "gbol").connection_id
    place.settle()
    for claim in (f"connectionId={connection_id}", f"companyId={last}"):
        page = visitor.open(f"/return?statusCode=403&{claim}")
        assert f"/connect/{token}/connections" in page.answer.text


def test_a_browser_keeps_its_newest_visits_alone(place: Place) -> None:
    """An accountant's browser sent a cookie for each of a hundred companies with every request, more than
    servers take."""
    visitor = place.visitor("https://ours.example")
    for number in range(MAX_VISITS + 2):
        company_id, token = place.company(f"client-{number}")
        visitor.open(f"/connect/{token}?lang=nl")
    for start in ("__Host-visit-", "__Host-lang-"):
        assert sum(name.startswith(start) for name in visitor.http.cookies) == MAX_VISITS
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    page = visitor.open(f"/return?statusCode=200&connectionId={connection_id}&lang=en")
    assert "Continue with Xero" in page.buttons()


def test_a_cookie_that_has_expired_or_was_tampered_with_counts_for_nothing(
    place: Place, visitor: Browser
) -> None:
    _, token = place.company()
    visitor.open(f"/connect/{token}")
    name = next(cookie for cookie in visitor.http.cookies if cookie.startswith("visit-"))
    place.later(24 * 3600 + 1)
    assert "/connect/" not in visitor.open("/return?statusCode=201").answer.text
    stranger = place.visitor()
    stranger.http.cookies.set(name, token[:-2] + "xx")
    assert "/connect/" not in stranger.open("/return?statusCode=201").answer.text


@settings(
    max_examples=examples(60),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.dictionaries(
        st.sampled_from(["statusCode", "STATUSCODE", "errorMessage", "connectionId", "companyId", "x", ""]),
        st.text(max_size=200),
    )
)
def test_whatever_stands_in_the_address_there_is_a_page(visitor: Browser, query: dict[str, str]) -> None:
    encoded = urlencode(query, errors="surrogatepass")
    assert visitor.http.get("/return?" + encoded).status_code == 200


def test_the_name_in_the_way_back_is_a_hint_until_codat_says_it(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    xero = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    visitor.open(f"/connect/{token}")
    back = f"/return?statusCode=200&connectionId={xero}&data.company.companyName=North%20%3Cb%3EShop"
    page = visitor.open(back)
    assert "You chose “North <b>Shop” there, as the way back says" in page.text
    assert "<b>Shop" not in page.answer.text
    assert place.desk.journey.connection(xero)["account_name"] is None, "an address proves nothing"
    live = re.search('data-live="([^"]+)"', page.answer.text)
    assert live is not None
    assert "You chose" in visitor.open(live[1].replace("&amp;", "&")).text
    place.change(xero, "authorize", account_name="North Shop Ltd")
    page = visitor.open(back)
    assert "You chose" not in page.text
    assert "North Shop Ltd" in page.text
    empty = visitor.open(
        f"/return?statusCode=200&connectionId={xero}&data.company.companyName=%7Bdata.company.companyName%7D"
    )
    assert "{data." not in empty.text
