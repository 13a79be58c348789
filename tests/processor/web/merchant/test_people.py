"""People of a company: links of their own, which end alone, and expired ones that are replaced for them."""

from typing import Any

import pytest

from processor.erasure.erase import CompanyEraser
from processor.erasure.residue_scan import erase_and_scan
from processor.errors import Conflict
from processor.journey.people import MOST_PEOPLE
from processor.store import encryption, keys
from processor.store.reencryption import reencrypt
from tests.processor.web.conftest import OpenPlace
from tests.processor.web.merchant.test_new_link import DAY_S, carry_out
from tests.support.visiting import Place
from tests.workers.delivery.mailing import Mailbox

API_KEY = "a-key-of-the-tests"
ANN = "ann@books.example"
ENCRYPTION_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def token_of(link: str) -> str:
    return link.rpartition("/")[2]


def added(place: Place, company_id: str, email: str = ANN) -> tuple[str, str]:
    """A person's id and the token of their link."""
    person, _ = place.desk.journey.people.add(company_id, email)
    return person["id"], token_of(place.desk.journey.links.connect_url(company_id, holder=person["id"]))


def test_a_person_is_added_listed_and_removed_and_only_their_link_ends(open_place: OpenPlace) -> None:
    place = open_place(API_KEYS=API_KEY)
    company_id, token = place.company()
    client = place.app.test_client()

    def call(method: str, path: str, **how: Any) -> Any:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        return client.open(f"/v1/companies/{company_id}/people{path}", method=method, headers=headers, **how)

    first = call("POST", "", json={"email": ANN, "name": "Ann"})
    again = call("POST", "", json={"email": ANN})
    other = call("POST", "", json={"email": "ben@books.example"})
    assert [answer.status_code for answer in (first, again, other)] == [201, 200, 201]
    assert again.json["id"] == first.json["id"]
    assert again.json["name"] == "Ann"
    assert call("POST", "", json={"email": "nobody"}).json["errors"].keys() == {"email"}
    assert {person["email"] for person in call("GET", "").json["items"]} == {ANN, "ben@books.example"}

    tokens = {name: token_of(answer.json["connect_url"]) for name, answer in (("ann", again), ("ben", other))}
    visitor = place.visitor()
    assert all(visitor.open(f"/connect/{value}").answer.status_code == 200 for value in tokens.values())
    assert call("DELETE", f"/{first.json['id']}").status_code == 204
    assert call("DELETE", f"/{first.json['id']}").status_code == 404
    assert visitor.open(f"/connect/{tokens['ann']}").answer.status_code == 404
    for working in (tokens["ben"], token):
        assert visitor.open(f"/connect/{working}").answer.status_code == 200
    done = [(entry["action"], entry["target"]) for entry in place.container.audit.entries(limit=10).items]
    assert ("v1 remove_person", f"{company_id} {first.json['id']}") in done
    assert ("v1 add_person", company_id) in done

    place.desk.journey.links.revoke(company_id)
    assert visitor.open(f"/connect/{tokens['ben']}").answer.status_code == 404, "all links of the company"


def test_a_persons_link_leads_to_no_other_company_of_the_group(open_place: OpenPlace) -> None:
    place = open_place()
    company_id, token = place.company()
    place.company("other-shop", "Other Shop")
    for merchant in ("corner-shop", "other-shop"):
        place.desk.journey.sign_up(merchant_id=merchant, group="Shops Ltd")
    _, of_ann = added(place, company_id)
    visitor = place.visitor()
    assert "Other Shop" in visitor.open(f"/connect/{token}").answer.text
    assert "Other Shop" not in visitor.open(f"/connect/{of_ann}").answer.text


@pytest.mark.parametrize("is_removed", [False, True])
def test_an_expired_link_is_replaced_at_the_address_that_it_was_made_for(
    mailing_place: Place, mailbox: Mailbox, is_removed: bool
) -> None:
    place = mailing_place
    company, _ = place.desk.journey.sign_up(merchant_id="m-1", contact_email="owner@shop.example")
    person_id, token = added(place, company.company_id)
    place.later(DAY_S + 1)
    visitor = place.visitor()
    page = visitor.open(f"/connect/{token}")
    assert page.answer.status_code == 410
    for _ in range(3):
        assert "A new link is on its way" in visitor.press(page, "Send a new link").text
    if is_removed:
        place.desk.journey.people.remove(company.company_id, person_id)
        assert visitor.open(f"/connect/{token}").answer.status_code == 404
        return
    assert carry_out(place) == 1, "once an hour"
    (mail,) = mailbox.mails
    assert mail["To"] == ANN
    fresh = mail.get_body(("plain",)).get_content().partition("/connect/")[2].split()[0]
    assert visitor.open(f"/connect/{fresh}").answer.status_code == 200
    place.desk.journey.people.remove(company.company_id, person_id)
    assert visitor.open(f"/connect/{fresh}").answer.status_code == 404, "the new one is theirs too"


def test_a_person_without_their_key_is_no_failure_of_ours(mailing_place: Place) -> None:
    place = mailing_place
    company_id, _ = place.company()
    person_id, token = added(place, company_id)
    place.container.redis.hset(keys.people(company_id), person_id, "enc:of-a-lost-key")
    people = place.desk.journey.people
    with pytest.raises(Conflict):
        people.of_company(company_id)
    with pytest.raises(Conflict):
        people.add(company_id, "ben@books.example")
    place.later(DAY_S + 1)
    visitor = place.visitor()
    page = visitor.press(visitor.open(f"/connect/{token}"), "Send a new link")
    assert page.answer.status_code == 200
    assert carry_out(place) == 0
    people.remove(company_id, person_id)
    assert people.of_company(company_id) == []


def test_an_erasure_finds_nothing_of_an_accountant_of_two_companies_nor_of_one_who_left(
    mailing_place: Place,
) -> None:
    place, client = mailing_place, mailing_place.container.redis
    (company_id, _), (other_id, _) = place.company(), place.company("other-shop", "Other Shop")
    person_id, token = added(place, company_id)
    kept, _ = added(place, other_id)
    place.later(DAY_S + 1)
    visitor = place.visitor()
    visitor.press(visitor.open(f"/connect/{token}"), "Send a new link")
    assert carry_out(place) == 1
    place.desk.journey.people.remove(company_id, person_id)
    added(place, company_id)
    report = erase_and_scan(client, CompanyEraser(client), company_id, clock=place.container.clock)
    assert report.scan.is_clean
    assert place.desk.journey.people.exists(other_id, kept)


def test_a_consent_says_whose_link_it_was_also_when_they_are_gone(open_place: OpenPlace) -> None:
    """The evidence said from which address somebody agreed, and not who."""
    place = open_place()
    company, _ = place.desk.journey.sign_up(merchant_id="m-1", contact_email="owner@shop.example")
    company_id, people = company.company_id, place.desk.journey.people
    (ann, _), client = people.add(company_id, ANN, "Ann Lee"), place.container.redis
    visitor = place.visitor()
    for holder, platform in (("", "Stripe"), (ann["id"], "Shopify")):
        link = place.desk.journey.links.connect_url(company_id, holder=holder)
        visitor.press(visitor.open(f"/connect/{token_of(link)}"), platform)
    place.settle()
    people.remove(company_id, ann["id"])
    by_ann, by_owner = place.desk.journey.consents.of_company(company_id, limit=10).items
    assert (by_ann["person_id"], by_ann["person_name"]) == (ann["id"], "Ann Lee")
    assert (by_owner["person_id"], by_owner["person_name"]) == (None, None)
    assert len({by_ann["email_hash"], by_owner["email_hash"], None}) == 3
    assert by_ann["address_hash"] == by_owner["address_hash"]
    timeline = place.desk.reader.timeline(by_ann["connection_id"], limit=10, cursor=None).items
    assert any(str(row["reason"]).endswith(f"with the link of {ann['id']}") for row in timeline)
    (again, _) = people.add(company_id, ANN, "Somebody Else")
    link = place.desk.journey.links.connect_url(company_id, holder=again["id"])
    visitor.press(visitor.open(f"/connect/{token_of(link)}"), "Xero")
    people.remove(company_id, again["id"])
    newest, earlier, _ = place.desk.journey.consents.of_company(company_id, limit=10).items
    assert newest["person_name"] == "Somebody Else"
    assert earlier == by_ann, "a later consent of the same address does not rewrite evidence"
    try:
        encryption.use_keys([ENCRYPTION_KEY])
        assert reencrypt(client).changed == 3, "the contact, and two names"
        assert place.desk.journey.consents.of_company(company_id, limit=1).items == [newest]
        encryption.use_keys([])
        assert place.desk.journey.consents.of_company(company_id, limit=1).items[0]["person_name"] is None
    finally:
        encryption.use_keys(())
    CompanyEraser(client).erase(company_id, place.desk.clock())
    assert not client.exists(keys.consenters(company_id))


def test_there_are_twenty_at_most_and_addresses_are_encrypted_and_erased(open_place: OpenPlace) -> None:
    place = open_place(API_KEYS=API_KEY)
    company_id, _ = place.company()
    for number in range(MOST_PEOPLE):
        added(place, company_id, f"person-{number}@books.example")
    body = {"email": ANN}
    headers = {"Authorization": f"Bearer {API_KEY}"}
    url = f"/v1/companies/{company_id}/people"
    assert place.app.test_client().post(url, json=body, headers=headers).status_code == 409

    client = place.container.redis
    try:
        encryption.use_keys([ENCRYPTION_KEY])
        assert reencrypt(client).changed == MOST_PEOPLE
        assert b"person-1@" not in b"".join(client.hvals(keys.people(company_id)))
        assert len(place.desk.journey.people.of_company(company_id)) == MOST_PEOPLE
        place.desk.journey.links._records.begin_link_pause(company_id, "", 60)
        report = erase_and_scan(client, CompanyEraser(client), company_id, clock=place.container.clock)
        assert "person-1@books.example" not in report.identifiers, "another company may have them too"
        assert report.scan.is_clean
        assert not client.exists(keys.people(company_id))
    finally:
        encryption.use_keys(())
