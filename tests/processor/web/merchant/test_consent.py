"""Consent before a user goes to a platform: asked, kept as evidence, asked again, erased."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from processor.erasure.erase import CompanyEraser
from processor.store import keys
from tests.processor.simulator.pages import Browser, Page
from tests.processor.web.conftest import OpenPlace
from tests.support.visiting import Place

SECRET_KEY = "a key of the tests"
AGREE = "I agree, go on to Xero"


def evidence(place: Place, company_id: str) -> list[dict[str, Any]]:
    return list(place.desk.journey.consents.of_company(company_id, limit=10, cursor=None).items)


def is_leaving(place: Place, page: Page) -> bool:
    return f"{place.codat.url}/link/" in page.answer.text and "Taking you to" in page.text


def test_choosing_beside_the_text_is_the_consent_and_leads_on(open_place: OpenPlace) -> None:
    place = open_place(
        PRODUCT_NAME="Lender",
        SUPPORT_EMAIL="help@lender.example",
        PRIVACY_POLICY_URL="https://lender.example/privacy",
    )
    company_id, token = place.company()
    visitor = place.visitor()
    page = visitor.open(f"/connect/{token}")
    for words in ("Which data", "What for", "In which direction", "How long", "By whom", "for Corner Shop"):
        assert words in page.text, words
    assert 'href="https://lender.example/privacy"' in page.answer.text
    assert 'href="mailto:help@lender.example"' in page.answer.text
    assert is_leaving(place, visitor.press(page, "Xero"))
    place.settle()
    (kept,) = evidence(place, company_id)
    (connection_id,) = [row["id"] for row in place.desk.journey.connections(company_id)]
    assert kept["connection_id"] == connection_id
    assert kept["platform_name"] == "Xero"
    assert kept["text"].startswith("What you agree to\nBy connecting, you agree that Lender")
    assert re.fullmatch(r"default\.en-[0-9a-f]{12}", kept["version"])
    assert re.fullmatch(r"[0-9a-f]{64}", kept["hash"])
    assert re.fullmatch(r"[0-9a-f]{64}", kept["address_hash"])
    assert (kept["person_id"], kept["person_name"], kept["email_hash"]) == (None, None, None)
    timeline = place.desk.reader.timeline(connection_id, limit=10, cursor=None).items
    entry = next(row for row in timeline if row["event_type"] == "journey.consent.given")
    assert f"the user agreed to the text {kept['version']}" in entry["reason"]
    assert (entry["source"], entry["outcome"]) == ("journey", "no_change")


def test_the_same_text_for_the_same_access_is_agreed_to_once(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    visitor.press(visitor.open(f"/connect/{token}"), "Xero")
    place.settle()
    onward = visitor.press(visitor.open(f"/connect/{token}"), "Continue with Xero")
    assert is_leaving(place, onward)
    assert len(evidence(place, company_id)) == 1


def test_a_form_without_the_text_is_answered_with_a_page_that_asks(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    form = next(visitor.open(f"/connect/{token}").forms_with("Xero"))
    fields = {**form.fields, "platform_key": "gbol"}
    for outdated in ({}, {"consent": "0" * 64}):
        fields.pop("consent", None)
        asking = Page(visitor.http.post(form.action, data={**fields, **outdated}))
        assert "Before you go to Xero" in asking.text
        assert "Xero asks which organisation to share" in asking.text
        assert not place.codat.simulation.world.company(company_id).present, "nothing was begun"
        assert evidence(place, company_id) == []
    assert is_leaving(place, visitor.press(asking, AGREE))
    assert len(evidence(place, company_id)) == 1


def test_a_page_of_its_own_where_that_is_set(open_place: OpenPlace) -> None:
    place = open_place(CONSENT="step")
    company_id, token = place.company()
    visitor = place.visitor()
    page = visitor.open(f"/connect/{token}")
    assert "What you agree to" not in page.text
    asking = visitor.press(page, "Xero")
    assert "What you agree to" in asking.text
    assert "What happens next" in asking.text
    assert is_leaving(place, visitor.press(asking, AGREE))
    place.settle()
    again = visitor.press(visitor.open(f"/connect/{token}"), "Continue with Xero")
    assert is_leaving(place, again), "the consent of this access is known"
    assert len(evidence(place, company_id)) == 1


def test_it_is_asked_again_when_access_is_renewed(open_place: OpenPlace) -> None:
    place = open_place(CONSENT="step")
    company_id, token = place.company()
    visitor = place.visitor()
    asking = visitor.press(visitor.open(f"/connect/{token}"), "Xero")
    visitor.press(asking, AGREE)
    place.settle()
    (xero,) = [row["id"] for row in place.desk.journey.connections(company_id)]
    place.change(xero, "authorize")
    place.change(xero, "deauthorize")
    asking = visitor.press(visitor.open(f"/connect/{token}/connections/{xero}"), "Connect again")
    assert "Before you go to Xero" in asking.text
    assert is_leaving(place, visitor.press(asking, AGREE))
    assert [row["authorization"] for row in evidence(place, company_id)] == [1, 0]


def test_beside_the_button_the_renewal_is_asked_on_its_page(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    xero = place.linked(company_id)
    place.change(xero, "deauthorize")
    page = visitor.open(f"/connect/{token}/connections/{xero}")
    assert "What you agree to" in page.text
    assert is_leaving(place, visitor.press(page, "Connect again"))
    assert [row["authorization"] for row in evidence(place, company_id)] == [1]
    assert "What you agree to" not in visitor.open(f"/connect/{token}/connections/{xero}").text


def test_another_text_is_asked_again(open_place: OpenPlace, tmp_path: Path) -> None:
    before = open_place(CONSENT="step")
    company_id, token = before.company()
    visitor = before.visitor()
    visitor.press(visitor.press(visitor.open(f"/connect/{token}"), "Xero"), AGREE)
    before.settle()
    (tmp_path / "default.en.txt").write_text("Other terms\nFor {{ company }}.\n", encoding="utf-8")
    after = open_place(CONSENT="step", CONSENT_TEMPLATES_DIR=str(tmp_path))
    visitor = after.visitor()
    asking = visitor.press(visitor.open(f"/connect/{token}"), "Continue with Xero")
    assert "For Corner Shop." in asking.text
    visitor.press(asking, AGREE)
    texts = [row["text"].splitlines()[0] for row in evidence(after, company_id)]
    assert texts == ["Other terms", "What you agree to"]


def test_each_product_and_language_has_its_text(open_place: OpenPlace, tmp_path: Path) -> None:
    for name, text in {
        "lending.en.txt": "Lending\nFor a loan.",
        "lending.fr.txt": "Prêt\nPour un prêt.",
        "default.fr.txt": "Accord\nPour tout.",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    place = open_place(CONSENT_TEMPLATES_DIR=str(tmp_path), CODAT_PRODUCTS="lending")
    simulation = place.codat.simulation
    simulation.config = dataclasses.replace(simulation.config, products=("lending",))
    company_id, token = place.company()
    visitor = place.visitor()
    assert "For a loan." in visitor.open(f"/connect/{token}").text
    visitor.http.headers["Accept-Language"] = "fr-CA, en;q=0.5"
    page = visitor.open(f"/connect/{token}")
    assert "Pour un prêt." in page.text
    assert '<div lang="fr" dir="auto">' in page.answer.text
    visitor.press(page, "Xero")
    (kept,) = evidence(place, company_id)
    assert (kept["language"], kept["text"]) == ("fr", "Prêt\nPour un prêt.")
    assert kept["version"].startswith("lending.fr-")


def test_what_a_caller_asks_elsewhere_is_not_asked_here(open_place: OpenPlace) -> None:
    place = open_place(CONSENT="off")
    company_id, token = place.company()
    visitor = place.visitor()
    page = visitor.open(f"/connect/{token}")
    assert "What you agree to" not in page.text
    assert is_leaving(place, visitor.press(page, "Xero"))
    assert evidence(place, company_id) == []


def test_evidence_is_erased_with_the_company(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    visitor.press(visitor.open(f"/connect/{token}"), "Xero")
    place.settle()
    assert place.desk.client.exists(keys.consents(company_id), keys.consented(company_id)) == 2
    CompanyEraser(place.desk.client).erase(company_id, place.desk.clock())
    assert not place.desk.client.exists(keys.consents(company_id), keys.consented(company_id))


@pytest.mark.parametrize(
    ("key", "name"), [("akxx", "Oracle NetSuite"), ("pqsw", "QuickBooks Desktop"), ("sgfi", "Sage 50")]
)
def test_what_has_to_be_prepared_is_read_before_leaving(
    place: Place, visitor: Browser, key: str, name: str
) -> None:
    """The page left for Link at once: what the platform asks for was seen by nobody."""
    _, token = place.company()
    form = next(visitor.open(f"/connect/{token}").forms_with("Xero"))
    page = Page(visitor.http.post(form.action, data={**form.fields, "platform_key": key}))
    assert f"Before you go to {name}" in page.text
    assert f"Go to {name} now" in page.text
    assert "http-equiv" not in page.answer.text
