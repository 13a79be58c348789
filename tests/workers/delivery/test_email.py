"""E-mail to a company's contact, handed in to a real SMTP server in this process."""

import pytest

from handlers.milestones import NotificationType
from processor.store import keys
from tests.workers.delivery.mailing import LINK, Mailbox, MakeDispatcher, Serve, parts
from tests.workers.delivery.post import EMAIL, Post


def test_the_contact_is_told_in_plain_text_and_html(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    id_ = post.decide(type_=NotificationType.DEAUTHORIZED)
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()

    assert post.status(id_, EMAIL) == "delivered"
    (got,) = mailbox.mails
    assert mailbox.recipients == ["owner@example.test"]
    assert (got["To"], got["From"]) == ("owner@example.test", "Bank of Dave <hello@bank.example>")
    assert got["Subject"] == "Xero no longer gives access"
    assert got["Message-ID"] == f"<{id_}@bank.example>"
    text, html = parts(got)
    assert LINK in text
    assert f'href="{LINK}"' in html
    assert "Toft & Co" in text
    assert "Toft &amp; Co" in html


def test_the_company_is_called_as_it_was_given(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    """Codat takes no other alphabet, and the letter greeted "Company"."""
    post.client.hset(keys.company("company-1"), mapping={"name": "Company", "given_name": "Угловой & Сын"})
    post.decide(type_=NotificationType.DEAUTHORIZED)
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()
    (got,) = mailbox.mails
    text, html = parts(got)
    assert "Hello Угловой & Сын," in text
    assert "Hello Угловой &amp; Сын," in html


@pytest.mark.parametrize("notice", list(NotificationType))
def test_every_type_is_told_in_plain_words_with_a_link_where_something_is_to_be_done(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox, notice: NotificationType
) -> None:
    post.decide(type_=notice, data_types={"complete": ["invoices"], "failed": {"bills": "FetchError"}})
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()

    (got,) = mailbox.mails
    text, html = parts(got)
    to_do = {
        NotificationType.AUTHORIZATION_FAILED,
        NotificationType.DEAUTHORIZED,
        NotificationType.UNLINKED,
        NotificationType.DELETED,
    }
    assert (LINK in text) == (LINK in html) == (notice in to_do | {NotificationType.SYNC_FAILED})
    for jargon in ("initial_sync", "deauthor", "authoris", "connection_id", "FetchError", "{{", "None"):
        assert jargon not in text
        assert jargon not in html
    assert "Xero" in got["Subject"]


def test_without_a_contact_or_without_a_mail_server_nobody_is_written_to(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    dispatcher = mail(f"smtp://127.0.0.1:{serve().port}")
    id_ = post.decide(company_id="company-2")
    dispatcher.run_once()
    assert (post.status(id_, EMAIL), mailbox.mails) == (None, [])

    post.set(smtp_url=None)
    other = post.decide()
    post.dispatcher().run_once()
    assert post.status(other, EMAIL) is None


def test_a_contact_that_was_erased_meanwhile_is_not_written_to(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    id_ = post.decide()
    dispatcher = mail(f"smtp://127.0.0.1:{serve().port}")
    post.fan_out()
    post.client.hdel(keys.company("company-1"), "contact_email")
    dispatcher.run_once()

    assert (post.status(id_, EMAIL), mailbox.mails) == ("dead", [])


@pytest.mark.parametrize(
    "contact",
    ["nobody", "a@", "a@b@c", "a@b\nBcc: x@y.example", "a b@c.example", "a@b.example,c@d.example", "<a@b>"],
)
def test_a_contact_that_is_no_address_is_never_written_to(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox, contact: str
) -> None:
    post.client.hset(keys.company("company-1"), "contact_email", contact)
    id_ = post.decide()
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()

    assert (post.status(id_, EMAIL), mailbox.recipients) == ("dead", [])


def test_an_international_domain_is_written_to_in_its_ascii_form(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    """``zoe@bücher.example`` was a dead letter at the first mail."""
    post.client.hset(keys.company("company-1"), "contact_email", "zoe@bücher.example")
    id_ = post.decide()
    mail(f"smtp://127.0.0.1:{serve().port}", sender="Bücher <us@bücher.example>").run_once()
    assert post.status(id_, EMAIL) == "delivered"
    assert mailbox.recipients == ["zoe@xn--bcher-kva.example"]
    (got,) = mailbox.mails
    assert got["From"] == "Bücher <us@xn--bcher-kva.example>"


def test_an_end_that_was_expected_is_not_mailed(post: Post, mail: MakeDispatcher) -> None:
    """A connector that is read once ended as it should, and its owner was asked to "connect again"."""
    dispatcher = mail("smtp://127.0.0.1:9")
    expected = post.decide(type_=NotificationType.DEAUTHORIZED, company_id="company-1", expected=True)
    revoked = post.decide(type_=NotificationType.DEAUTHORIZED, company_id="company-1", expected=False)
    dispatcher.run_once()
    assert post.status(expected, EMAIL) is None
    assert post.status(revoked, EMAIL) is not None
