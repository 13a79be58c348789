"""E-mail to a company's contact, handed in to a real SMTP server in this process."""

import smtplib
import ssl
from typing import ClassVar

import pytest
from aiosmtpd.smtp import SMTP

from handlers.milestones import NotificationType
from processor.delivery import mail_server
from processor.delivery.email_templates import TO_DO, EmailTemplates
from processor.delivery.lane import EMAIL, Mode
from processor.delivery.mail_server import ANSWER_S, MailServer
from processor.resources import serializers
from processor.runtime.preflight.service import check_mail
from processor.settings.definitions import load
from processor.store import keys
from tests.support.certificates import serving_as, trusting
from tests.support.service import until
from workers.delivery import dispatcher as dispatcher_module
from workers.delivery.channels.email import Email

LINK = "https://service.example/connect/a-token"


@pytest.fixture
def mail(post):
    """Couriers that write to the contact of company-1."""
    post.email = True
    post.client.hset(
        keys.company("company-1"), mapping={"contact_email": "owner@example.test", "name": "Toft & Co"}
    )

    def dispatcher(url, *, verify=True, sender="Bank of Dave <hello@bank.example>", **how):
        how = {"link": lambda _: LINK, "product": "Bank of Dave", "letters": EmailTemplates(), **how}
        channel = Email(
            post.client,
            server=MailServer(url, tls=trusting(), verify=verify),
            sender=sender,
            clock=post.clock,
            **how,
        )
        return post.dispatcher(channels={EMAIL: channel})

    return dispatcher


def attempt_of(post, id_):
    (delivery,) = serializers.notification(post.reader.notification(id_))["deliveries"]
    return delivery["attempts"][-1]


def parts(mail):
    return (
        mail.get_body(("plain",)).get_content(),
        mail.get_body(("html",)).get_content(),
    )


def test_the_contact_is_told_in_plain_text_and_html(post, mail, serve, mailbox):
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


def test_the_company_is_called_as_it_was_given(post, mail, serve, mailbox):
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
    post, mail, serve, mailbox, notice
):
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


def test_without_a_contact_or_without_a_mail_server_nobody_is_written_to(post, mail, serve, mailbox):
    dispatcher = mail(f"smtp://127.0.0.1:{serve().port}")
    id_ = post.decide(company_id="company-2")
    dispatcher.run_once()
    assert (post.status(id_, EMAIL), mailbox.mails) == (None, [])

    post.email = False
    other = post.decide()
    post.dispatcher().run_once()
    assert post.status(other, EMAIL) is None


def test_a_contact_that_was_erased_meanwhile_is_not_written_to(post, mail, serve, mailbox):
    id_ = post.decide()
    dispatcher = mail(f"smtp://127.0.0.1:{serve().port}")
    post.lanes().divide()
    post.client.hdel(keys.company("company-1"), "contact_email")
    dispatcher.run_once()

    assert (post.status(id_, EMAIL), mailbox.mails) == ("dead", [])


@pytest.mark.parametrize("way", ["smtps", "smtp+starttls"])
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


def with_certificate(mailbox, name):
    return lambda: SMTP(mailbox, tls_context=serving_as(name))


def test_a_self_signed_certificate_on_this_machine_is_no_obstacle(post, mail, serve, mailbox):
    """A local server offered STARTTLS with a certificate of its own: no mail went out, for ever."""
    server = serve()
    server.factory = with_certificate(mailbox, "other")
    id_ = post.decide()
    mail(f"smtp://localhost:{server.port}").run_once()
    assert (post.status(id_, EMAIL), mailbox.protected) == ("delivered", [True])


class _NoTls(SMTP):
    """Offers STARTTLS and does not do it."""

    async def smtp_EHLO(self, hostname):  # noqa: N802
        self.session.host_name = hostname
        await self.push("250-here")
        await self.push("250 STARTTLS")

    async def smtp_STARTTLS(self, _arg):  # noqa: N802
        await self.push("454 TLS not available")


def test_tls_that_does_not_work_is_left_out_on_this_machine(post, mail, serve, mailbox):
    """Opportunistic: a local server whose TLS is broken gets the mail without it."""
    server = serve()
    server.factory = lambda: _NoTls(mailbox)
    id_ = post.decide()
    mail(f"smtp://127.0.0.1:{server.port}").run_once()
    assert (post.status(id_, EMAIL), mailbox.protected) == ("delivered", [False])


class _NoLogin(SMTP):
    """Lets nobody in."""

    async def smtp_AUTH(self, _arg):  # noqa: N802
        await self.push("535 no")


@pytest.mark.parametrize("way", ["smtps", "smtp+starttls"])
def test_any_certificate_is_accepted_where_a_setting_says_so(post, mail, serve, mailbox, way):
    """A mail server with a certificate of its own could not be used at all."""
    server = serve(smtps=serving_as("other")) if way == "smtps" else serve()
    if way != "smtps":
        server.factory = with_certificate(mailbox, "other")
    id_ = post.decide()
    mail(f"{way}://127.0.0.1:{server.port}", verify=False).run_once()
    assert (post.status(id_, EMAIL), mailbox.protected) == ("delivered", [True])


def test_probing_goes_as_far_as_one_can_without_a_message(serve, mailbox):
    """A mail server that refuses the login, or has a wrong certificate, was found with the first mail."""
    plain = serve(authenticator=mailbox.authenticate, auth_require_tls=False)
    assert MailServer(f"smtp://127.0.0.1:{plain.port}").probe() is False
    assert MailServer(f"smtp://u:p%40ss@127.0.0.1:{plain.port}").probe() is False
    plain.factory = lambda: _NoLogin(mailbox, auth_require_tls=False)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        MailServer(f"smtp://u:wrong@127.0.0.1:{plain.port}").probe()
    within = serve(smtps=serving_as("hook"))
    assert MailServer(f"smtps://localhost:{within.port}", tls=trusting()).probe() is True
    with pytest.raises(ssl.SSLCertVerificationError):
        MailServer(f"smtps://localhost:{within.port}").probe()
    assert mailbox.mails == []


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


def test_a_mail_server_that_refuses_our_login_is_a_condition_until_it_takes_a_mail(
    post, mail, serve, mailbox
):
    """The password of SMTP_URL was changed at the mail server: e-mails waited, and no page said why."""
    port = serve(authenticator=mailbox.authenticate, auth_require_tls=False).port
    first = post.decide("connection-1")
    mail(f"smtp://user:old@127.0.0.1:{port}").run_once()
    refused = post.says("mail_refused")
    assert refused is not None
    assert "the mail server refused (SMTPAuthenticationError)" in refused.sentence
    assert "1 attempt" in refused.sentence
    assert refused.since == post.clock()
    assert "old" not in refused.sentence

    post.forward(60)
    mail(f"smtp://user:p%40ss@127.0.0.1:{port}").run_once()
    assert post.status(first, EMAIL) == "delivered"
    assert post.says("mail_refused") is None


def test_a_mail_server_that_is_away_is_a_condition_from_three_attempts_on_and_one_recipient_is_none(
    post, mail, serve, mailbox
):
    """One address that is refused says nothing of the mail server; one that is away says so soon."""
    mailbox.says_to_recipient = "550 no such user"
    post.decide("connection-0")
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()
    assert post.says("mail_refused") is None

    away = mail("smtp://127.0.0.1:9")
    for number, holds in ((1, False), (2, False), (3, True)):
        post.decide(f"connection-{number}")
        away.run_once()
        assert (post.says("mail_refused") is not None) == holds


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
    mail(f"smtp://127.0.0.1:{serve().port}", letters=EmailTemplates(tmp_path)).run_once()

    (got,) = mailbox.mails
    text, html = parts(got)
    assert (got["Subject"], text.strip()) == ("Own words", "Ours for Xero.")
    assert "Own frame" in html
    assert "Thank you" in html


def test_a_template_that_cannot_be_used_is_repaired_and_the_mail_goes_out(post, mail, serve, tmp_path):
    broken = tmp_path / "connection.authorized.txt"
    broken.write_text("Subject: {{ nonsense.of.ours }}")
    id_ = post.decide()
    dispatcher = mail(f"smtp://127.0.0.1:{serve().port}", letters=EmailTemplates(tmp_path))
    dispatcher.run_once()
    assert "a template cannot be used" in attempt_of(post, id_)["error"]

    broken.unlink()
    post.forward(5)
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()
    assert post.status(id_, EMAIL) == "delivered"


class _Watched(mail_server._Smtp):
    """A session that can be looked at from outside."""

    made: ClassVar[list] = []

    def __init__(self, *args, **how):
        super().__init__(*args, **how)
        self.made.append(self)


def test_the_answer_to_the_final_dot_is_waited_for_and_the_mail_goes_out_once(
    post, mail, serve, mailbox, monkeypatch
):
    """A mail server answered the final dot after 16 to 20 s: each mail was handed in two to eight times."""
    monkeypatch.setattr(mail_server, "_Smtp", _Watched)
    _Watched.made.clear()
    mailbox.answers.clear()
    id_ = post.decide()
    dispatcher = mail(f"smtp://127.0.0.1:{serve().port}")
    dispatcher.start()
    until(lambda: mailbox.handed_over)
    (session,) = _Watched.made
    until(lambda: session.sock.gettimeout() == ANSWER_S >= 600)
    assert Email.answer_within_s >= 600
    mailbox.answers.set()
    until(lambda: post.status(id_, EMAIL) == "delivered")
    dispatcher.stop()
    assert (len(mailbox.mails), mailbox.handed_over) == (1, 1)


def test_what_was_not_answered_after_the_final_dot_is_uncertain_and_not_sent_again(
    post, mail, serve, mailbox
):
    """The connection broke between the final dot and its answer: the reader got a copy with each attempt."""
    mailbox.hangs_up = True
    id_ = post.decide()
    dispatcher = mail(f"smtp://127.0.0.1:{serve().port}")
    dispatcher.run_once()
    post.forward(24 * 3600)
    dispatcher.run_once()

    assert mailbox.handed_over == 1
    assert (post.status(id_, EMAIL), post.waiting(EMAIL)) == ("uncertain", {})
    assert attempt_of(post, id_)["outcome"] == "uncertain"
    shown = post.reader.list_notifications(connection_id=None, limit=9, cursor=None, status="uncertain")
    assert [serializers.notification(row)["status"] for row in shown.items] == ["uncertain"]

    mailbox.hangs_up = False
    assert post.control.requeue(id_, EMAIL)
    dispatcher.run_once()
    assert (mailbox.handed_over, post.status(id_, EMAIL)) == (2, "delivered")


@pytest.mark.parametrize("said", ["299 taken", "451 later", "777 what", "nonsense"])
def test_the_answer_to_the_final_dot_is_read_by_its_first_digit(post, mail, serve, mailbox, said):
    """A 2xx other than 250, or an answer that is none, counted as refused, and the mail was sent again."""
    mailbox.says_to_message = said
    id_ = post.decide()
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()
    expected = {"299 taken": "delivered", "451 later": "pending"}
    assert post.status(id_, EMAIL) == expected.get(said, "uncertain")


def test_one_who_died_after_the_final_dot_leaves_it_uncertain(post, mail, serve, mailbox):
    """The process was killed while it waited for the answer: the next one handed the same mail in again."""
    mailbox.answers.clear()
    id_ = post.decide()
    port = serve().port
    first = mail(f"smtp://127.0.0.1:{port}")
    first.start()
    until(lambda: mailbox.handed_over)
    post.client.delete(keys.lane_flight(EMAIL))  # as if its lease had ended with it
    post.forward(60)
    mail(f"smtp://127.0.0.1:{port}").run_once()
    assert (post.status(id_, EMAIL), mailbox.handed_over) == ("uncertain", 1)

    mailbox.answers.set()  # it was not dead, and hears the answer after all
    until(lambda: post.status(id_, EMAIL) == "delivered")
    first.stop()
    assert len(mailbox.mails) == 1


def test_mails_whose_answer_is_awaited_hold_up_no_others(post, mail, serve, mailbox):
    """Ten mails that the server worked on for minutes would keep every other one waiting."""
    mailbox.answers.clear()
    ids = [post.decide(f"connection-{number}") for number in range(25)]
    dispatcher = mail(f"smtp://127.0.0.1:{serve().port}")
    dispatcher.start()
    until(lambda: mailbox.handed_over == 25)
    mailbox.answers.set()
    until(lambda: {post.status(id_, EMAIL) for id_ in ids} == {"delivered"})
    dispatcher.stop()
    assert len(mailbox.mails) == 25


def test_a_process_that_ends_does_not_wait_for_the_answer(post, mail, serve, mailbox, monkeypatch):
    """A restart must not take ten minutes, nor hand in again what may have been taken."""
    monkeypatch.setattr(dispatcher_module, "PATIENCE_S", 0.0)
    mailbox.answers.clear()
    id_ = post.decide()
    dispatcher = mail(f"smtp://127.0.0.1:{serve().port}")
    dispatcher.start()
    until(lambda: mailbox.handed_over)
    dispatcher.stop()
    assert post.status(id_, EMAIL) == "uncertain"
    mailbox.answers.set()


def test_an_international_domain_is_written_to_in_its_ascii_form(post, mail, serve, mailbox):
    """``zoe@bücher.example`` was a dead letter at the first mail."""
    post.client.hset(keys.company("company-1"), "contact_email", "zoe@bücher.example")
    id_ = post.decide()
    mail(f"smtp://127.0.0.1:{serve().port}", sender="Bücher <us@bücher.example>").run_once()
    assert post.status(id_, EMAIL) == "delivered"
    assert mailbox.recipients == ["zoe@xn--bcher-kva.example"]
    (got,) = mailbox.mails
    assert got["From"] == "Bücher <us@xn--bcher-kva.example>"


def test_the_check_command_tries_the_mail_server(serve, mailbox):
    """No mail went out for a bad certificate, a bad login, or no server at all: ``check`` said "ok"."""

    def found(url, **more):
        environ = {"CODAT_ALERT_AUTHORIZATIONS": "Basic aHVzaA==", "SMTP_URL": url, **more}
        (finding,) = check_mail(load(environ))
        assert "hush-password" not in finding.sentence
        return finding.verdict, finding.sentence

    plain, within = serve(), serve(smtps=serving_as("other"))
    refusing = serve()
    refusing.factory = lambda: _NoLogin(mailbox, auth_require_tls=False)
    assert found(f"smtp://127.0.0.1:{plain.port}") == ("ok", "The mail server answers, without TLS.")
    assert found(f"smtps://127.0.0.1:{within.port}", SMTP_TLS_VERIFY="false")[0] == "ok"
    for url, reason in (
        (f"smtps://127.0.0.1:{within.port}", "certificate"),
        (f"smtp+starttls://127.0.0.1:{plain.port}", "no TLS"),
        (f"smtp://user:hush-password@127.0.0.1:{refusing.port}", "refuses the login"),
        ("smtp://127.0.0.1:9", "refused"),
    ):
        verdict, sentence = found(url)
        assert verdict == "error"
        assert reason in sentence
    assert list(check_mail(load({"CODAT_ALERT_AUTHORIZATIONS": "Basic aHVzaA=="}))) == []


SPOKEN = {"type": NotificationType.SYNC_COMPLETED.value, "data": {"platform_name": "Xero"}}


def test_what_is_said_of_the_data_does_not_contradict_itself():
    """One mail said "Everything is ready" and "Some of it could not be read"."""
    failed = {"data_types": {"failed": {"banking-accountBalances": "FetchError", "taxRates": "FetchError"}}}
    partly = {**SPOKEN, "data": {**SPOKEN["data"], **failed}}
    for spoken, is_whole in ((SPOKEN, True), (partly, False)):
        letter = EmailTemplates().write(spoken, company_name=None, link=LINK, product=None)
        for text in (letter.text, letter.html):
            assert ("Everything is ready" in text) == is_whole
            assert ("Account balances" in text and "Tax rates" in text) != is_whole
        assert letter.subject.startswith("Your data" if is_whole else "Part of your data")


@pytest.mark.parametrize("notice", list(NotificationType))
def test_an_e_mail_says_one_thing_about_handing_it_on(notice):
    """One mail said "hand this on to them" and "the link is for you alone"."""
    spoken = {"type": notice.value, "data": {"platform_name": "Xero"}}
    for link in (LINK, None):
        letter = EmailTemplates().write(spoken, company_name="Toft", link=link, product=None)
        for text in (letter.text, letter.html):
            assert "for you alone" not in text
            assert text.count("forward this e-mail") == (LINK in text)
            asks = "get in touch with us, and we send you a link" in text
            assert asks == (link is None and notice.value in TO_DO)


def test_an_end_that_was_expected_is_not_mailed(post, mail):
    """A connector that is read once ended as it should, and its owner was asked to "connect again"."""
    dispatcher = mail("smtp://127.0.0.1:9")
    expected = post.decide(type_=NotificationType.DEAUTHORIZED, company_id="company-1", expected=True)
    revoked = post.decide(type_=NotificationType.DEAUTHORIZED, company_id="company-1", expected=False)
    dispatcher.run_once()
    assert post.status(expected, EMAIL) is None
    assert post.status(revoked, EMAIL) is not None
