"""Choosing a platform, as a merchant without JavaScript does."""

import dataclasses
import re
from urllib.parse import parse_qs, unquote

import pytest

from processor.simulator.platforms import PLATFORMS
from tests.processor.simulator.pages import Browser
from tests.processor.web.conftest import OpenPlace
from tests.support.visiting import Place


def test_platforms_stand_in_groups_with_full_name_and_logo(place: Place, visitor: Browser) -> None:
    _, token = place.company()
    page = visitor.open(f"/connect/{token}")
    assert page.answer.status_code == 200
    heads = ["Accounting software", "Bank accounts", "Online shops and payments", "Expenses and cards"]
    places = [page.text.index(head) for head in heads]
    assert places == sorted(places)
    assert {"Xero", "Sage Business Cloud", "Plaid", "Shopify", "Stripe"} <= set(page.buttons())
    assert "Exact Online" not in page.text, "it is not enabled"
    assert f'src="{place.codat.url}/branding/gbol/square.svg"' in page.answer.text
    assert page.inputs <= page.labels
    assert "Corner Shop" in page.text
    assert "powered-by-codat.svg" in page.answer.text


def test_the_search_box_is_a_form(place: Place, visitor: Browser) -> None:
    _, token = place.company()
    page = visitor.open(f"/connect/{token}?q=%20shop%20")
    assert "Shopify" in page.buttons()
    assert "Xero" not in page.buttons()
    assert "3 platforms for “shop”" in page.text, "its group is named like that"
    nothing = visitor.open(f"/connect/{token}?q=<b>nowhere</b>")
    assert "Nothing by that name" in nothing.text
    assert "<b>nowhere" not in nothing.answer.text


def test_what_is_found_while_typing_is_what_the_button_finds(place: Place, visitor: Browser) -> None:
    """The script filtered what the server had left: "stripe" after "sage" was "Nothing by that name"."""
    _, token = place.company()
    page = visitor.open(f"/connect/{token}?q=sage")
    assert f'data-search="/connect/{token}/found"' in page.answer.text
    typed = visitor.open(f"/connect/{token}/found?q=stripe")
    assert "<html" not in typed.answer.text
    assert "Stripe" in typed.buttons()
    assert "Sage Business Cloud" not in typed.buttons()
    assert visitor.press(typed, "Stripe").answer.status_code == 200


def test_without_any_platform_nobody_is_told_to_search(
    place: Place, visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processor.simulator.api.PLATFORMS", ())
    _, token = place.company()
    page = visitor.open(f"/connect/{token}")
    assert "There is no platform to choose from yet" in page.text
    assert "Nothing by that name" not in page.text
    assert "Search by name" not in page.text


def test_the_company_is_called_as_it_calls_itself(place: Place, visitor: Browser) -> None:
    _, token = place.company(name="O\u2019Brien & Sœn")
    page = visitor.open(f"/connect/{token}")
    assert page.text.count("O\u2019Brien & Sœn") == 3, "above, in the consent, and beside the link to share"
    assert "O%E2%80%99Brien%20%26%20S%C5%93n" in page.answer.text
    assert "O\u2019Brien & Sœn" in visitor.open(f"/connect/{token}/manage").text


def test_a_name_that_turns_the_direction_of_writing_turns_nothing_but_itself(
    place: Place, visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    turning = dataclasses.replace(PLATFORMS[0], name="Pay\u202eyaP")
    arabic = dataclasses.replace(PLATFORMS[1], name="دفع")
    monkeypatch.setattr("processor.simulator.api.PLATFORMS", (turning, arabic))
    _, token = place.company()
    html = visitor.open(f"/connect/{token}").answer.text
    assert "\u202e" not in html
    assert "PayyaP" in html
    assert "\u2068دفع\u2069" in html


def test_intuits_own_button_with_hover_is_what_is_pressed(place: Place, visitor: Browser) -> None:
    _, token = place.company()
    html = visitor.open(f"/connect/{token}").answer.text
    assert f'{place.codat.url}/branding/qhyg/button.svg" alt="Connect to QuickBooks Online"' in html
    assert f"{place.codat.url}/branding/qhyg/button-hover.svg" in html
    assert "/branding/gbol/button" not in html


def test_choosing_leads_to_the_link_page_of_codat(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    page = visitor.press(visitor.open(f"/connect/{token}"), "Xero")
    assert page.answer.status_code == 200
    (connection,) = place.codat.simulation.world.company(company_id).present
    assert f'content="0; url={place.codat.url}/link/{connection.id}?otp=' in page.answer.text
    assert "Go to Xero now" in page.text
    place.settle()
    again = visitor.open(f"/connect/{token}")
    assert "Waiting for you to give access" in again.text
    assert "Continue with Xero" in again.buttons()
    assert "Started" in again.text


def test_a_pending_connection_is_gone_on_with_instead_of_beginning_a_second(
    place: Place, visitor: Browser
) -> None:
    company_id, token = place.company()
    visitor.press(visitor.open(f"/connect/{token}"), "Xero")
    place.settle()
    page = visitor.open(f"/connect/{token}")
    visitor.press(page, "Xero")
    onward = visitor.press(page, "Continue with Xero")
    (connection,) = place.codat.simulation.world.company(company_id).present
    assert f"/link/{connection.id}?otp=" in onward.answer.text


def test_with_accounting_connected_no_other_accounting_can_be_chosen(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    place.linked(company_id)
    before = visitor.open(f"/connect/{token}")
    assert "Xero is connected, and a company has one accounting platform at a time" in before.text
    assert "FreeAgent" not in before.buttons()
    assert "Shopify" in before.buttons(), "any number of the others may be added"
    form = next(before.forms_with("Shopify"))
    forced = visitor.http.post(form.action, data={**form.fields, "platform_key": "fbrh"})
    assert forced.status_code == 409
    assert "Xero" in forced.text


def test_what_can_only_be_refused_has_no_button_and_says_why(place: Place, visitor: Browser) -> None:
    company_id, token = place.company()
    waiting = place.desk.journey.connect(company_id, "fbrh").connection_id
    ended = place.linked(company_id, "qhyg")
    place.change(ended, "unlink")
    place.linked(company_id)
    for path in ("", "/manage", f"/connections/{waiting}", f"/connections/{ended}"):
        page = visitor.open(f"/connect/{token}{path}")
        assert not {"Continue with FreeAgent", "Connect again", "Reconnect"} & set(page.buttons()), path
        assert "a company has one accounting platform at a time." in page.text, path
        assert "To change, disconnect it under “Manage” first." in page.text, path
        assert "allow access. This page notices" not in page.text, path
    shop = place.desk.journey.connect(company_id, "shpf").connection_id
    place.settle()
    assert "Continue with Shopify" in visitor.open(f"/connect/{token}/connections/{shop}").buttons()


def test_the_link_can_be_sent_to_an_accountant(open_place: OpenPlace) -> None:
    place = open_place(PUBLIC_URL="https://connect.example")
    _, token = place.company(name="Corner & Sons, Ltd")
    html = place.visitor().open(f"/connect/{token}").answer.text
    mail = html.partition('href="mailto:?')[2].partition('"')[0].replace("&amp;", "&")
    fields = parse_qs(mail)
    assert fields["subject"] == ["Please connect the accounts of Corner & Sons, Ltd"]
    assert f"https://connect.example/connect/{token}" in fields["body"][0]
    assert f'readonly value="https://connect.example/connect/{token}"' in html
    assert re.search("It works until [0-9]+ [A-Z][a-z]+ 20[0-9]+, [0-9:]+ UTC", unquote(mail))


def test_there_is_a_way_out_when_a_platform_is_missing(open_place: OpenPlace) -> None:
    place = open_place(SUPPORT_EMAIL="help@example.com", PRODUCT_NAME="Lender")
    _, token = place.company()
    visitor = place.visitor()
    html = visitor.open(f"/connect/{token}").answer.text
    assert f'href="/connect/{token}/not-listed"' in html
    page = visitor.open(f"/connect/{token}/not-listed")
    assert "help@example.com" in page.text
    assert "Accounting File Upload" in page.buttons()
    assert "Lender" in page.text
    assert "mailto:?" in page.answer.text
