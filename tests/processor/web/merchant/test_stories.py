"""What merchants met on the pages, and what the pages say now."""

import re
from urllib.parse import urlencode

import pytest

from processor.codat.json_values import as_account_name
from processor.web.merchant.copy import terms
from tests.processor.simulator.pages import Browser
from tests.processor.web.conftest import OpenPlace
from tests.support.visiting import Place

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-")


def looked_at(place: Place, visitor: Browser, address: str) -> str:
    """The text of a page after somebody looked at it and Codat was asked."""
    place.later(5)
    visitor.open(address)
    place.settle()
    return visitor.open(address).text


@pytest.mark.parametrize("key", ["pqsw", "sgfi"])
def test_software_on_the_merchants_computer_says_what_to_expect(
    place: Place, visitor: Browser, key: str
) -> None:
    """QuickBooks Desktop and Sage 50 were offered as "Share files instead".

    Their first read showed a bar that stood still, for their computer was off.
    """
    company_id, token = place.company()
    tile = visitor.open(f"/connect/{token}")
    assert "Read when your computer is on" in tile.text
    assert not {"QuickBooks Desktop", "Sage 50"} & set(visitor.open(f"/connect/{token}/not-listed").buttons())
    name = {"pqsw": "QuickBooks Desktop", "sgfi": "Sage 50"}[key]
    form = next(tile.forms_with("Xero"))
    leaving = visitor.http.post(form.action, data={**form.fields, "platform_key": key})
    assert terms.on_premise(name) in leaving.text
    assert ("in the hours that you chose" in leaving.text) == (key == "pqsw")
    connection_id = place.linked(company_id, key)
    address = f"/connect/{token}/connections/{connection_id}"
    assert "Waiting for your computer" in visitor.open(address).text
    place.change(connection_id, "start-sync")
    assert "Waiting for your computer" in looked_at(place, visitor, address)
    for path in ("", "/manage", f"/connections/{connection_id}"):
        assert "<progress" not in visitor.open(f"/connect/{token}{path}").answer.text, path
    first = place.codat.simulation.world.find_connection(connection_id).first_read
    assert first is not None
    first.datasets[0].status, first.datasets[0].progress = "Fetching", 40
    assert f"Reading your data from {name}" in looked_at(place, visitor, address), "now it is on"
    assert "<progress" in visitor.open(address).answer.text


def test_files_are_handed_in_where_nothing_else_helps(place: Place, visitor: Browser) -> None:
    """The way out named the programs on the merchant's computer, and not the upload of files."""
    _, token = place.company()
    page = visitor.open(f"/connect/{token}/not-listed")
    assert "Share files instead" in page.text
    assert "Accounting File Upload" in page.buttons()


def test_a_second_accounting_platform_has_one_explanation_and_a_way_on(
    place: Place, visitor: Browser
) -> None:
    """Authorised from a second tab: "Something went wrong", a raw id, three explanations.

    The forms in the first tab had expired, too: coming back gave the browser another cookie.
    """
    company_id, token = place.company()
    xero = place.desk.journey.connect(company_id, "gbol").connection_id
    second = place.desk.journey.connect(company_id, "fbrh").connection_id
    place.settle()
    before = visitor.open(f"/connect/{token}")
    place.change(xero, "authorize")
    place.change(second, "fail", status_code=500)
    sentence = "Xero is connected, and a company has one accounting platform at a time"
    query = urlencode(
        {"statusCode": "500", "connectionId": second, "errorMessage": f"The company has {xero} already"}
    )
    for page in (
        visitor.open(f"/return?{query}"),
        visitor.open(f"/connect/{token}/connections/{second}"),
        visitor.press(before, "FreeAgent"),
        visitor.press(before, "Continue with FreeAgent"),
    ):
        assert page.text.count(sentence) == 1
        assert 'href="/connect/' in page.answer.text
        assert ">Manage your connections</a>" in page.answer.text
        for other in ("Something went wrong", "could not be connected", "Wait a few minutes", "message"):
            assert other not in page.text
        assert not _GUID.search(page.text)
        assert 'class="notice bad alone"' not in page.answer.text


def test_cancelling_is_one_calm_sentence_with_the_way_to_try_again(place: Place, visitor: Browser) -> None:
    """Who cancelled read a red notice, a red state and a quotation, three versions of one fact."""
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    visitor.open(f"/connect/{token}")
    query = urlencode({"statusCode": "403", "connectionId": connection_id, "errorMessage": "User cancelled"})
    early = visitor.open(f"/return?{query}")
    place.change(connection_id, "fail", status_code=403)
    late = visitor.open(f"/return?{query}")
    for page, button in ((early, "Continue with Xero"), (late, "Try again")):
        html = page.answer.text.partition("<main")[2]
        assert html.count("<h1>You did not give access</h1>") == 1
        assert button in page.buttons()
        assert "User cancelled" not in html
        assert 'class="notice' not in html.replace('class="notice bad slim" id="stale"', "")
        assert "badge bad" not in html
        assert "status bad" not in html
        assert 'class="failed"' not in html, "the first step is to be done, not broken"


@pytest.mark.parametrize("code", ["403", "500"])
def test_send_them_this_link_has_a_link(place: Place, visitor: Browser, code: str) -> None:
    """The page said "send them this link" and had none."""
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    place.change(connection_id, "fail", status_code=int(code))
    html = visitor.open(f"/connect/{token}/connections/{connection_id}").answer.text
    assert f'readonly value="http://ours.example/connect/{token}"' in html
    assert 'href="mailto:?subject=' in html
    assert ">Send them this link</a>" in html


def test_a_failed_sync_is_the_same_everywhere(place: Place, visitor: Browser) -> None:
    """Nothing could be read, and the tile of the platform said "Connected", green."""
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    place.change(connection_id, "complete-sync", outcomes={"bills": "FetchError"})
    place.settle()
    for path in ("", "/manage", f"/connections/{connection_id}"):
        html = visitor.open(f"/connect/{token}{path}").answer.text
        assert ">Connected<" not in html, path
        assert ">Nothing read<" in html, path
    assert visitor.open(f"/connect/{token}").answer.text.count(">Nothing read<") == 2, "the list and the tile"


def test_a_failed_sync_can_be_read_again(place: Place, visitor: Browser) -> None:
    """Nothing could be read, and the page had no button: only "disconnect, and connect again"."""
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    place.change(connection_id, "complete-sync", outcomes={"bills": "FetchError"})
    base = f"/connect/{token}"
    for path in ("", "/manage", f"/connections/{connection_id}"):
        page = visitor.open(base + path)
        assert next(page.forms_with("Read again")).action.endswith(f"/connections/{connection_id}/read"), path
    for _ in range(3):  # a double click
        answer = visitor.press(page, "Read again").answer
        assert (answer.status_code, answer.headers["Location"]) == (
            303,
            f"{base}/connections/{connection_id}?asked=read",
        )
    assert len(place.desk.wire.asked("POST", "/data/all")) == 1
    assert "Reading was asked for" in visitor.open(answer.headers["Location"]).text
    place.settle()
    page = visitor.open(answer.headers["Location"])
    assert "Xero is connected" in page.text
    assert not list(page.forms_with("Read again"))


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"status": 409}, 303),
        ({"status": 402}, 502),
    ],
)
def test_what_is_being_read_already_is_no_mistake(
    place: Place, visitor: Browser, fault: dict[str, object], status: int
) -> None:
    """Codat refuses to read what it is reading; for the merchant that is what they asked for."""
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    place.change(connection_id, "complete-sync", outcomes={"bills": "FetchError"})
    page = visitor.open(f"/connect/{token}/connections/{connection_id}")
    place.codat.simulation.faults.plan({"path": "/data/all", "count": 1, **fault})
    assert visitor.press(page, "Read again").answer.status_code == status
    again = visitor.press(page, "Read again").answer
    assert again.status_code == 303, "what was refused may be tried again at once"


def test_what_the_other_side_said_shows_no_ids() -> None:
    """A merchant read "connection 7f9c2ba4-…" in a quotation."""
    sentence = terms.quotation("The connection 7F9C2BA4-e88f-4d1c-9d2a-0e5f3b8a6c11 is active")
    assert sentence == "The connection … is active"


@pytest.mark.parametrize(
    "accounts", [("North Shop", "South Shop"), ("One", "One"), (None, None), ("One", None)]
)
def test_two_connections_of_one_platform_are_told_apart(
    place: Place, visitor: Browser, accounts: tuple[str | None, str | None]
) -> None:
    """Two shops of one merchant: "Disconnect Shopify?", "Delete Shopify?", and nobody knew which."""
    company_id, token = place.company()
    shops = []
    for account in accounts:
        connection_id = place.desk.journey.connect(company_id, "shpf").connection_id
        place.change(connection_id, "authorize", account_name=account)
        place.later(60)
        shops.append(connection_id)
    asked = [visitor.open(f"/connect/{token}/connections/{shop}/delete").text for shop in shops]
    names = [re.search("Delete the connection to (Shopify[^?]*)[?]", text).group(1) for text in asked]
    assert names[0] != names[1]
    for account, name in zip(accounts, names, strict=True):
        if account and accounts.count(account) == 1:
            assert name == f"Shopify ({account})"
        else:
            assert re.fullmatch(r"Shopify [12] \(begun [0-9]+ [A-Z][a-z]+ 20[0-9]+\)", name)
    for path in ("", "/manage"):
        page = visitor.open(f"/connect/{token}{path}")
        for name in names:
            assert f">{name}</" in page.answer.text, path
            assert re.search(f'data-say="[^"]*{re.escape(name)}', page.answer.text), path
    for connection_id, name in zip(shops, names, strict=True):
        title = f"You gave access to {name}"
        assert title in visitor.open(f"/connect/{token}/connections/{connection_id}").text
        assert (
            f"Disconnect {name}?" in visitor.open(f"/connect/{token}/connections/{connection_id}/unlink").text
        )


def test_one_connection_of_a_platform_has_the_platforms_name(place: Place, visitor: Browser) -> None:
    """A number is no help where there is nothing to tell apart; what is ended is asked with its account."""
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "shpf").connection_id
    place.change(connection_id, "authorize", account_name="North Shop")
    question = visitor.open(f"/connect/{token}/connections/{connection_id}/unlink").text
    assert "Disconnect Shopify (North Shop)?" in question
    assert "North Shop" in visitor.open(f"/connect/{token}/manage").text


@pytest.mark.parametrize(
    ("info", "name"),
    [
        ({"companyName": " North Shop "}, "North Shop"),
        ({"shop_url": "north.example", "ShopName": "North"}, "North"),
        ({"shopUrl": "north.example"}, "north.example"),
        ({"name": ["North"], "domain": "north.example"}, "north.example"),
        ({"name": "x" * 5000}, "x" * 120),
        ({"clientType": "desktop"}, None),
        ({}, None),
        (["North"], None),
        ("North", None),
        (None, None),
    ],
)
def test_the_accounts_name_is_read_from_whatever_codat_puts_there(info: object, name: str | None) -> None:
    """``connectionInfo`` holds anything, and may be absent."""
    assert as_account_name(info) == name


@pytest.mark.parametrize("with_id", [True, False])
def test_thank_you_is_said_once(place: Place, visitor: Browser, with_id: bool) -> None:
    """ "Thank you, you are back" stood there at every reload, days later too."""
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    page = visitor.open(f"/connect/{token}")
    address = "/return?statusCode=200" + (f"&connectionId={connection_id}" if with_id else "")
    for _ in range(2):
        visitor.press(page, "Continue with Xero")
        first = visitor.open(address)
        assert "Thank you, you are back" in first.text
        live = first.answer.text.partition('data-live="')[2].partition('"')[0].replace("&amp;", "&")
        assert "Thank you, you are back" in visitor.open(live).text, "or it would vanish while one reads"
        for _ in range(2):
            again = visitor.open(address)
            assert again.answer.status_code == 200
            assert "Thank you" not in again.text
            live = again.answer.text.partition('data-live="')[2].partition('"')[0].replace("&amp;", "&")
            assert "Thank you" not in visitor.open(live).text


def test_deletion_says_what_becomes_of_the_data(place: Place, visitor: Browser) -> None:
    """ "Delete for good" did not say whether the data goes, too."""
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    question = visitor.open(f"/connect/{token}/connections/{connection_id}/delete")
    assert "What was read through it is deleted with it at Codat" in question.text
    assert "Copies that whoever sent you the link made before are not deleted by this" in question.text
    answer = visitor.press(question, "Delete for good").answer
    place.settle()
    shown = visitor.open(answer.headers["Location"])
    assert "What was read through it was deleted at Codat with it" in shown.text


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/nowhere", 404), ("/connections/x?y=z", 404)])
def test_a_browser_gets_a_page_and_all_others_json(visitor: Browser, path: str, status: int) -> None:
    """A merchant who cut the address short read ``{"api": "/v1", ...}``."""
    page = visitor.http.get(path, headers=BROWSER)
    assert (page.status_code, page.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert "<h1" in page.text
    assert "style-src 'self'" in page.headers["Content-Security-Policy"]
    for accept in ("*/*", "application/json", "application/problem+json"):
        other = visitor.http.get(path, headers={"Accept": accept})
        assert other.status_code == status
        assert other.headers["Content-Type"] in ("application/json", "application/problem+json")
    assert "Accept" in page.headers["Vary"]


def test_machines_get_problems_whatever_they_accept(visitor: Browser) -> None:
    """The API has no pages."""
    for path in ("/v1/nowhere", "/webhooks/nowhere"):
        assert visitor.http.get(path, headers=BROWSER).headers["Content-Type"] == "application/problem+json"


def test_what_is_large_comes_compressed(place: Place, visitor: Browser) -> None:
    """Nothing was compressed: 60 KB for the list of platforms on a phone."""
    _, token = place.company()
    visitor.open(f"/connect/{token}")  # the first page is larger
    for path in (f"/connect/{token}", "/static/journey/journey.css?v=1", "/static/journey/journey.js"):
        plain = visitor.http.get(path, headers={"Accept-Encoding": "identity"})
        packed = visitor.http.get(path, headers={"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip", path
        assert int(packed.headers["Content-Length"]) * 2 < len(plain.content)
        assert "Content-Encoding" not in plain.headers
        assert "Accept-Encoding" in plain.headers["Vary"]
        assert len(packed.content) == len(plain.content)
    etag = packed.headers["ETag"]
    headers = {"Accept-Encoding": "gzip", "If-None-Match": etag}
    assert visitor.http.get("/static/journey/journey.js", headers=headers).status_code == 304
    assert "Content-Encoding" not in visitor.http.get("/healthz").headers, "too small to be worth it"


def test_what_repeats_the_address_beside_a_secret_is_not_compressed(place: Place, visitor: Browser) -> None:
    """The length of a compressed page would tell a stranger how alike their text and the link token are."""
    _, token = place.company()
    for path in (f"/connect/{token}?q=xero", "/return?statusCode=500&errorMessage=x"):
        answer = visitor.http.get(path, headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200
        assert "Content-Encoding" not in answer.headers, path


def test_coming_back_in_another_browser_says_how_to_go_on(open_place: OpenPlace) -> None:
    """``/return`` opened elsewhere, as from an app's own browser, led nowhere."""
    place = open_place(SUPPORT_EMAIL="help@example.com")
    page = place.visitor().open("/return?statusCode=403&errorMessage=No")
    assert "Did you begin in another browser, app or device?" in page.text
    assert 'href="mailto:help@example.com?subject=' in page.answer.text
    assert 'class="notice calm alone"' in page.answer.text
