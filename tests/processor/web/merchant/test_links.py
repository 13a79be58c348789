"""Links: unknown, expired, revoked, of deleted companies."""

import pytest

from tests.processor.simulator.pages import Browser
from tests.processor.web.conftest import OpenPlace
from tests.support.visiting import Place


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/connect", 404),
        ("/connect/", 404),
        ("/connect/nonsense", 404),
        ("/connect/nonsense/manage", 404),
        ("/connect/{token}/nowhere/at/all", 404),
        ("/connect/{token}/connections/unknown", 404),
        ("/connect/{token}/connections/unknown/live", 404),
        ("/connect/{token}/connections/unknown/delete", 404),
        ("/connect/{token}x", 404),
        ("/connect/{token}/connections", 303),
        ("/connect/{token}/", 200),
    ],
)
def test_addresses_that_lead_nowhere_get_a_page(
    place: Place, visitor: Browser, path: str, status: int
) -> None:
    _, token = place.company()
    answer = visitor.http.get(path.replace("{token}", token))
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_expired_link_says_so(place: Place, visitor: Browser) -> None:
    _, token = place.company()
    place.later(24 * 3600 + 1)
    page = visitor.open(f"/connect/{token}")
    assert page.answer.status_code == 410
    assert "This link has expired" in page.text
    assert "Ask whoever sent it" in page.text
    assert "Send a new link" not in page.buttons(), "there is no contact"


def test_a_key_taken_out_of_the_list_revokes_its_links_and_a_new_first_one_does_not(
    open_place: OpenPlace,
) -> None:
    old = open_place(SECRET_KEY="the old signing key")
    _, token = old.company()
    both = open_place(SECRET_KEY="the new signing key,the old signing key")
    assert both.visitor().open(f"/connect/{token}").answer.status_code == 200
    new = open_place(SECRET_KEY="the new signing key")
    assert new.visitor().open(f"/connect/{token}").answer.status_code == 404


def test_a_link_of_a_deleted_company_says_what_is_true(place: Place, visitor: Browser) -> None:
    """It said "incomplete, copy all of it" of a link that was whole."""
    company_id, token = place.company()
    place.desk.journey.delete_company(company_id)
    place.settle()
    for path in ("", "/manage", "/connections/c1"):
        page = visitor.open(f"/connect/{token}{path}")
        assert page.answer.status_code == 410
        assert "This company was deleted here" in page.text
        assert "copy all of it" not in page.text
    assert "/connect/" not in visitor.open("/return?statusCode=200").answer.text


def test_an_expired_link_of_a_deleted_company_says_deleted_too(place: Place, visitor: Browser) -> None:
    """The page said "expired, ask for a new link" of a company to which no new link leads."""
    deleted_id, deleted = place.company()
    place.desk.journey.delete_company(deleted_id)
    place.settle()
    place.later(2 * 86_400)
    page = visitor.open(f"/connect/{deleted}")
    assert page.answer.status_code == 410
    assert "This company was deleted here" in page.text
    assert "expired" not in page.text


def test_a_mailed_link_works_for_a_week_and_others_for_a_day(open_place: OpenPlace) -> None:
    """The link in Friday evening's mail was dead on Monday."""
    place = open_place(LINK_DAYS="7")
    company_id, token = place.company()
    mailed = place.desk.journey.links.mailed_url(company_id).rpartition("/")[2]
    visitor = place.visitor()
    place.later(6.9 * 86_400)
    assert visitor.open(f"/connect/{token}").answer.status_code == 410
    assert visitor.open(f"/connect/{mailed}").answer.status_code == 200
    place.later(0.2 * 86_400)
    assert visitor.open(f"/connect/{mailed}").answer.status_code == 410


def test_revoked_links_of_one_company_stop_and_later_ones_work(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    other = place.desk.journey.sign_up(merchant_id="another")[0].connect_url.rpartition("/")[2]
    journey = place.desk.journey
    mailed = journey.links.mailed_url(company_id).rpartition("/")[2]
    assert visitor.open(f"/connect/{token}").answer.status_code == 200
    journey.links.revoke(company_id)
    fresh = journey.company(company_id).connect_url.rpartition("/")[2]
    for revoked in (token, mailed):
        assert visitor.http.get(f"/connect/{revoked}").status_code == 404
        assert visitor.http.post(f"/connect/{revoked}/connections").status_code == 404
    for working in (fresh, other, journey.links.mailed_url(company_id).rpartition("/")[2]):
        assert visitor.http.get(f"/connect/{working}").status_code == 200
    journey.links.revoke(company_id)
    assert visitor.http.get(f"/connect/{fresh}").status_code == 404
    place.later(24 * 3600 + 1)  # no new one is mailed in place of a revoked one that has expired
    assert visitor.http.get(f"/connect/{token}").status_code == 404
