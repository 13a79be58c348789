"""Reminders by e-mail, from what was left at the platform to the reader who wants no more of them."""

import dataclasses

import pytest

from processor.journey.reminders import Reminders
from processor.resources import queries
from processor.store import keys
from processor.store.records import REMINDERS_OFF_AT
from tests.support import messages
from tests.support.visiting import Place
from tests.workers.delivery.mailing import Mailbox, parts
from workers import runtime

DAY_S = 86_400
CONTACT = "owner@shop.example"


@pytest.fixture
def place(mailing_place: Place) -> Place:
    return mailing_place


def left(place: Place) -> str:
    """A company whose contact chose a platform and left."""
    company, _ = place.desk.journey.sign_up(
        merchant_id="m-1", name="Corner Shop", contact_email=CONTACT, language="de"
    )
    place.bench.clock.now = place.desk.clock()
    place.bench.handle(messages.created(company.company_id, "connection-1", at=place.desk.clock()))
    return company.company_id


def reminders(place: Place) -> Reminders:
    container = place.container
    return Reminders(
        container.redis,
        reader=container.reader,
        waker=container.waker,
        settings=container.settings,
        read_again=None,
        clock=container.clock,
    )


def a_day_later(place: Place) -> None:
    """Time passes, the clock calls, and what is due is delivered."""
    place.later(DAY_S)
    reminders(place).run()
    runtime.build(place.container).dispatcher.run_once()


def test_the_reader_of_a_reminder_ends_them_with_one_click_and_takes_them_up_again(
    place: Place, mailbox: Mailbox
) -> None:
    company_id = left(place)
    a_day_later(place)
    (mail,) = mailbox.mails
    assert mail["Subject"] == "Xero ist noch nicht verbunden"
    text, html = parts(mail)
    address = mail["List-Unsubscribe"].strip("<>")
    assert address.startswith("http://ours.example/reminders/")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert address in text
    assert f'href="{address}"' in html

    def is_off() -> bool:
        return queries.company(place.container.reader, company_id)["reminders_off_at"] is not None

    scanner = place.visitor()
    assert scanner.http.head(address).status_code == 200
    page = scanner.open(address.removeprefix("http://ours.example"))
    assert not is_off(), "a scanner of mail opens every link"
    assert 'lang="de"' in page.answer.text
    assert CONTACT not in page.answer.text
    one_click = place.visitor().http.post(address, data={"List-Unsubscribe": "One-Click"})
    assert (one_click.status_code, is_off()) == (200, True)
    for _ in range(3):
        a_day_later(place)
    assert len(mailbox.mails) == 1
    types = [body["type"] for body in place.bench.told("connection-1")]
    assert types == ["reminder.pending_day_1", "reminder.pending_day_3"], "the lender is told all the same"

    again = scanner.press(page, "Keine Erinnerungen mehr")
    back = scanner.press(again, "Mich wieder erinnern")
    assert back.answer.status_code == 200
    assert not is_off()


def test_a_new_contact_did_not_say_so_and_the_old_one_cannot(place: Place, mailbox: Mailbox) -> None:
    company_id = left(place)
    a_day_later(place)
    address = mailbox.mails[0]["List-Unsubscribe"].strip("<>")
    place.visitor().http.post(address)
    place.desk.journey.sign_up(merchant_id="m-1", contact_email=CONTACT)
    assert place.desk.client.hexists(keys.company(company_id), REMINDERS_OFF_AT), "the same one again"
    place.desk.journey.change_company(company_id, contact_email="books@shop.example")
    assert not place.desk.client.hexists(keys.company(company_id), REMINDERS_OFF_AT)
    page = place.visitor().http.post(address)
    assert "Sie erhalten keine Erinnerungen mehr" in page.text
    assert "<form method" not in page.text, "no button that does nothing"
    assert not place.desk.client.hexists(keys.company(company_id), REMINDERS_OFF_AT)


@pytest.mark.parametrize(
    "happened", ["connected", "another connected", "unsubscribed", "to systems", "night"]
)
def test_a_reminder_that_waited_is_looked_at_again_before_it_is_sent(
    place: Place, mailbox: Mailbox, happened: str
) -> None:
    company_id = left(place)
    place.later(DAY_S)
    reminders(place).run()
    (id_,) = [body["id"] for body in place.bench.told("connection-1")]
    place.bench.publish(smtp_url="smtp://127.0.0.1")
    container = place.container
    if "connected" in happened:
        connection = "connection-1" if happened == "connected" else "connection-2"
        place.bench.handle(messages.connected(company_id, connection, at=place.desk.clock()))
    elif happened == "unsubscribed":
        place.desk.client.hset(keys.company(company_id), REMINDERS_OFF_AT, "2026-01-01T00:00:00Z")
    elif happened == "to systems":
        container = dataclasses.replace(
            container, settings=dataclasses.replace(container.settings, reminders="webhook")
        )
    else:
        hour = place.desk.clock().hour
        quiet_hours = f"{hour:02}:00-{(hour + 2) % 24:02}:00"
        container = dataclasses.replace(
            container, settings=dataclasses.replace(container.settings, quiet_hours=quiet_hours)
        )
    runtime.build(container).dispatcher.run_once()
    row = place.container.reader.notification(id_)
    assert row is not None
    assert row["deliveries"]["email:status"] == ("pending" if happened == "night" else "cancelled")
    assert row["deliveries"].get("n:dead", "0") == "0", "no failure for operators"
    assert [mail["Subject"] for mail in mailbox.mails if "noch nicht" in mail["Subject"]] == []


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", ""])
def test_a_link_that_is_none_changes_nothing(place: Place, token: str) -> None:
    left(place)
    connect = place.desk.journey.links.mailed_url(place.desk.company("m-1")).rpartition("/")[2]
    for wrong in (token, connect):
        assert place.visitor().http.post(f"/reminders/{wrong}").status_code == 404
