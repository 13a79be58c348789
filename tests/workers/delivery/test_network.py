"""A network that resets, falls silent and trickles, between us and subscribers, and us and a mail server."""

import math
import threading
from collections.abc import Iterator

import pytest

from processor.delivery import mail_server
from processor.store import keys
from tests.support.effort import IN_CI
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.service import until
from tests.workers.delivery.mailing import Mailbox, MakeDispatcher, Serve
from tests.workers.delivery.post import EMAIL, Post
from tests.workers.delivery.receiving import WAIT_S, MakeReceiver, Receiver, status

DAY_S = 24 * 3600.0
POINTS = 30 if IN_CI else 10
"""At how many points of the answers the connection is reset."""


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    """The product's threads end with a dispatcher; the bench has a pool for look-ups, which is not its."""
    before = set(threading.enumerate())
    yield
    until(lambda: all(item.name.startswith("ThreadPool") for item in set(threading.enumerate()) - before))


@pytest.fixture
def heard(receiver: MakeReceiver) -> Receiver:
    """A receiver that keeps connections open and says something."""
    return receiver(status(200, b"thank you" * 20), keeps_alive=True)


@pytest.fixture
def line(heard: Receiver) -> Iterator[FaultProxy]:
    """A network before the receiver."""
    with fault_proxy(heard.port) as proxy:
        yield proxy
        until(lambda: proxy.open_connections == 0)  # nothing is left open at the end of a dispatcher


def sent_to(post: Post, line: FaultProxy) -> str:
    """A subscriber behind the network; its lane."""
    return post.subscribe(f"http://127.0.0.1:{line.port}/hook").id


def test_wherever_an_answer_breaks_off_a_webhook_arrives_under_one_id_and_a_success_is_none_again(
    post: Post, heard: Receiver, line: FaultProxy
) -> None:
    lane = sent_to(post, line)

    def deliver(reset_after: float) -> tuple[int, int]:
        """How often the receiver was asked, and how many bytes it answered to the first request."""
        id_, before, asked = post.decide(), line.answered, len(heard.received)
        line.reset_after(reset_after)
        post.dispatcher().run_once()
        answered = line.answered - before
        was_delivered = post.status(id_, lane) == "delivered"
        line.heal()
        post.forward(DAY_S)
        post.dispatcher().run_once()
        assert post.status(id_, lane) == "delivered"
        times = len(heard.received) - asked
        assert heard.ids[asked:] == [id_] * times
        assert times == (1 if was_delivered else 2)
        return times, answered

    times, length = deliver(math.inf)
    assert times == 1
    asked = [deliver(1 + point * length // POINTS)[0] for point in range(POINTS)]
    assert line.resets == POINTS
    assert asked[0] == 2  # no status came
    assert asked[-1] == 1  # a part of the body is missing, which nobody needs
    assert asked == sorted(asked, reverse=True)


def test_a_receiver_that_cannot_be_reached_or_falls_silent_is_tried_again(
    post: Post, heard: Receiver, line: FaultProxy
) -> None:
    lane = sent_to(post, line)
    for disturb in (line.cut, line.hold):
        id_ = post.decide()
        disturb()
        post.dispatcher(total_s=0.3).run_once()
        (made,) = post.attempts(id_)
        assert (made["status_code"], post.status(id_, lane)) == (None, "pending")
        line.heal()
        post.forward(DAY_S)
        post.dispatcher().run_once()
        assert post.status(id_, lane) == "delivered"
        assert set(heard.ids) >= {id_}


def test_a_kept_connection_that_died_silently_costs_one_attempt_and_no_notification(
    post: Post, heard: Receiver, line: FaultProxy
) -> None:
    """A firewall forgot it: what was sent into it is never answered, and nobody is told."""
    lane = sent_to(post, line)
    dispatcher = post.dispatcher(total_s=3.0)
    first = post.decide()
    dispatcher.start()
    try:
        until(lambda: post.status(first, lane) == "delivered")
        line.hold()
        lost = post.decide()
        dispatcher.wake()
        until(lambda: post.client.hget(keys.deliveries(post.cell, lost), f"{lane}:total"))
        line.heal()
        post.forward(DAY_S)
        dispatcher.wake()
        until(lambda: post.status(lost, lane) == "delivered")
    finally:
        dispatcher.stop()
    assert len(heard.callers) <= 2
    assert set(heard.ids) == {first, lost}


def test_an_answer_that_trickles_is_a_success_as_soon_as_its_head_is_there(
    post: Post, receiver: MakeReceiver
) -> None:
    heard = receiver(status(200, b"x" * 100_000), keeps_alive=True)
    proxy = FaultProxy(heard.port, bytes_per_s=20_000)
    lane, id_ = sent_to(post, proxy), post.decide()
    post.dispatcher(body_s=0.05).run_once()
    assert post.status(id_, lane) == "delivered"
    until(lambda: proxy.open_connections == 0)  # what is not read to its end is not kept
    proxy.close()


def test_wherever_the_words_of_a_mail_server_break_off_nobody_gets_an_e_mail_twice(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox
) -> None:
    mailbox.says_to_message = "250 " + "taken " * 40  # so that some of the points are within it
    with fault_proxy(serve().port) as line:

        def deliver(reset_after: float) -> tuple[str, int]:
            """What became of an e-mail in the end, and how many bytes the server said at first."""
            before, copies = line.answered, len(mailbox.mails)
            id_ = post.decide()
            line.reset_after(reset_after)
            mail(f"smtp://127.0.0.1:{line.port}").run_once()
            answered = line.answered - before
            line.heal()
            post.forward(DAY_S)
            mail(f"smtp://127.0.0.1:{line.port}").run_once()
            became = post.status(id_, EMAIL)
            assert became in ("delivered", "uncertain")
            assert len(mailbox.mails) - copies == 1 or became == "uncertain"
            assert len(mailbox.mails) - copies <= 1
            post.decide()  # a lane that only fails for days would be paused
            mail(f"smtp://127.0.0.1:{line.port}").run_once()
            return str(became), answered

        became, length = deliver(math.inf)
        assert became == "delivered"
        ends = [deliver(1 + point * length // POINTS)[0] for point in range(POINTS)]
        assert line.resets == POINTS
        assert ends[0] == "delivered"  # nothing was handed over, so it was tried again
        assert "uncertain" in ends  # the answer to the message itself is missing
        until(lambda: line.open_connections == 0)


def test_a_mail_server_that_cannot_be_reached_or_falls_silent_is_tried_again(
    post: Post, mail: MakeDispatcher, serve: Serve, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_server, "TIMEOUT_S", 0.3)
    with fault_proxy(serve().port) as line:
        for number, disturb in enumerate((line.cut, line.hold), 1):
            disturb()
            id_ = post.decide()
            mail(f"smtp://127.0.0.1:{line.port}").run_once()
            assert post.status(id_, EMAIL) == "pending"
            line.heal()
            monkeypatch.setattr(mail_server, "TIMEOUT_S", WAIT_S)
            post.forward(DAY_S)
            mail(f"smtp://127.0.0.1:{line.port}").run_once()
            assert (post.status(id_, EMAIL), len(mailbox.mails)) == ("delivered", number)
            monkeypatch.setattr(mail_server, "TIMEOUT_S", 0.3)
        until(lambda: line.open_connections == 0)
