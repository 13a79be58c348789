"""The language of a page: of the link, else of the company, else of the browser, else the default."""

import re
from typing import Any

import pytest

from processor.errors import Invalid
from processor.languages.catalogues import LANGUAGES, SOURCE
from tests.processor.simulator.pages import Browser, Page
from tests.processor.web.conftest import OpenPlace
from tests.support.effort import IN_CI
from tests.support.english import PLACEHOLDER, sentences
from tests.support.visiting import Place

FRENCH = "Rechercher par nom"


def language_of(page: Page) -> str:
    match = re.search(r'<html lang="([\w-]+)" dir="(?:ltr|rtl)">', page.answer.text)
    assert match is not None
    assert page.answer.headers["Content-Language"] == match[1]
    return match[1]


def signed_up(place: Place, language: str | None, lang: str | None = None) -> tuple[str, str]:
    company = place.sign_up("m-1", name="Shop", language=language, lang=lang)
    return company.company_id, "/connect/" + company.connect_url.partition("/connect/")[2]


@pytest.mark.parametrize(
    ("lang", "company", "browser", "default", "language"),
    [
        ("fr", "en", "en", "en", "fr"),
        ("fr-CA", "en", "en", "en", "fr"),
        (None, "fr", "en", "en", "fr"),
        (None, None, "xx, fr-BE;q=0.8, en;q=0.5", "en", "fr"),
        (None, None, "xx", "fr", "fr"),
        (None, None, None, "fr", "fr"),
        ("xx", "fr", "en", "en", "fr"),
    ],
)
def test_link_company_browser_and_default_count_in_this_order(
    open_place: OpenPlace,
    lang: str | None,
    company: str | None,
    browser: str | None,
    default: str,
    language: str,
) -> None:
    place = open_place(DEFAULT_LANGUAGE=default)
    _, path = signed_up(place, company)
    visitor = place.visitor()
    visitor.http.headers.pop("Accept-Language", None)
    if browser is not None:
        visitor.http.headers["Accept-Language"] = browser
    page = visitor.open(path if lang is None else f"{path}?lang={lang}")
    assert language_of(page) == language
    assert (FRENCH in page.text) == (language == "fr")


def test_the_language_of_a_link_stays_for_its_company_in_this_browser(place: Place) -> None:
    company_id, path = signed_up(place, "en", "fr")
    assert path.endswith("?lang=fr")
    visitor = place.visitor()
    assert language_of(visitor.open(path)) == "fr"
    path = path.partition("?")[0]
    assert language_of(visitor.open(f"{path}/manage")) == "fr"
    assert language_of(visitor.open(f"/return?statusCode=201&companyId={company_id}")) == "fr"
    other, _ = place.desk.journey.sign_up(merchant_id="m-2", name="Other", language="en")
    assert language_of(visitor.open("/connect/" + other.connect_url.rpartition("/")[2])) == "en"
    assert language_of(place.visitor().open(path)) == "en"


def test_the_page_of_an_expired_link_is_in_the_language_of_its_company(
    place: Place, visitor: Browser
) -> None:
    """It was in the browser's language, whatever the link's pages had been in."""
    _, path = signed_up(place, "ar")
    place.later(24 * 3600 + 1)
    page = visitor.open(path)
    assert (page.answer.status_code, language_of(page)) == (410, "ar")
    assert language_of(visitor.open(f"{path}?lang=fr")) == "fr"


def test_every_page_offers_every_language_without_scripts(place: Place, visitor: Browser) -> None:
    _, path = signed_up(place, None)
    for address in (path, f"{path}?q=xero", f"{path}/manage", "/", "/nothing", "/return?statusCode=403"):
        visitor.http.headers["Accept"] = "text/html"
        page = visitor.open(address)
        assert language_of(page) == "en"
        (french,) = re.findall(r'<a href="([^"]*)" lang="fr" hreflang="fr">Français</a>', page.answer.text)
        there = visitor.open(str(page.answer.url.join(french.replace("&amp;", "&"))))
        assert language_of(there) == "fr", address
        visitor.http.cookies.clear()


def test_the_page_of_a_form_changes_its_language_too(place: Place, visitor: Browser) -> None:
    """The address of a form leads to its page, and dropped the language on the way."""
    _, path = signed_up(place, None)
    answer = visitor.open(f"{path}/connections?lang=fr").answer
    assert language_of(visitor.open(answer.headers["Location"])) == "fr"


def test_messages_of_codat_stay_in_their_language(place: Place, visitor: Browser) -> None:
    company_id, path = signed_up(place, "fr")
    connection_id = place.desk.journey.connect(company_id, "gbol").connection_id
    place.settle()
    place.change(connection_id, "fail", status_code=500)
    page = visitor.open(f"{path}/connections/{connection_id}")
    assert "La connexion à Xero a échoué" in page.text
    assert '<q lang="en" dir="auto">' in page.answer.text


def test_a_search_finds_groups_in_the_language_of_the_page(place: Place, visitor: Browser) -> None:
    _, path = signed_up(place, "fr")
    assert "QuickBooks Online" in visitor.open(f"{path}?q=comptabilit%C3%A9").text


@pytest.mark.parametrize("tag", LANGUAGES if IN_CI else ("ar", "fr"))
def test_every_page_in_every_state_is_in_its_language(open_place: OpenPlace, tag: str) -> None:
    place = open_place(CONSENT="step", SUPPORT_EMAIL="help@lender.example", DEFAULT_LANGUAGE=tag)
    company_id, path = signed_up(place, tag)
    states: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "gbol": [],
        "strp": [("fail", {"status_code": 403})],
        "shpf": [("authorize", {})],
        "sqre": [("authorize", {}), ("deauthorize", {})],
        "pqsw": [("fail", {"status_code": 500})],
    }
    addresses = [path, f"{path}?q=xero", f"{path}?q=nothing-like-it", f"{path}/manage?done=deleted"]
    addresses += [f"{path}/not-listed?done=told", f"{path}/nowhere", "/", "/nowhere", "/connect/nothing"]
    for key, changes in states.items():
        connection_id = place.desk.journey.connect(company_id, key).connection_id
        place.settle()
        for change, options in changes:
            place.change(connection_id, change, **options)
        watched = f"{path}/connections/{connection_id}"
        addresses += [watched, f"{watched}/unlink", f"{watched}/delete", f"{watched}/live"]
        addresses += [
            f"/return?connectionId={connection_id}&statusCode={code}" for code in (200, 201, 403, 500, 501)
        ]
    visitor, stranger = place.visitor(), place.visitor()
    visitor.http.headers["Accept"] = "text/html"
    pages = [(address, visitor.open(address)) for address in addresses]
    pages += [(f"{code}", stranger.open(f"/return?statusCode={code}")) for code in (200, 403, 501, 999)]
    form = next(visitor.open(path).forms_with("Stripe"), None) or visitor.open(path).forms[-1]
    for name in ("gbol", "akxx"):
        asking = Page(visitor.http.post(form.action, data={**form.fields, "platform_key": name}))
        pages.append((f"consent for {name}", asking))
    place.later(86_400 * 2)
    pages.append(("expired", visitor.open(path)))
    for address, page in pages:
        assert not PLACEHOLDER.search(page.text), address
        if page.answer.status_code == 303:
            continue
        if "/live" not in address:
            assert language_of(page) == tag, address
            assert f'dir="{"rtl" if tag == "ar" else "ltr"}"' in page.answer.text
        if tag != SOURCE:
            words = re.sub(r'<q lang="en".*?</q>', "", page.answer.text)  # without Codat's
            assert [text for text in sentences() if text in words] == [], address


@pytest.mark.parametrize("field", ["language", "lang"])
def test_a_language_that_there_is_not_is_refused(place: Place, field: str) -> None:
    wrong: Any = {field: "xx"}
    with pytest.raises(Invalid) as refused:
        place.desk.journey.sign_up(merchant_id="m-1", **wrong)
    assert list(refused.value.errors) == [field]


def test_a_link_hands_its_language_on(place: Place) -> None:
    company_id, _ = signed_up(place, None)
    session = place.desk.journey.connect(company_id, "gbol", lang="fr-CA")
    assert "lang=fr" in session.link_url
    with pytest.raises(Invalid) as refused:
        place.desk.journey.link(session.connection_id, lang="xx")
    assert list(refused.value.errors) == ["lang"]
