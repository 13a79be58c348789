"""What protects the pages: headers, cookies, forms that only we can have made, one company at a time."""

import logging

import pytest
from redis import Redis

from processor.simulator import SimulatorServer
from processor.store import keys
from processor.web.headers import page_policy
from tests.processor.simulator.pages import Browser, Form, Page
from tests.processor.simulator.receiving import Receiver
from tests.processor.web.conftest import OpenPlace
from tests.support import cells
from tests.support.visiting import Place, Wall


def form_of(page: Page, label: str) -> Form:
    """The first form with that button."""
    return next(page.forms_with(label))


def test_pages_have_a_strict_policy_and_lend_their_address_to_nobody(place: Place, visitor: Browser) -> None:
    _, token = place.company()
    headers = visitor.http.get(f"/connect/{token}").headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    own, rules = policy.pop("style-src").split()
    assert own == "'self'"
    assert rules.startswith("'sha256-")
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "img-src": f"'self' https: {place.codat.url}",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "noindex" in headers["X-Robots-Tag"]
    assert "Strict-Transport-Security" not in headers
    again = visitor.http.get(f"/connect/{token}").headers["Content-Security-Policy"]
    assert "style-src 'self'; " in again


def test_the_real_codat_needs_no_exception_from_https() -> None:
    assert "http://" not in page_policy("https://api.codat.io")
    assert "http://10.0.0.1:8001;" in page_policy("http://user@10.0.0.1:8001/api")


def test_answers_that_are_no_pages_may_load_nothing(visitor: Browser) -> None:
    for path in ("/healthz", "/openapi.json", "/v1/connections", "/nowhere"):
        headers = visitor.http.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_behind_https_browsers_are_told_to_stay_there_and_cookies_are_secure(open_place: OpenPlace) -> None:
    place = open_place(TRUSTED_PROXIES="1")
    _, token = place.company()
    answer = place.visitor().http.get(f"/connect/{token}", headers={"X-Forwarded-Proto": "https"})
    assert "max-age=" in answer.headers["Strict-Transport-Security"]
    cookies = answer.headers.get_list("Set-Cookie")
    assert len(cookies) == 3
    assert all("Secure" in cookie and "HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)


def test_cookies_go_no_further_than_they_are_needed(place: Place, visitor: Browser) -> None:
    _, token = place.company()
    cookies = visitor.http.get(f"/connect/{token}").headers.get_list("Set-Cookie")
    paths = {
        (cookie.partition("=")[0].split("-")[0], cookie.partition("Path=")[2].partition(";")[0])
        for cookie in cookies
    }
    assert paths == {("browser", "/connect"), ("browser", "/return"), ("visit", "/return")}


@pytest.mark.parametrize(
    "cheat", ["no seal", "no cookie", "other cookie", "other link", "cross-site", "no fields"]
)
def test_a_form_that_we_did_not_give_to_this_browser_for_this_link_does_nothing(
    place: Place, visitor: Browser, cheat: str
) -> None:
    company_id, token = place.company()
    other_id, other_token = place.company("other", "Other")
    connection_id = place.linked(company_id, "shpf")
    page = visitor.open(f"/connect/{token}")
    fields = dict(form_of(page, "Stripe").fields)
    data = {**fields, "platform_key": "strp"}
    headers = {}
    if cheat == "no seal":
        del data["seal"]
    elif cheat == "no fields":
        data = {}
    elif cheat == "other link":
        data["seal"] = form_of(visitor.open(f"/connect/{other_token}"), "Stripe").fields["seal"]
    elif cheat == "cross-site":
        headers["Sec-Fetch-Site"] = "cross-site"
    elif cheat == "other cookie":
        visitor.http.cookies.set("browser", "made-up", domain="ours.example", path="/connect")
        for cookie in list(visitor.http.cookies.jar):
            if cookie.name == "browser" and cookie.value != "made-up":
                visitor.http.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)
    else:
        visitor.http.cookies.clear()
    requests = len(place.desk.wire.requests)
    paths = [f"connections/{connection_id}/{change}" for change in ("link", "unlink", "delete")]
    for path in ("connections", *paths):
        answer = visitor.http.post(f"/connect/{token}/{path}", data=data, headers=headers)
        assert answer.status_code == 403, path
        assert "This form has expired" in answer.text
    assert len(place.desk.wire.requests) == requests
    assert place.codat.simulation.world.find_connection(connection_id).status == "Linked"
    assert not place.codat.simulation.world.company(other_id).present


def test_the_same_form_is_good_where_it_belongs(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    page = visitor.open(f"/connect/{token}")
    data = {**form_of(page, "Stripe").fields, "platform_key": "strp"}
    answer = visitor.http.post(
        f"/connect/{token}/connections", data=data, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code == 200
    assert len(place.codat.simulation.world.company(company_id).present) == 1


@pytest.mark.parametrize("change", ["", "/live", "/link", "/unlink", "/delete"])
def test_no_connection_of_another_company_is_ever_reached(
    place: Place, visitor: Browser, change: str
) -> None:
    _, token = place.company("mine", "Mine")
    other, _ = place.company("other", "Other Company")
    foreign = place.linked(other)
    page = visitor.open(f"/connect/{token}")
    seal = form_of(page, "Stripe").fields["seal"]
    address = f"/connect/{token}/connections/{foreign}{change}"
    seen = visitor.http.get(address)
    assert seen.status_code == 404
    assert "Other Company" not in seen.text
    if change in ("/link", "/unlink", "/delete"):
        assert visitor.http.post(address, data={"seal": seal}).status_code == 404
    place.settle()
    assert place.bench.state(foreign) == "authorized"
    assert place.codat.simulation.world.find_connection(foreign).status == "Linked"


def test_nothing_changes_by_looking(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    events = cells.count(place.container.redis, keys.events)
    for change in ("link", "unlink", "delete"):
        assert visitor.http.get(f"/connect/{token}/connections/{connection_id}/{change}").status_code == 200
    assert cells.count(place.container.redis, keys.events) == events
    assert place.codat.simulation.world.find_connection(connection_id).status == "Linked"


def test_a_form_that_is_too_large_is_refused(place: Place, visitor: Browser) -> None:
    _, token = place.company()
    answer = visitor.http.post(f"/connect/{token}/connections", data={"seal": "x" * 100_000})
    assert answer.status_code == 413
    assert answer.headers["Content-Type"].startswith("text/html")


def test_names_from_outside_are_escaped(place: Place, visitor: Browser) -> None:
    hostile = 'Tom, Dick & Sons\' "Shop" <img src=x onerror=alert(1)>'
    company, _ = place.desk.journey.sign_up(merchant_id="hostile", name=hostile)
    token = company.connect_url.rpartition("/")[2]
    html = visitor.open(f"/connect/{token}").answer.text
    assert "<img src=x" not in html


def test_the_token_is_in_no_log_line(
    place: Place, visitor: Browser, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    _, token = place.company()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(type(place.desk.journey), "connections", broken)
    answer = visitor.http.get(f"/connect/{token}")
    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "a page raised" in caplog.text
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert not any(token in row.getMessage() or token in str(vars(row)) for row in ours)


def test_while_redis_is_away_there_is_a_page(
    place: Place, codat: SimulatorServer, receiver: Receiver, wall: Wall
) -> None:
    _, token = place.company()
    nowhere = "unix:///nowhere/at/all"
    with Redis.from_url(nowhere) as client:
        lost = Place(client, nowhere, codat, receiver, wall)
        answer = lost.visitor().http.get(f"/connect/{token}")
        back = lost.visitor().http.get("/return?statusCode=200&connectionId=c1")
        lost.close()
    for page in (answer, back):
        assert "store" not in page.text, "a shopkeeper reads: my shop"
    assert 'href="/return?statusCode=200&amp;connectionId=c1">Load this page again' in back.text
    assert answer.status_code == 503
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Retry-After" in answer.headers


def test_a_journey_in_a_popup_stays_connected_with_what_opened_it(place: Place, visitor: Browser) -> None:
    """``Cross-Origin-Opener-Policy: same-origin`` cut the tie: the opener saw its popup as closed.

    Integrators open the journey in a popup and wait until it is closed, or for a message from it.
    """
    _, token = place.company()
    for path in (
        f"/connect/{token}",
        f"/connect/{token}/manage",
        "/return?statusCode=200",
        "/connect/nonsense",
    ):
        headers = visitor.http.get(path).headers
        assert headers["Cross-Origin-Opener-Policy"] == "unsafe-none", path
    assert visitor.http.get("/ops").headers["Cross-Origin-Opener-Policy"] == "same-origin"
