"""The journey inside a caller's page: who may frame it, and forms without a cookie."""

import pytest

from processor.errors import SettingsError
from processor.settings.loading import load
from tests.processor.simulator.pages import Browser
from tests.processor.web.conftest import OpenPlace
from tests.support.serving import ENVIRON
from tests.support.visiting import Place

LENDERS = "https://app.lender.example,http://localhost:3000"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
MOST_BYTES = 2_048


def frame_ancestors(policy: str) -> str:
    """Who may frame a page with this policy."""
    return dict(part.split(" ", 1) for part in policy.split("; "))["frame-ancestors"]


def test_by_default_nothing_may_be_framed_and_there_is_no_script(place: Place, visitor: Browser) -> None:
    _, token = place.company()
    for path in (
        f"/connect/{token}",
        "/connect/made-up",
        "/return",
        "/",
        "/ops",
        "/static/journey/journey.js",
    ):
        headers = visitor.http.get(path).headers
        assert headers["X-Frame-Options"] == "DENY", path
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
    assert visitor.http.get("/embed.js").status_code == 404
    assert "embedded.js" not in visitor.http.get(f"/connect/{token}").text


def test_only_the_journey_may_be_framed_and_only_by_the_origins_of_the_list(open_place: OpenPlace) -> None:
    place = open_place(EMBED_ORIGINS=LENDERS, OPERATOR_PASSWORD="x")
    visitor = place.visitor()
    _, token = place.company()
    for path in (
        f"/connect/{token}",
        f"/connect/{token}/manage",
        f"/connect/{token}/live",
        "/connect/made-up",
    ):
        headers = visitor.http.get(path).headers
        assert frame_ancestors(headers["Content-Security-Policy"]) == LENDERS.replace(",", " "), path
        assert "X-Frame-Options" not in headers, path
    for path in ("/return", "/", "/ops", "/ops/sign-in", "/v1/stats", "/nowhere", "/embed.js"):
        headers = visitor.http.get(path).headers
        assert frame_ancestors(headers["Content-Security-Policy"]) == "'none'", path
        assert headers["X-Frame-Options"] == "DENY", path


def test_the_script_is_small_and_may_be_loaded_by_any_page(open_place: OpenPlace) -> None:
    place = open_place(EMBED_ORIGINS=LENDERS)
    answer = place.visitor().http.get("/embed.js", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert int(answer.headers["Content-Length"]) <= MOST_BYTES


@pytest.mark.parametrize(
    ("origins", "fetch_site", "status"),
    [
        (LENDERS, "same-origin", 200),
        (LENDERS, "same-site", 403),
        (LENDERS, "cross-site", 403),
        (LENDERS, "none", 403),
        (LENDERS, None, 403),
        ("", "same-origin", 403),
    ],
)
def test_a_form_in_a_frame_needs_the_browsers_word_instead_of_a_cookie(
    open_place: OpenPlace, origins: str, fetch_site: str | None, status: int
) -> None:
    place = open_place(EMBED_ORIGINS=origins)
    company_id, token = place.company()
    headers = {"Sec-Fetch-Site": fetch_site} if fetch_site else {}
    page = place.visitor().open(f"/connect/{token}")
    fields = next(page.forms_with("Stripe")).fields
    answer = place.visitor().http.post(
        f"/connect/{token}/connections", data={**fields, "platform_key": "strp"}, headers=headers
    )
    assert answer.status_code == status
    assert len(place.codat.simulation.world.company(company_id).present) == (status == 200)


def test_operators_forms_always_need_their_cookie(open_place: OpenPlace) -> None:
    place = open_place(EMBED_ORIGINS=LENDERS, OPERATOR_PASSWORD="x")
    answer = place.visitor().http.post("/ops/subscribers", auth=("operator", "x"), headers=SAME_ORIGIN)
    assert answer.status_code == 403


def test_the_language_of_the_link_stays_in_a_frame_of_that_site_alone(open_place: OpenPlace) -> None:
    place = open_place(EMBED_ORIGINS=LENDERS, TRUSTED_PROXIES="1")
    _, token = place.company()
    headers = {"X-Forwarded-Proto": "https", "Sec-Fetch-Dest": "iframe"}
    answer = place.visitor().http.get(f"/connect/{token}?lang=de", headers=headers)
    (kept,) = {header for header in answer.headers.get_list("Set-Cookie") if "lang-" in header}
    assert all(part in kept for part in ("__Host-", "Secure", "SameSite=None", "Partitioned", "HttpOnly"))
    others = [header for header in answer.headers.get_list("Set-Cookie") if "lang-" not in header]
    assert others
    assert all("SameSite=Lax" in other and "Partitioned" not in other for other in others)


def test_a_frame_is_never_sent_to_codats_link_by_itself(open_place: OpenPlace) -> None:
    """Platforms refuse frames: without our script the button leads out of the frame."""
    place = open_place(EMBED_ORIGINS=LENDERS)
    _, token = place.company()
    visitor = place.visitor()
    fields = next(visitor.open(f"/connect/{token}").forms_with("Xero")).fields
    path, data = f"/connect/{token}/connections", {**fields, "platform_key": "gbol"}
    framed = visitor.http.post(path, data=data, headers={**SAME_ORIGIN, "Sec-Fetch-Dest": "iframe"}).text
    assert 'http-equiv="refresh"' not in framed
    assert 'target="_top"' in framed
    alone = visitor.http.post(path, data=data, headers={**SAME_ORIGIN, "Sec-Fetch-Dest": "document"}).text
    assert 'http-equiv="refresh"' in alone
    assert 'target="_top"' not in alone


@pytest.mark.parametrize(
    "wrong", ["*", "app.lender.example", "http://app.lender.example", "https://a.example/x"]
)
def test_a_wrong_origin_stops_the_start_and_names_the_setting(wrong: str) -> None:
    with pytest.raises(SettingsError, match="EMBED_ORIGINS must be a comma-separated list of origins"):
        load({**ENVIRON, "EMBED_ORIGINS": f"https://good.example,{wrong}"})
