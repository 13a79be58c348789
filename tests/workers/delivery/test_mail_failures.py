"""Refusals and outages of the mail server."""

import pytest

from processor.delivery.lane import Mode
from tests.workers.delivery.mailing import Mailbox, MakeDispatcher, Serve
from tests.workers.delivery.post import EMAIL, Post


@pytest.mark.parametrize(
    ("recipient", "message", "expected"),
    [
        ("550 unknown", "250 OK", "dead"),
        ("450 later", "250 OK", "pending"),
        ("250 OK", "451 later", "pending"),
        ("250 OK", "554 spam", "pending"),
    ],
)
def test_what_the_mail_server_says_is_heeded(
    post: Post,
    mail: MakeDispatcher,
    serve: Serve,
    mailbox: Mailbox,
    recipient: str,
    message: str,
    expected: str,
) -> None:
    mailbox.says_to_recipient, mailbox.says_to_message = recipient, message
    id_ = post.decide()
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()

    assert post.status(id_, EMAIL) == expected
    assert post.attempts(id_)[-1]["outcome"] == "failed"
    assert post.mode(EMAIL) is Mode.ACTIVE


def test_a_mail_server_that_refuses_our_login_is_a_condition_until_it_takes_a_mail(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
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
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
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


def test_a_mail_server_that_is_away_slows_the_lane_and_comes_back(
    post: Post, mail: MakeDispatcher, serve: Serve
) -> None:
    ids = [post.decide(f"connection-{number}") for number in range(15)]
    mail("smtp://127.0.0.1:9").run_once()
    assert post.mode(EMAIL) is Mode.SLOW

    post.forward(600)
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()
    assert {post.status(id_, EMAIL) for id_ in ids} == {"delivered"}
    assert post.mode(EMAIL) is Mode.ACTIVE
