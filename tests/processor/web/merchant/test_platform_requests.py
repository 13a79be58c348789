"""A platform that is missing: the note is kept, bounded, and told once."""

import pytest

from handlers.milestones import NOTIFICATION_TYPES
from processor.delivery.channels.email import EMAIL
from processor.delivery.channels.operators import OPERATORS
from processor.erasure.erase import CompanyEraser
from processor.errors import Conflict, Invalid, NotFound
from processor.journey.platform_requests import MOST_REQUESTS
from processor.store import keys
from tests.support.visiting import Place
from workers.delivery.channels.chat import message_of

TYPE = "journey.platform_requested"


def test_a_note_from_the_page_is_kept_and_told_once(place: Place) -> None:
    company_id, token = place.company()
    visitor = place.visitor()
    nothing = visitor.open(f"/connect/{token}?q=Ledgers%20%26%20Co")
    assert f"/connect/{token}/not-listed?q=Ledgers" in nothing.answer.text
    page = visitor.open(f"/connect/{token}/not-listed?q=Ledgers%20%26%20Co")
    assert next(page.forms_with("Send the note")).fields["name"] == "Ledgers & Co"
    answer = visitor.press(page, "Send the note", note="since  2019").answer
    assert answer.status_code == 303
    page = visitor.open(str(answer.headers["Location"]))
    assert "Thank you, your note was sent." in page.text
    assert "You told us about: Ledgers & Co" in page.text
    visitor.press(page, "Send the note", name="LEDGERS  & co", note="again")
    (note,) = place.desk.journey.platform_requests.of_company(company_id)
    assert (note["name"], note["note"]) == ("Ledgers & Co", "since 2019")
    (told,) = place.desk.reader.list_notifications(company_id=company_id, limit=9, cursor=None).items
    body = told["body"]
    assert (body["type"], body["data"]["merchant_id"]) == (TYPE, "corner-shop")
    assert (body["data"]["platform_name"], body["data"]["note"]) == ("Ledgers & Co", "since 2019")
    assert (body["data"]["request_id"], body["data"]["connection_id"]) == (note["id"], None)


def test_it_goes_to_subscribers_and_operators_and_to_no_merchant(place: Place) -> None:
    company_id, _ = place.company()
    place.desk.journey.request_platform(company_id, "Ledgers", "since 2019")
    (told,) = place.desk.reader.list_notifications(company_id=company_id, limit=9, cursor=None).items
    settings, body = place.container.settings, told["body"]
    assert TYPE in NOTIFICATION_TYPES
    assert OPERATORS.wants(settings, body, {})
    assert not EMAIL.wants(settings, body, {"contact_email": "zoe@shop.example"})
    title, text = message_of(body)
    assert (title, "note: since 2019" in text, "Ledgers" in text) == (f"Codat: {TYPE}", True, True)


def test_notes_are_bounded_and_wrong_ones_name_the_field(place: Place) -> None:
    company_id, token = place.company()
    for name, note, field in ((" ", None, "name"), ("x" * 101, None, "name"), ("Ledgers", "x" * 501, "note")):
        with pytest.raises(Invalid) as refused:
            place.desk.journey.request_platform(company_id, name, note)
        assert list(refused.value.errors or {}) == [field]
    for number in range(MOST_REQUESTS):
        place.desk.journey.request_platform(company_id, f"Ledger {number}")
    with pytest.raises(Conflict):
        place.desk.journey.request_platform(company_id, "One more")
    _, is_new = place.desk.journey.request_platform(company_id, "LEDGER 3")
    assert not is_new
    assert "Send the note" not in place.visitor().open(f"/connect/{token}/not-listed").text


@pytest.mark.parametrize("name", ["دفترة\u200f", "\u2068Ledgers\u2069", "Kitap\u200cci"])
def test_a_name_with_marks_of_direction_is_kept_without_them(place: Place, name: str) -> None:
    company_id, _ = place.company()
    row, is_new = place.desk.journey.request_platform(company_id, name)
    assert is_new
    assert row["name"].isprintable()


def test_notes_and_what_was_told_of_them_are_erased_with_the_company(place: Place) -> None:
    company_id, _ = place.company()
    place.desk.journey.request_platform(company_id, "Ledgers")
    (told,) = place.desk.reader.list_notifications(company_id=company_id, limit=9, cursor=None).items
    CompanyEraser(place.desk.client).erase(company_id, place.desk.clock())
    assert not place.desk.client.exists(keys.platform_requests(company_id))
    assert place.desk.reader.notification(told["body"]["id"]) is None
    assert place.desk.reader.list_notifications(limit=9, cursor=None).items == []


def test_a_note_of_a_company_that_was_erased_meanwhile_is_not_confirmed(place: Place) -> None:
    """It was answered as kept, and told to a dispatcher, and there was nothing."""
    company_id, _ = place.company()
    fields = place.desk.reader.company(company_id) or {}
    CompanyEraser(place.desk.client).erase(company_id, place.desk.clock())
    with pytest.raises(NotFound):
        place.desk.journey.platform_requests.add(fields, "Ledgers")
    assert place.desk.journey.platform_requests.of_company(company_id) == []
