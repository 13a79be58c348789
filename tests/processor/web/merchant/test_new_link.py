"""A link that has expired: a new one goes to the contact that is known, and to nobody else."""

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from processor.store import keys
from processor.store.waker import DELIVER
from tests.support.visiting import Place
from tests.workers.delivery.mailing import Mailbox
from workers import runtime

DAY_S = 86_400


@pytest.fixture
def place(mailing_place: Place) -> Place:
    return mailing_place


def expired_link(place: Place, contact: str | None = "owner@shop.example") -> str:
    company, _ = place.desk.journey.sign_up(merchant_id="m-1", name="Corner Shop", contact_email=contact)
    place.later(DAY_S + 1)
    return company.connect_url.rpartition("/")[2]


def carry_out(place: Place, *, sends: bool = True) -> int:
    """Do what RQ's worker would do; how many jobs to mail a link there were. ``sends``: each sends one."""
    runtime.install(place.container, stopping=lambda: False)
    queue = Queue(DELIVER, connection=place.container.redis, serializer=JSONSerializer)
    jobs = [item for item in queue.jobs if item.func_name == "workers.jobs.send_link"]
    for job in jobs:
        assert job.perform() is sends
        job.delete()
    return len(jobs)


def test_an_expired_link_is_replaced_by_mail_to_the_contact_that_is_known(
    place: Place, mailbox: Mailbox
) -> None:
    """The page of an expired link (410) offered nothing but "ask whoever sent it"."""
    token = expired_link(place)
    visitor = place.visitor()
    page = visitor.open(f"/connect/{token}")
    assert page.answer.status_code == 410
    assert "owner" not in page.answer.text
    for _ in range(3):
        said = visitor.press(page, "Send a new link")
        assert said.answer.status_code == 200
        assert "A new link is on its way" in said.text
        assert "owner" not in said.answer.text
        assert "Corner Shop" not in said.answer.text
    assert carry_out(place) == 1, "however often one presses: once an hour"
    (mail,) = mailbox.mails
    assert mail["To"] == "owner@shop.example"
    text = mail.get_body(("plain",)).get_content()
    fresh = text.partition("/connect/")[2].split()[0]
    assert visitor.open(f"/connect/{fresh}").answer.status_code == 200


@pytest.mark.parametrize("happened", ["revoked", "deleted"])
def test_nothing_is_sent_once_the_links_have_ended(place: Place, mailbox: Mailbox, happened: str) -> None:
    """Both happen while the mail waits for the worker."""
    token = expired_link(place)
    company_id = place.desk.company("m-1")
    visitor = place.visitor()
    visitor.press(visitor.open(f"/connect/{token}"), "Send a new link")
    if happened == "revoked":
        place.desk.journey.links.revoke(company_id)
    else:
        place.container.redis.hset(keys.company(company_id), "deleted_at", "2026-01-01T00:00:00Z")
    assert carry_out(place, sends=False) == 1
    assert not mailbox.mails


def test_a_link_that_could_not_be_mailed_can_be_asked_for_again_at_once(
    place: Place, mailbox: Mailbox
) -> None:
    token = expired_link(place)
    visitor = place.visitor()
    page = visitor.open(f"/connect/{token}")
    mailbox.says_to_message = "451 not now"
    visitor.press(page, "Send a new link")
    assert carry_out(place, sends=False) == 1
    mailbox.says_to_message = "250 taken"
    visitor.press(page, "Send a new link")
    assert carry_out(place) == 1
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("cheat", ["no contact", "no seal", "made up"])
def test_nothing_is_sent_for_anybody_else(place: Place, mailbox: Mailbox, cheat: str) -> None:
    """A form that makes us send mail must not be a way to flood a stranger's mailbox."""
    token = expired_link(place, None if cheat == "no contact" else "owner@shop.example")
    visitor = place.visitor()
    page = visitor.open(f"/connect/{token}")
    data = dict(next(page.forms_with("Send a new link")).fields)
    if cheat == "no seal":
        data = {}
    address = f"/connect/{token}x" if cheat == "made up" else f"/connect/{token}"
    answer = visitor.http.post(f"{address}/new-link", data=data)
    assert answer.status_code == 200 if cheat == "no contact" else answer.status_code in (403, 404)
    assert ("A new link is on its way" in answer.text) == (cheat == "no contact"), "the same to everybody"
    assert carry_out(place) == 0
    assert not mailbox.mails
