"""A link that has expired: a new one goes to the contact that is known, and to nobody else."""

from collections.abc import Iterator

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from processor.store.waker import DELIVER
from tests.processor.web.conftest import OpenPlace
from tests.support.visiting import Place
from tests.workers.delivery.mailing import Mailbox, MailController
from workers import runtime

DAY_S = 86_400


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def place(open_place: OpenPlace, mailbox: Mailbox) -> Iterator[Place]:
    """A service with a mail server, reached at https://ours.example."""
    server = MailController(mailbox, hostname="127.0.0.1", port=0, ready_timeout=60)
    server.start()
    try:
        yield open_place(
            SMTP_URL=f"smtp://127.0.0.1:{server.port}",
            MAIL_FROM="us@ours.example",
            PUBLIC_URL="http://ours.example",
        )
    finally:
        server.stop()


def expired_link(place: Place, contact: str | None = "owner@shop.example") -> str:
    company, _ = place.desk.journey.sign_up(merchant_id="m-1", name="Corner Shop", contact_email=contact)
    place.later(DAY_S + 1)
    return company.connect_url.rpartition("/")[2]


def carry_out(place: Place) -> int:
    """Do what RQ's worker would do; how many jobs to mail a link there were."""
    runtime.install(place.container, stopping=lambda: False)
    queue = Queue(DELIVER, connection=place.container.redis, serializer=JSONSerializer)
    jobs = [one for one in queue.jobs if one.func_name == "workers.jobs.send_link"]
    for job in jobs:
        assert job.perform() is True
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


@pytest.mark.parametrize("cheat", ["no contact", "no seal", "made up"])
def test_nothing_is_sent_for_anybody_else(place: Place, mailbox: Mailbox, cheat: str) -> None:
    """A form that makes us send mail must not be a way to flood a stranger's mailbox."""
    token = expired_link(place, None if cheat == "no contact" else "owner@shop.example")
    visitor = place.visitor()
    page = visitor.open(f"/connect/{token}")
    data = {}
    if cheat == "no contact":
        assert "Send a new link" not in page.buttons()
    else:
        data = dict(next(page.forms_with("Send a new link")).fields)
    if cheat == "no seal":
        data = {}
    address = f"/connect/{token}x" if cheat == "made up" else f"/connect/{token}"
    assert visitor.http.post(f"{address}/new-link", data=data).status_code in (403, 404)
    assert carry_out(place) == 0
    assert not mailbox.mails
