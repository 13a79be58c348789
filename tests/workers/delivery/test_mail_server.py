"""The mail server: TLS, login and probing."""

import smtplib
import ssl
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from processor.delivery.mail_server import MailServer
from processor.runtime.preflight.settings import check_mail
from processor.settings.loading import load
from tests.support.certificates import serving_as, trusting
from tests.workers.delivery.mailing import Mailbox, MakeDispatcher, Serve
from tests.workers.delivery.post import EMAIL, Post


@pytest.mark.parametrize("way", ["smtps", "smtp+starttls"])
def test_tls_is_used_and_its_name_is_checked(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox, way: str
) -> None:
    def factory() -> Any:
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
    assert "certificate" in post.attempts(bad)[-1]["error"].lower()


def with_certificate(mailbox: Mailbox, name: str) -> Any:
    return lambda: SMTP(mailbox, tls_context=serving_as(name))


def test_a_self_signed_certificate_on_this_machine_is_no_obstacle(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    """A local server offered STARTTLS with a certificate of its own: no mail went out, for ever."""
    server = serve()
    server.factory = with_certificate(mailbox, "other")
    id_ = post.decide()
    mail(f"smtp://localhost:{server.port}").run_once()
    assert (post.status(id_, EMAIL), mailbox.protected) == ("delivered", [True])


class _NoTls(SMTP):
    """Offers STARTTLS and does not do it."""

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        self.session.host_name = hostname
        await self.push("250-here")
        await self.push("250 STARTTLS")

    async def smtp_STARTTLS(self, _arg: str) -> None:  # noqa: N802
        await self.push("454 TLS not available")


def test_tls_that_does_not_work_is_left_out_on_this_machine(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    """Opportunistic: a local server whose TLS is broken gets the mail without it."""
    server = serve()
    server.factory = lambda: _NoTls(mailbox)
    id_ = post.decide()
    mail(f"smtp://127.0.0.1:{server.port}").run_once()
    assert (post.status(id_, EMAIL), mailbox.protected) == ("delivered", [False])


class _NoLogin(SMTP):
    """Lets nobody in."""

    async def smtp_AUTH(self, _arg: str) -> None:  # noqa: N802
        await self.push("535 no")


@pytest.mark.parametrize("way", ["smtps", "smtp+starttls"])
def test_any_certificate_is_accepted_where_a_setting_says_so(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox, way: str
) -> None:
    """A mail server with a certificate of its own could not be used at all."""
    server = serve(smtps=serving_as("other")) if way == "smtps" else serve()
    if way != "smtps":
        server.factory = with_certificate(mailbox, "other")
    id_ = post.decide()
    mail(f"{way}://127.0.0.1:{server.port}", verify=False).run_once()
    assert (post.status(id_, EMAIL), mailbox.protected) == ("delivered", [True])


def test_probing_goes_as_far_as_one_can_without_a_message(serve: Serve, mailbox: Mailbox) -> None:
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


def test_starttls_that_is_not_offered_is_not_done_without(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    id_ = post.decide()
    mail(f"smtp+starttls://127.0.0.1:{serve().port}").run_once()

    assert "no TLS" in post.attempts(id_)[-1]["error"]
    assert mailbox.mails == []


def test_a_password_is_never_sent_in_the_clear_to_another_machine(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, post: Post, mail: MakeDispatcher, mailbox: Mailbox
) -> None:
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

    assert "no TLS" in post.attempts(id_)[-1]["error"]
    assert mailbox.logins == []


def test_it_logs_in_where_the_url_has_a_password(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    server = serve(smtps=serving_as("hook"), authenticator=mailbox.authenticate, auth_require_tls=False)
    post.decide()
    mail(f"smtps://us%40er:p%40ss@localhost:{server.port}").run_once()

    assert set(mailbox.logins) == {(b"us@er", b"p@ss")}
    assert len(mailbox.mails) == 1


def test_the_check_command_tries_the_mail_server(serve: Serve, mailbox: Mailbox) -> None:
    """No mail went out for a bad certificate, a bad login, or no server at all: ``check`` said "ok"."""

    def found(url: str, **more: Any) -> Any:
        environ = {"CODAT_ALERT_AUTHORIZATIONS": "Basic aHVzaA==", "SMTP_URL": url, **more}
        (finding,) = check_mail(load(environ))
        assert "hush-password" not in finding.sentence
        return finding.status, finding.sentence

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
