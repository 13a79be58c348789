"""Back to the caller's own site: the button on the pages, and what it tells there."""

import html
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from processor.erasure.erase import CompanyEraser
from processor.errors import Invalid
from processor.journey.standing import JourneyOutcome
from processor.store import keys
from tests.processor.simulator.pages import Page
from tests.processor.web.conftest import OpenPlace
from tests.support.visiting import Place

LENDER = "https://lender.example/back?loan=7"
ORIGINS = "https://lender.example,https://other.example"
BUTTON = re.compile(r'<a class="button[^"]*" id="leave" href="([^"]*)" rel="noreferrer">([^<]*)</a>')


def leaves(page: Page) -> dict[str, str]:
    """Where the only button back leads: its address without parameters, and these."""
    ((address, _),) = BUTTON.findall(page.answer.text)
    parts = urlsplit(html.unescape(address))
    return {"": f"{parts.scheme}://{parts.netloc}{parts.path}", **dict(parse_qsl(parts.query))}


@pytest.fixture
def lent(open_place: OpenPlace) -> Place:
    """A service whose callers may want their users back."""
    return open_place(
        RETURN_URL_ORIGINS=ORIGINS, RETURN_URL="https://default.example/home", PRODUCT_NAME="Lender & Co"
    )


def signed_up(place: Place, **wish: Any) -> tuple[str, str]:
    company = place.sign_up(name="Shop", **wish)
    return company.company_id, company.connect_url.rpartition("/")[2]


def test_every_page_of_a_visit_leads_back_with_ids_outcome_and_state(lent: Place) -> None:
    company_id, token = signed_up(lent, return_url=LENDER, state="order 17&x=1")
    visitor = lent.visitor()
    expected = {
        "": "https://lender.example/back",
        "loan": "7",
        "company_id": company_id,
        "outcome": "left",
        "state": "order 17&x=1",
    }
    for path in ("", "/manage", "/not-listed"):
        page = visitor.open(f"/connect/{token}{path}")
        assert leaves(page) == expected, path
        assert "Back to Lender & Co" in page.text
    nowhere = visitor.open(f"/connect/{token}/connections/unknown")
    assert leaves(nowhere) == expected
    xero = lent.desk.journey.connect(company_id, "gbol").connection_id
    lent.settle()
    path = f"/connect/{token}/connections/{xero}"
    assert leaves(visitor.open(path)) == {**expected, "connection_id": xero}
    lent.change(xero, "authorize")
    assert leaves(visitor.open(path))["outcome"] == "syncing"
    lent.change(xero, "complete-sync")
    assert leaves(visitor.open(path)) == {**expected, "connection_id": xero, "outcome": "ready"}
    assert leaves(visitor.open(f"/connect/{token}"))["outcome"] == "ready"
    assert leaves(visitor.open(f"{path}/live"))["outcome"] == "ready"
    journey_overview = lent.desk.journey.overview(company_id)
    assert (journey_overview["outcome"], journey_overview["connection_id"], journey_overview["state"]) == (
        "ready",
        xero,
        "order 17&x=1",
    )
    assert [row["outcome"] for row in journey_overview["connections"]] == ["ready"]
    assert journey_overview["return_url"].startswith("https://lender.example/back?loan=7&company_id=")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("200", "syncing"), ("201", "left"), ("403", "cancelled"), ("500", "failed"), ("501", "failed")],
)
def test_the_way_back_from_link_tells_what_is_known(lent: Place, code: str, outcome: str) -> None:
    company_id, token = signed_up(lent, return_url=LENDER, state="s")
    visitor = lent.visitor()
    xero = lent.desk.journey.connect(company_id, "gbol").connection_id
    lent.settle()
    visitor.open(f"/connect/{token}")
    back = f"/return?statusCode={code}&connectionId={xero}&companyId={company_id}"
    assert leaves(visitor.open(back))["outcome"] == outcome
    lent.change(xero, "authorize")
    lent.change(xero, "complete-sync")
    assert leaves(visitor.open(back))["outcome"] == "ready", "the store knows better than an address"


def test_a_failed_a_given_up_and_an_ended_connection(lent: Place) -> None:
    company_id, _ = signed_up(lent)
    xero = lent.desk.journey.connect(company_id, "gbol").connection_id

    def outcome() -> str:
        return str(lent.desk.journey.overview(company_id)["outcome"])

    assert outcome() == JourneyOutcome.LEFT
    lent.change(xero, "fail", status_code=403)
    assert outcome() == JourneyOutcome.CANCELLED
    lent.change(xero, "fail", status_code=500)
    assert outcome() == JourneyOutcome.FAILED
    lent.change(xero, "authorize")
    assert outcome() == JourneyOutcome.SYNCING
    lent.change(xero, "unlink")
    assert outcome() == JourneyOutcome.LEFT


def test_a_link_has_a_way_back_of_its_own_until_the_next_link(lent: Place) -> None:
    company_id, token = signed_up(lent, return_url=LENDER, state="sign-up")
    own: dict[str, Any] = {"return_url": "https://other.example/x", "state": "link"}
    xero = lent.desk.journey.connect(company_id, "gbol", **own).connection_id
    lent.settle()
    visitor = lent.visitor()
    page = visitor.open(f"/connect/{token}/connections/{xero}")
    assert (leaves(page)[""], leaves(page)["state"]) == ("https://other.example/x", "link")
    lent.desk.journey.link(xero)
    page = visitor.open(f"/connect/{token}/connections/{xero}")
    assert (leaves(page)[""], leaves(page)["state"]) == ("https://lender.example/back", "sign-up")


def test_a_browser_without_a_visit_learns_nothing_of_the_sign_up(lent: Place) -> None:
    company_id, _ = signed_up(lent, return_url=LENDER, state="sign-up")
    xero = lent.desk.journey.connect(company_id, "gbol").connection_id
    lent.settle()
    back = f"/return?statusCode=403&connectionId={xero}&companyId={company_id}"
    assert leaves(lent.visitor().open(back)) == {
        "": "https://default.example/home",
        "company_id": company_id,
        "connection_id": xero,
        "outcome": "cancelled",
    }
    lent.desk.journey.link(xero, return_url="https://other.example/x", state="link")
    page = lent.visitor().open(back)
    assert (leaves(page)[""], leaves(page)["state"]) == ("https://other.example/x", "link")
    assert leaves(lent.visitor().open("/connect/nonsense")) == {
        "": "https://default.example/home",
        "outcome": "left",
    }


def test_an_origin_taken_off_the_list_ends_at_once(open_place: OpenPlace) -> None:
    before = open_place(RETURN_URL_ORIGINS=ORIGINS)
    _, token = signed_up(before, return_url=LENDER, state="s")
    assert leaves(before.visitor().open(f"/connect/{token}"))[""] == "https://lender.example/back"
    after = open_place(RETURN_URL_ORIGINS="https://other.example")
    assert 'id="leave"' not in after.visitor().open(f"/connect/{token}").answer.text


def test_the_way_back_of_a_link_is_erased_with_the_company(lent: Place) -> None:
    company_id, _ = signed_up(lent)
    lent.desk.journey.connect(company_id, "gbol", return_url=LENDER)
    lent.settle()
    assert lent.desk.client.exists(keys.link_returns(company_id))
    CompanyEraser(lent.desk.client).erase(company_id, lent.desk.clock())
    assert not lent.desk.client.exists(keys.link_returns(company_id))


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"return_url": "https://evil.example/"}, "return_url"),
        ({"return_url": "https://lender.example.evil.example/"}, "return_url"),
        ({"return_url": "https://lender.example:8443/"}, "return_url"),
        ({"return_url": "http://lender.example/"}, "return_url"),
        ({"return_url": "https://lender.example@evil.example/"}, "return_url"),
        ({"return_url": "//lender.example"}, "return_url"),
        ({"state": "line\nbreak"}, "state"),
        ({"state": "x" * 501}, "state"),
    ],
)
def test_a_wrong_way_back_names_the_field_and_codat_is_not_asked(
    lent: Place, wish: dict[str, Any], field: str
) -> None:
    company_id, _ = signed_up(lent)
    asked = len(lent.desk.wire.requests)
    for call in (
        lambda: lent.desk.journey.sign_up(merchant_id="new", **wish),
        lambda: lent.desk.journey.connect(company_id, "gbol", **wish),
    ):
        with pytest.raises(Invalid) as refused:
            call()
        assert set(refused.value.errors or {}) == {field}
    assert len(lent.desk.wire.requests) == asked
