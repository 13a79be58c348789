"""Evidence is kept only for a text that was on the page; each text is in the words of its product."""

from pathlib import Path
from typing import Any

import pytest

from processor.errors import SettingsError
from processor.journey.consent_texts import ConsentTexts
from processor.journey.models import CompanyView
from tests.processor.web.conftest import OpenPlace
from tests.processor.web.merchant.test_consent import evidence, is_leaving
from tests.processor.web.merchant.test_way_back import BUTTON
from tests.support.visiting import Place

TITLE = "What you agree to"


def pending(place: Place, **wish: Any) -> tuple[str, str, str]:
    """A company, its token, and its connection that is not authorised yet."""
    company_id, token = place.company()
    connection_id = place.desk.journey.connect(company_id, "gbol", **wish).connection_id
    place.settle()
    return company_id, token, connection_id


def test_an_old_button_on_a_connection_with_access_is_no_consent(open_place: OpenPlace) -> None:
    place = open_place(CONSENT="step")
    company_id, token, xero = pending(place)
    visitor = place.visitor()
    old = visitor.open(f"/connect/{token}/connections/{xero}")
    assert TITLE not in old.text
    place.change(xero, "authorize")
    assert TITLE in visitor.press(old, "Continue with Xero").text
    assert evidence(place, company_id) == []

    place.change(xero, "deauthorize")
    ended = visitor.open(f"/connect/{token}/connections/{xero}")
    assert TITLE in visitor.press(ended, "Connect again").text


def test_a_search_without_a_hit_shows_the_text_too(place: Place) -> None:
    company_id, token, _ = pending(place)
    visitor = place.visitor()
    page = visitor.open(f"/connect/{token}?q=zzzzqqqq")
    assert TITLE in page.text
    assert is_leaving(place, visitor.press(page, "Continue with Xero"))
    assert len(evidence(place, company_id)) == 1


def test_where_the_text_is_not_shown_it_is_asked_for(place: Place) -> None:
    company_id, token, _ = pending(place)
    visitor = place.visitor()
    visitor.open(f"/connect/{token}")
    page = visitor.open("/return?statusCode=403")
    assert TITLE not in page.text
    assert TITLE in visitor.press(page, "Continue with Xero").text
    assert evidence(place, company_id) == []


def test_texts_in_turn_are_kept_once_each(open_place: OpenPlace, tmp_path: Path) -> None:
    for language in ("de", "en"):
        (tmp_path / f"default.{language}.txt").write_text(f"Title {language}\nText")
    place = open_place(CONSENT_TEMPLATES_DIR=str(tmp_path))
    company_id, token, _ = pending(place)
    visitor = place.visitor()
    for language, label in 2 * [("de", "Weiter mit Xero"), ("en", "Continue with Xero")]:
        visitor.http.headers["Accept-Language"] = language
        visitor.press(visitor.open(f"/connect/{token}"), label)
    assert {row["language"] for row in evidence(place, company_id)} == {"de", "en"}
    assert len(evidence(place, company_id)) == 2


@pytest.mark.parametrize(
    ("files", "products", "languages", "versions"),
    [
        (("default.de", "loan.de", "loan.en", "more.en"), ("loan", "more"), ["de"], "loan.en more.en"),
        (("default.de", "more.en"), ("more",), ["de"], "more.en"),
        (("default.de",), (), ["fr"], "default.de"),
    ],
)  # fmt: skip
def test_the_words_of_a_product_come_before_the_language(
    open_place: OpenPlace,
    tmp_path: Path,
    files: tuple[str, ...],
    products: tuple[str, ...],
    languages: list[str],
    versions: str,
) -> None:
    for name in files:
        (tmp_path / f"{name}.txt").write_text(f"Title {name}\nText")
    texts = ConsentTexts(open_place(CONSENT_TEMPLATES_DIR=str(tmp_path)).desk.settings, {})
    company = CompanyView("c", None, None, None, "", products=products)
    parts = texts.of_company(company, languages).version.split("+")
    assert [part.rpartition("-")[0] for part in parts] == versions.split()


@pytest.mark.parametrize(
    "text", ["T\n{% if company and not contact %}{{ contct }}{% endif %}", "T\n" + "x" * 20_001]
)
def test_a_template_that_fails_in_any_case_stops_the_start(
    open_place: OpenPlace, tmp_path: Path, text: str
) -> None:
    (tmp_path / "default.en.txt").write_text(text)
    with pytest.raises(SettingsError):
        open_place(CONSENT_TEMPLATES_DIR=str(tmp_path))


def test_going_on_from_our_page_keeps_the_callers_way_back(open_place: OpenPlace) -> None:
    place = open_place(RETURN_URL_ORIGINS="https://lender.example", CONSENT="off")
    _, token, xero = pending(place, return_url="https://lender.example/x", state="s")
    visitor = place.visitor()
    for _ in range(2):
        page = visitor.open(f"/connect/{token}/connections/{xero}")
        assert BUTTON.search(page.answer.text)
        visitor.press(page, "Continue with Xero")
