"""E-mail to a company's contact, handed in to a real SMTP server in this process."""

import email
import email.policy
import ssl
from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from handlers.notices import Notice
from processor import views
from processor.delivery.lane import EMAIL, Mode
from processor.delivery.mail import Letters
from processor.store import keys
from tests.support.certificates import serving_as, trusting
from tests.workers.deliver.receiving import WAIT_S
from workers.channels.email import Email, MailServer

LINK = "https://service.example/connect/a-token"


class Mailbox:
    """What a mail server took in, and what it says: a line of SMTP for each recipient or message."""

    def __init__(self) -> None:
        self.mails: list[email.message.EmailMessage] = []
        self.recipients: list[str] = []
        self.says_to_recipient = "250 OK"
        self.says_to_message = "250 taken"
        self.logins: list[tuple[bytes, bytes]] = []
        self.protected: list[bool] = []

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        if self.says_to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
            self.recipients.append(address)
        return self.says_to_recipient

    async def handle_DATA(self, server, _session, envelope):  # noqa: N802
        if self.says_to_message.startswith("250"):
            self.protected.append(isinstance(server.transport.get_extra_info("ssl_object"), ssl.SSLObject))
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return self.says_to_message

    def authenticate(self, _server, _session, _envelope, _mechanism, data):
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss")


class _Controller(Controller):
    """Serves; the port is chosen by the system."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def serve(mailbox) -> Iterator:
    """Starts mail servers that put everything into the mailbox."""
    started: list[_Controller] = []

    def start(**how):
        tls = how.pop("smtps", None)
        controller = _Controller(
            mailbox, hostname="127.0.0.1", port=0, ssl_context=tls, ready_timeout=WAIT_S, **how
        )
        controller.start()
        started.append(controller)
        return controller

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def mail(post):
    """Couriers that write to the contact of company-1."""
    post.email = True
    post.client.hset(
        keys.company("company-1"), mapping={"contact_email": "owner@example.test", "name": "Toft & Co"}
    )

    def courier(url, **how):
        how = {"link": lambda _: LINK, "product": "Bank of Dave", "letters": Letters(), **how}
        channel = Email(
            post.client,
            server=MailServer(url, tls=trusting()),
            sender="Bank of Dave <hello@bank.example>",
            clock=post.clock,
            **how,
        )
        return post.courier(channels={EMAIL: channel})

    return courier


def attempt_of(post, id_):
    (delivery,) = views.notification(post.reader.notification(id_))["deliveries"]
    return delivery["attempts"][-1]


def parts(mail):
    return (
        mail.get_body(("plain",)).get_content(),
        mail.get_body(("html",)).get_content(),
    )


def test_the_contact_is_told_in_plain_text_and_html(post, mail, serve, mailbox):
    id_ = post.decide(type_=Notice.DEAUTHORIZED)
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


def test_the_company_is_called_as_it_was_given(post, mail, serve, mailbox):
    """Codat takes no other alphabet, and the letter greeted "Company"."""
    post.client.hset(keys.company("company-1"), mapping={"name": "Company", "given_name": "Угловой & Сын"})
    post.decide(type_=Notice.DEAUTHORIZED)
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()
    (got,) = mailbox.mails
    text, html = parts(got)
    assert "Hello Угловой & Сын," in text
    assert "Hello Угловой &amp; Сын," in html


@pytest.mark.parametrize("notice", list(Notice))
def test_every_type_is_told_in_plain_words_with_a_link_where_something_is_to_be_done(
    post, mail, serve, mailbox, notice
):
    post.decide(type_=notice, data_types={"complete": ["invoices"], "failed": {"bills": "FetchError"}})
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()

    (got,) = mailbox.mails
    text, html = parts(got)
    to_do = {Notice.AUTHORIZATION_FAILED, Notice.DEAUTHORIZED, Notice.UNLINKED, Notice.DELETED}
    assert (LINK in text) == (LINK in html) == (notice in to_do | {Notice.SYNC_FAILED})
    for jargon in ("initial_sync", "deauthor", "authoris", "connection_id", "FetchError", "{{", "None"):
        assert jargon not in text
        assert jargon not in html
    assert "Xero" in got["Subject"]


def test_without_a_contact_or_without_a_mail_server_nobody_is_written_to(post, mail, serve, mailbox):
    courier = mail(f"smtp://127.0.0.1:{serve().port}")
    id_ = post.decide(company_id="company-2")
    courier.run_once()
    assert (post.status(id_, EMAIL), mailbox.mails) == (None, [])

    post.email = False
    other = post.decide()
    post.courier().run_once()
    assert post.status(other, EMAIL) is None


def test_a_contact_that_was_erased_meanwhile_is_not_written_to(post, mail, serve, mailbox):
    id_ = post.decide()
    courier = mail(f"smtp://127.0.0.1:{serve().port}")
    post.lanes().divide()
    post.client.hdel(keys.company("company-1"), "contact_email")
    courier.run_once()

    assert (post.status(id_, EMAIL), mailbox.mails) == ("dead", [])


@pytest.mark.parametrize("way", ["smtps", "smtp+starttls", "smtp"])
def test_tls_is_used_and_its_name_is_checked(post, mail, serve, mailbox, way):
    def factory():
        return SMTP(mailbox, tls_context=serving_as("hook"), require_starttls=True)

    server = serve(smtps=serving_as("hook")) if way == "smtps" else serve()
    if way != "smtps":
        server.factory = factory
    good = post.decide("connection-1")
    mail(f"{way}://localhost:{server.port}").run_once()
    assert post.status(good, EMAIL) == "delivered"
    assert mailbox.protected == [True]

    bad = post.decide("connection-2")
    mail(f"{way}://127.0.0.1:{server.port}").run_once()
    assert post.status(bad, EMAIL) == "pending"
    assert "certificate" in attempt_of(post, bad)["error"].lower()


def test_starttls_that_is_not_offered_is_not_done_without(post, mail, serve, mailbox):
    id_ = post.decide()
    mail(f"smtp+starttls://127.0.0.1:{serve().port}").run_once()

    assert "no TLS" in attempt_of(post, id_)["error"]
    assert mailbox.mails == []


def test_a_password_is_never_sent_in_the_clear_to_another_machine(monkeypatch, serve, post, mail, mailbox):
    """The name is not one of this machine's, though it leads here."""
    import socket

    port = serve(authenticator=mailbox.authenticate, auth_require_tls=False).port
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: real("127.0.0.1" if host == "mail.test" else host, *rest, **more),
    )
    id_ = post.decide()
    mail(f"smtp://user:p%40ss@mail.test:{port}").run_once()

    assert "no TLS" in attempt_of(post, id_)["error"]
    assert mailbox.logins == []


def test_it_logs_in_where_the_url_has_a_password(post, mail, serve, mailbox):
    server = serve(smtps=serving_as("hook"), authenticator=mailbox.authenticate, auth_require_tls=False)
    post.decide()
    mail(f"smtps://us%40er:p%40ss@localhost:{server.port}").run_once()

    assert set(mailbox.logins) == {(b"us@er", b"p@ss")}
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    ("recipient", "message", "expected"),
    [
        ("550 unknown", "250 OK", "dead"),
        ("450 later", "250 OK", "pending"),
        ("250 OK", "451 later", "pending"),
        ("250 OK", "554 spam", "pending"),
    ],
)
def test_what_the_mail_server_says_is_heeded(post, mail, serve, mailbox, recipient, message, expected):
    mailbox.says_to_recipient, mailbox.says_to_message = recipient, message
    id_ = post.decide()
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()

    assert post.status(id_, EMAIL) == expected
    assert attempt_of(post, id_)["outcome"] == "failed"
    assert post.mode(EMAIL) is Mode.ACTIVE


def test_a_mail_server_that_is_away_slows_the_lane_and_comes_back(post, mail, serve):
    ids = [post.decide(f"connection-{number}") for number in range(15)]
    mail("smtp://127.0.0.1:9").run_once()
    assert post.mode(EMAIL) is Mode.SLOW

    post.forward(600)
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()
    assert {post.status(id_, EMAIL) for id_ in ids} == {"delivered"}
    assert post.mode(EMAIL) is Mode.ACTIVE


@pytest.mark.parametrize(
    "contact",
    ["nobody", "a@", "a@b@c", "a@b\nBcc: x@y.example", "a b@c.example", "a@b.example,c@d.example", "<a@b>"],
)
def test_a_contact_that_is_no_address_is_never_written_to(post, mail, serve, mailbox, contact):
    post.client.hset(keys.company("company-1"), "contact_email", contact)
    id_ = post.decide()
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()

    assert (post.status(id_, EMAIL), mailbox.recipients) == ("dead", [])


def test_names_from_elsewhere_cannot_add_headers_or_markup(post, mail, serve, mailbox):
    post.client.hset(keys.company("company-1"), "name", "Toft\r\nBcc: x@y.example <script>")
    post.decide(platform_name="Xero\r\nX-Evil: 1 <b>")
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()

    (got,) = mailbox.mails
    assert got["X-Evil"] is None
    assert got["Bcc"] is None
    assert "<script>" not in parts(got)[1]


def test_templates_can_be_replaced_one_by_one(post, mail, serve, mailbox, tmp_path):
    (tmp_path / "connection.authorized.txt").write_text("Subject: Own words\n\nOurs for {{ platform }}.\n")
    (tmp_path / "layout.html").write_text("<p>Own frame</p>{% block said %}{% endblock %}")
    post.decide()
    mail(f"smtp://127.0.0.1:{serve().port}", letters=Letters(tmp_path)).run_once()

    (got,) = mailbox.mails
    text, html = parts(got)
    assert (got["Subject"], text.strip()) == ("Own words", "Ours for Xero.")
    assert "Own frame" in html
    assert "Thank you" in html


def test_a_template_that_cannot_be_used_is_repaired_and_the_mail_goes_out(post, mail, serve, tmp_path):
    broken = tmp_path / "connection.authorized.txt"
    broken.write_text("Subject: {{ nonsense.of.ours }}")
    id_ = post.decide()
    courier = mail(f"smtp://127.0.0.1:{serve().port}", letters=Letters(tmp_path))
    courier.run_once()
    assert "a template cannot be used" in attempt_of(post, id_)["error"]

    broken.unlink()
    post.forward(5)
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()
    assert post.status(id_, EMAIL) == "delivered"
