"""A merchant's whole life: sign-up, cancelled, an accountant, two shops, access lost, another shop, end."""

import re

from playwright.sync_api import Page, expect

from tests.browser.chrome import PHONE
from tests.browser.conftest import OpenPage
from tests.browser.looking import violations
from tests.browser.stack import Stack
from tests.browser.visitor import at_link_page, authorise, title
from tests.support.service import until

OWNER = "owner@shop.example"
LINK = re.compile(r"http://\S+/connect/\S+")


def go_to(service: Stack, page: Page, button: str) -> str:
    """Press a button that leads to Codat's Link; the id of the connection, once the service knows it."""
    page.get_by_role("button", name=re.compile(f"^{button}")).click()
    return at_link_page(page, service.state)


def mailed(service: Stack, subject: str) -> str:
    """The text of the newest e-mail to the owner with this subject, once the mail server has one."""

    def texts() -> list[str]:
        mails = service.mailbox.mails
        return [mail.text for mail in mails if (mail.to, mail.subject) == (OWNER, subject)]

    until(texts)
    return " ".join(texts()[0].split())


def test_from_sign_up_to_the_end(service: Stack, open_page: OpenPage) -> None:
    signed_up = service.http.post("/v1/companies", json={"merchant_id": "whole-life", "contact_email": OWNER})
    company_id, url = (signed_up.raise_for_status().json()[name] for name in ("company_id", "connect_url"))
    people = f"/v1/companies/{company_id}/people"
    owner = open_page(url, viewport=PHONE)
    xero = go_to(service, owner, "Connect Xero")
    owner.get_by_role("button", name="Cancel").click()
    title(owner, "You did not give access")

    old = f"{service.url}/connect/{service.token_of_another_day(company_id)}"
    open_page(old, viewport=PHONE).get_by_role("button", name="Send a new link").click()
    (link,) = LINK.findall(mailed(service, "Your new link"))
    phone = open_page(link, viewport=PHONE)
    expect(phone.locator(f"#row-{xero}")).to_contain_text("You did not give access.")
    assert go_to(service, phone, "Try again with Xero") == xero
    authorise(phone)
    title(phone, "You gave access to Xero")
    service.codat.change(xero, "complete-sync")
    title(phone, "Xero is connected")
    assert "nothing more for you to do" in mailed(service, "Your data from Xero is here")

    ann = service.http.post(people, json={"name": "Ann Lee", "email": "ann@books.example"}).json()
    accountant = open_page(ann["connect_url"])
    north = go_to(service, accountant, "Connect Shopify")
    service.codat.change(north, "authorize", account_name="North Shop", auto_sync=False)
    until(lambda: service.state(north) == "authorized")
    accountant.goto(ann["connect_url"])
    south = go_to(service, accountant, "Connect Shopify")
    assert south != north
    service.codat.change(south, "authorize", account_name="South Shop", auto_sync=False)
    until(lambda: service.state(south) == "authorized")
    accountant.goto(f"{ann['connect_url']}/manage")
    for shop in ("North Shop", "South Shop"):
        expect(accountant.get_by_role("heading", level=2, name=shop)).to_be_visible()
    assert violations(accountant) == []
    consents = service.items(f"/v1/companies/{company_id}/consents")
    assert [consent["person_name"] for consent in consents] == ["Ann Lee", "Ann Lee", None]
    service.http.delete(f"{people}/{ann['id']}").raise_for_status()
    accountant.reload()
    title(accountant, "This link is not valid")

    phone.goto(f"{url}/connections/{north}")
    title(phone, "You gave access to Shopify (North Shop)")
    service.codat.change(north, "deauthorize")
    title(phone, "Shopify (North Shop) no longer gives access")
    service.codat.change(north, "reauthorize", account_name="East Shop", auto_sync=False)
    asked = phone.get_by_role("heading", level=2, name="This is another account than before")
    expect(asked).to_be_visible()
    assert violations(phone) == []
    journey = f"/v1/companies/{company_id}/journey"
    assert not is_confirmed(service, journey, north)
    phone.get_by_role("button", name="Yes, share East Shop").click()
    expect(asked).to_have_count(0)
    assert is_confirmed(service, journey, north)

    owner.goto(f"{url}/manage")
    for connection_id in (xero, north, south):
        owner.locator(f"#delete-{connection_id}").click()
        owner.get_by_role("button", name="Delete for good").click()
        expect(owner.locator(f"#row-{connection_id}")).to_have_count(0)
    expect(owner.get_by_role("main").get_by_text("Nothing is connected.")).to_be_visible()
    assert {service.state(one) for one in (xero, north, south)} == {"deleted"}
    service.http.delete(f"/v1/companies/{company_id}").raise_for_status()
    answer = owner.goto(url)
    assert answer is not None
    assert answer.status in (404, 410)
    assert violations(owner) == []


def is_confirmed(service: Stack, path: str, connection_id: str) -> bool:
    """Whether the connection counts as the same one."""
    rows = service.http.get(path).raise_for_status().json()["connections"]
    return next(bool(row["account_confirmed"]) for row in rows if row["id"] == connection_id)
