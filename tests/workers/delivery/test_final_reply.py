"""The mail server's reply to the final dot decides whether an e-mail may be sent again."""

from typing import Any, ClassVar

import pytest

from processor.delivery import mail_server
from processor.delivery.mail_server import FINAL_REPLY_S
from processor.resources import serializers
from processor.store import keys
from tests.support.service import until
from tests.workers.delivery.mailing import Mailbox, MakeDispatcher, Serve
from tests.workers.delivery.post import EMAIL, Post
from workers.delivery.channels.email import REPLY_WITHIN_S


class _Watched(mail_server._Smtp):
    """A session that can be looked at from outside."""

    made: ClassVar[list] = []

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self.made.append(self)


def test_the_answer_to_the_final_dot_is_waited_for_and_the_mail_goes_out_once(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail server answered the final dot after 16 to 20 s: each mail was handed in two to eight times."""
    monkeypatch.setattr(mail_server, "_Smtp", _Watched)
    _Watched.made.clear()
    mailbox.answers.clear()
    id_ = post.decide()
    dispatcher = mail(f"smtp://127.0.0.1:{serve().port}")
    dispatcher.start()
    until(lambda: mailbox.handed_over)
    (session,) = _Watched.made
    until(lambda: session.sock.gettimeout() == FINAL_REPLY_S >= 600)
    assert REPLY_WITHIN_S >= 600
    mailbox.answers.set()
    until(lambda: post.status(id_, EMAIL) == "delivered")
    dispatcher.stop()
    assert (len(mailbox.mails), mailbox.handed_over) == (1, 1)


def test_what_was_not_answered_after_the_final_dot_is_uncertain_and_not_sent_again(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    """The connection broke between the final dot and its answer: the reader got a copy with each attempt."""
    mailbox.hangs_up = True
    id_ = post.decide()
    dispatcher = mail(f"smtp://127.0.0.1:{serve().port}")
    dispatcher.run_once()
    post.forward(24 * 3600)
    dispatcher.run_once()

    assert mailbox.handed_over == 1
    assert (post.status(id_, EMAIL), post.waiting(EMAIL)) == ("uncertain", {})
    assert post.attempts(id_)[-1]["outcome"] == "uncertain"
    shown = post.reader.list_notifications(connection_id=None, limit=9, cursor=None, status="uncertain")
    assert [serializers.notification(row)["status"] for row in shown.items] == ["uncertain"]

    mailbox.hangs_up = False
    assert post.lane_admin.requeue(id_, EMAIL, cell=post.cell)
    dispatcher.run_once()
    assert (mailbox.handed_over, post.status(id_, EMAIL)) == (2, "delivered")


@pytest.mark.parametrize("said", ["299 taken", "451 later", "777 what", "nonsense"])
def test_the_answer_to_the_final_dot_is_read_by_its_first_digit(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox, said: str
) -> None:
    """A 2xx other than 250, or an answer that is none, counted as refused, and the mail was sent again."""
    mailbox.says_to_message = said
    id_ = post.decide()
    mail(f"smtp://127.0.0.1:{serve().port}").run_once()
    expected = {"299 taken": "delivered", "451 later": "pending"}
    assert post.status(id_, EMAIL) == expected.get(said, "uncertain")


def test_one_who_died_after_the_final_dot_leaves_it_uncertain(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    """The process was killed while it waited for the answer: the next one handed the same mail in again."""
    mailbox.answers.clear()
    id_ = post.decide()
    port = serve().port
    first = mail(f"smtp://127.0.0.1:{port}")
    first.start()
    until(lambda: mailbox.handed_over)
    post.client.delete(keys.lane_flight(post.cell, EMAIL))  # as if its lease had ended with it
    post.forward(60)
    mail(f"smtp://127.0.0.1:{port}").run_once()
    assert (post.status(id_, EMAIL), mailbox.handed_over) == ("uncertain", 1)

    mailbox.answers.set()  # it was not dead, and hears the answer after all
    until(lambda: post.status(id_, EMAIL) == "delivered")
    first.stop()
    assert len(mailbox.mails) == 1


def test_mails_whose_answer_is_awaited_hold_up_no_others(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
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


def test_a_process_that_ends_does_not_wait_for_the_answer(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    """A restart must not take ten minutes, nor hand in again what may have been taken."""
    mailbox.answers.clear()
    id_ = post.decide()
    dispatcher = mail(f"smtp://127.0.0.1:{serve().port}", grace_s=0.0)
    dispatcher.start()
    until(lambda: mailbox.handed_over)
    dispatcher.stop()
    assert post.status(id_, EMAIL) == "uncertain"
    mailbox.answers.set()
